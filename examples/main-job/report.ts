/** What the example prints: what happens when, and the table of the audit. */

import { type Audit, isClean } from "./audit.ts";
import { parseLine } from "./line.ts";

/** Prints what happens, with the seconds since the start. */
export function tell(what: string): void {
	process.stdout.write(`${(performance.now() / 1000).toFixed(1).padStart(6)} s  ${what}\n`);
}

/** A few lines of the log file, from where a debug line first went ahead of lines that were logged earlier. */
export function excerpt(text: string): string {
	const lines = text.split("\n");
	const queues = lines.map((line) => parseLine(line)?.queue ?? 0);
	const overtaken = queues.findIndex((queue, index) => queue < (queues[index - 1] ?? 0));
	const from = Math.max(0, overtaken - 2);
	return lines
		.slice(from, from + 5)
		.map((line) => `    ${line}`)
		.join("\n");
}

/** The audit as a table: numbers first, then what must be zero. */
export function table(result: Audit): string {
	return [
		row("lines acknowledged to the processes that logged", result.acknowledged),
		row("lines in the file", result.written),
		row("  of these logged, but not acknowledged before the kill", result.unacknowledged.length),
		row("  of these debug lines that overtook earlier normal lines", result.overtook.length),
		row("  of these marked late", result.late.length),
		"",
		verdict("lost", result.lost),
		verdict("repeated", result.repeated),
		verdict("out of order (queue numbers)", result.outOfOrder),
		verdict("out of order (calls of one thread)", result.outOfCallOrder),
		verdict("damaged", result.damaged),
		verdict("unexplained", result.unexplained),
		"",
		isClean(result) ? "Every acknowledged line is in the file once, and in order." : "THE AUDIT FAILED.",
	].join("\n");
}

function row(what: string, count: number): string {
	return `  ${what.padEnd(58)} ${String(count).padStart(8)}`;
}

function verdict(what: string, found: readonly string[]): string {
	if (found.length === 0) return `${row(what, 0)}  ok`;
	return `${row(what, found.length)}  FAILED, such as: ${found.slice(0, 3).join(", ")}`;
}

/**
 * The audit: what was acknowledged against what is written. It knows the ledgers and the text of the log file, and
 * nothing else.
 */

import { type Line, parseLine } from "./line.ts";

export interface Audit {
	/** Ids whose logging call had returned. */
	readonly acknowledged: number;
	/** Lines in the file. */
	readonly written: number;
	/** Acknowledged, but not in the file. */
	readonly lost: readonly string[];
	/** In the file more than once. */
	readonly repeated: readonly string[];
	/** Lines whose queue number is not higher than the one before, in their lane. */
	readonly outOfOrder: readonly string[];
	/** Lines that stand before an earlier call of the same thread, in their lane. */
	readonly outOfCallOrder: readonly string[];
	/** Lines that nobody can have logged: cut in two, mixed up, or from elsewhere. */
	readonly damaged: readonly string[];
	/** In the file, though their thread was killed before it could note that the call had returned. */
	readonly unacknowledged: readonly string[];
	/** Unacknowledged, though their thread lived, or though another one of its lines is unacknowledged already. */
	readonly unexplained: readonly string[];
	/** Marked late: their turn was over before they could be written. In a queue without stopped processes, none. */
	readonly late: readonly string[];
	/** Debug lines that stand before a normal line which was logged earlier. */
	readonly overtook: readonly string[];
}

/**
 * Compares ledgers and file.
 *
 * @param ledgers acknowledged ids by thread
 * @param text the log file
 * @param killed processes that were killed: each of their threads may have one line in the file that it never noted
 */
export function audit(ledgers: ReadonlyMap<string, readonly string[]>, text: string, killed: readonly string[]): Audit {
	const { lines, damaged } = parseLines(text);
	const written = new Set(lines.map((line) => line.id));
	const acknowledged = new Set([...ledgers.values()].flat());
	const unacknowledged = lines.filter((line) => !acknowledged.has(line.id));
	const onTime = lines.filter((line) => !line.isLate);
	return {
		acknowledged: acknowledged.size,
		written: lines.length + damaged.length,
		lost: [...acknowledged].filter((id) => !written.has(id)),
		repeated: findRepeated(lines),
		outOfOrder: findDescents(
			onTime,
			({ lane }) => lane,
			({ queue }) => queue,
		),
		outOfCallOrder: findDescents(
			lines,
			({ lane, thread }) => `${lane} ${thread}`,
			({ n }) => n,
		),
		damaged,
		unacknowledged: ids(unacknowledged),
		unexplained: findUnexplained(unacknowledged, killed),
		late: ids(lines.filter((line) => line.isLate)),
		overtook: findOvertakers(lines),
	};
}

/** Whether Pylog kept its promise. */
export function isClean(result: Audit): boolean {
	const { lost, repeated, outOfOrder, outOfCallOrder, damaged, unexplained } = result;
	return [lost, repeated, outOfOrder, outOfCallOrder, damaged, unexplained].every((found) => found.length === 0);
}

function parseLines(text: string): { lines: readonly Line[]; damaged: readonly string[] } {
	const lines: Line[] = [];
	const damaged: string[] = [];
	const parts = text.split("\n");
	// A file of whole lines ends with a newline.
	if (parts.at(-1) === "") parts.pop();
	for (const part of parts) {
		const line = parseLine(part);
		if (line === undefined) damaged.push(part);
		else lines.push(line);
	}
	return { lines, damaged };
}

function findRepeated(lines: readonly Line[]): readonly string[] {
	const seen = new Set<string>();
	const repeated: string[] = [];
	for (const { id } of lines) {
		if (seen.has(id)) repeated.push(id);
		seen.add(id);
	}
	return repeated;
}

/** Lines whose number is not higher than the highest so far, among the lines of the same group. */
function findDescents(
	lines: readonly Line[],
	groupOf: (line: Line) => string,
	numberOf: (line: Line) => number,
): readonly string[] {
	const highest = new Map<string, number>();
	return ids(
		lines.filter((line) => {
			const group = groupOf(line);
			const before = highest.get(group) ?? 0;
			highest.set(group, Math.max(before, numberOf(line)));
			return numberOf(line) <= before;
		}),
	);
}

function findUnexplained(unacknowledged: readonly Line[], killed: readonly string[]): readonly string[] {
	const explained = new Set<string>();
	return ids(
		unacknowledged.filter(({ thread }) => {
			const isExplained = killed.includes(thread.replace(/-\d+$/, "")) && !explained.has(thread);
			explained.add(thread);
			return !isExplained;
		}),
	);
}

function findOvertakers(lines: readonly Line[]): readonly string[] {
	// From the end: a debug line overtook if a normal line with a lower number stands anywhere behind it.
	let lowestBehind = Number.POSITIVE_INFINITY;
	const overtakers = lines.toReversed().filter(({ lane, queue }) => {
		if (lane === "priority") return queue > lowestBehind;
		lowestBehind = Math.min(lowestBehind, queue);
		return false;
	});
	return ids(overtakers.reverse());
}

function ids(lines: readonly Line[]): readonly string[] {
	return lines.map((line) => line.id);
}

/** Compares what the clients got with what the file says. */

import { readFileSync } from "node:fs";
import type { Responses } from "./send-requests.ts";

/** The members of a line that this example looks at. */
export interface RequestLine {
	readonly pid: number;
	readonly method: string;
	readonly url: string;
	readonly status: number;
	readonly durationMs: number;
	readonly requestId: string;
}

export interface Comparison {
	/** For people. */
	readonly summary: string;
	/** What does not fit; nothing when each response has its one line. */
	readonly problems: readonly string[];
}

export function compare({ requestIds, failures }: Responses, logFile: string): Comparison {
	const rows = readFileSync(logFile, "utf8").trimEnd().split("\n");
	const lines = rows.map((row) => JSON.parse(row) as RequestLine);
	const logged = new Set(lines.map((line) => line.requestId));
	const received = new Set(requestIds);
	const missing = requestIds.filter((id) => !logged.has(id));
	const extra = [...logged].filter((id) => !received.has(id));
	const problems = [
		[failures, "requests failed"],
		[requestIds.length - received.size, "responses have the request id of another one"],
		[lines.length - logged.size, "lines repeat a request id"],
		[missing.length, "responses have no line"],
		[extra.length, "lines belong to no response"],
	] as const;
	return {
		summary: summarise(rows, lines, requestIds.length),
		problems: problems.filter(([count]) => count !== 0).map(([count, what]) => `${count} ${what}`),
	};
}

function summarise(rows: readonly string[], lines: readonly RequestLine[], responses: number): string {
	const pids = [...new Set(lines.map((line) => line.pid))];
	const byProcess = pids.map((pid) => `${lines.filter((line) => line.pid === pid).length} by process ${pid}`);
	return [
		...rows.slice(0, 2).map((row) => `    ${row}`),
		"    …",
		"",
		`responses with 2xx   ${responses}`,
		`lines in the file    ${lines.length}: ${byProcess.join(", ")}`,
	].join("\n");
}

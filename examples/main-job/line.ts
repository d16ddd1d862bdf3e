/**
 * What one line of this example looks like: how it is made, and how it is recognised again in the file.
 *
 *     4711 2026-11-22T06:25:28.123+00:00 INFO beta-0 | beta-0-42 order 42 was shipped
 *     └ queue number         └ time      └ level └ name     └ id: process, thread, n-th line of that thread
 */

export const logform = "%queue% %time% %loglevel% %name% | ";

/** A line as it was found in the log file. */
export interface Line {
	/** Its place in the one order of all records, over all processes. */
	readonly queue: number;
	readonly lane: "priority" | "normal";
	readonly id: string;
	/** Who logged it: process and thread, such as `beta-0`. */
	readonly thread: string;
	/** It was the n-th line that its thread logged. */
	readonly n: number;
	/** Pylog marks a line whose turn was over before it could be written. */
	readonly isLate: boolean;
}

const wholeLine = /^(\d+) \S{29} (DEBUG|INFO) (\S+) \| (\S+-(\d+)) (.+?)( \{"late":true\})?$/;

export function idOf(thread: string, n: number): string {
	return `${thread}-${n}`;
}

/** The rest of the line follows from its id, so that a damaged line can't pass for a whole one. */
export function textOf(n: number): string {
	return `order ${n} was shipped`;
}

/** Every tenth line is a debug line: those take the priority lane. */
export function isDebug(n: number): boolean {
	return n % 10 === 0;
}

/** Reads a line of the file; `undefined` for a text that none of the producers can have logged. */
export function parseLine(text: string): Line | undefined {
	const [, queue, level, thread = "", id = "", digits, rest, late] = wholeLine.exec(text) ?? [];
	const n = Number(digits);
	const isWhole = id === idOf(thread, n) && rest === textOf(n) && level === (isDebug(n) ? "DEBUG" : "INFO");
	if (!isWhole) return undefined;
	return {
		queue: Number(queue),
		lane: level === "DEBUG" ? "priority" : "normal",
		id,
		thread,
		n,
		isLate: late !== undefined,
	};
}

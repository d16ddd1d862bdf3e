/** The rules that the lines of one output keep, whatever happened to it: each is whole, there once, in order, none missing. */
import { readFileSync } from "node:fs";

/** As test/fixtures/faulty-producer.ts logs them: queue number, producer, number from 1. */
const linePattern = /^(\d+) (\w+) (\d+)( {"late":true})?$/;

export interface LineAudit {
	readonly lines: number;
	/** Lines that are there already. */
	readonly repeated: number;
	/** Lines with a smaller queue number than one before them, but for those that say that they are late. */
	readonly disordered: number;
	/** Numbers that no line has, from each producer's first line on. */
	readonly missing: number;
	/** Lines that no producer logged so, as the halves of torn ones are. */
	readonly broken: readonly string[];
	/** The number of each producer's first line. */
	readonly first: Readonly<Record<string, number>>;
}

/** What {@link LineAudit} says of an output all of whose lines are there. */
export function completeAudit(logged: ReadonlyMap<string, number>): LineAudit {
	const lines = [...logged.values()].reduce((sum, count) => sum + count, 0);
	return { lines, ...faultless, first: Object.fromEntries([...logged.keys()].map((name) => [name, 1])) };
}

/** Of an output from which somebody took lines at its beginning, what still must be so. */
export const faultless: Omit<LineAudit, "lines" | "first"> = { repeated: 0, disordered: 0, missing: 0, broken: [] };

/**
 * Looks at the files that make up one output, the oldest first.
 *
 * @param logged How many lines each producer has logged.
 */
export function auditLines(files: readonly string[], logged: ReadonlyMap<string, number>): LineAudit {
	const seen = new Map([...logged.keys()].map((name) => [name, new Set<number>()]));
	const broken: string[] = [];
	let lines = 0;
	let repeated = 0;
	let disordered = 0;
	let highest = -1;
	for (const line of files.flatMap(linesWithRest)) {
		const [, queue, name = "", number, late] = linePattern.exec(line) ?? [];
		const numbers = seen.get(name);
		lines += 1;
		if (numbers === undefined) broken.push(line.slice(0, 100));
		else if (numbers.has(Number(number))) repeated += 1;
		else if (late === undefined && Number(queue) < highest) disordered += 1;
		numbers?.add(Number(number));
		highest = Math.max(highest, Number(queue ?? 0));
	}
	const first = Object.fromEntries([...seen].map(([name, numbers]) => [name, lowest(numbers)]));
	const missing = [...seen].reduce((sum, [name, numbers]) => sum + countMissing(numbers, logged.get(name) ?? 0), 0);
	return { lines, repeated, disordered, missing, broken, first };
}

/** The highest number of each producer in the last lines of a file. */
export function lastNumbers(file: string): Map<string, number> {
	const lines = linesWithRest(file).slice(-1000, -1);
	const parsed = lines.map((line) => linePattern.exec(line)).filter((match) => match !== null);
	return new Map(parsed.map(([, , name = "", number]) => [name, Number(number)]));
}

/** The lines of a file, and what stands behind the last line feed, if anything does. None where there is no file. */
function linesWithRest(file: string): string[] {
	const lines = readText(file).split("\n");
	return lines.at(-1) === "" ? lines.slice(0, -1) : lines;
}

function readText(file: string): string {
	try {
		return readFileSync(file, "latin1");
	} catch {
		return "";
	}
}

function lowest(numbers: ReadonlySet<number>): number {
	let found = Number.POSITIVE_INFINITY;
	for (const number of numbers) found = Math.min(found, number);
	return found;
}

/** From the lowest that is there up to the last that was logged; all where none is there. */
function countMissing(numbers: ReadonlySet<number>, last: number): number {
	if (numbers.size === 0) return last;
	return last - lowest(numbers) + 1 - numbers.size;
}

/**
 * Levels: their names, their numbers, and how a line prints them.
 *
 * The numbers are stored in records and compared as thresholds, so they never change. A number without a name is
 * legal (records come from other versions and from custom levels) and prints as `LEVEL35`.
 */

/** Name → number, in ascending order. */
export const levels = {
	trace: 10,
	debug: 20,
	info: 30,
	warning: 40,
	error: 50,
	fatal: 60,
} as const;

export type LevelName = keyof typeof levels;

/** What an option `level` takes: nothing below it is logged. `warn` means `warning`; `silent` logs nothing. */
export type Threshold = LevelName | "warn" | "silent";

const numbers: ReadonlyMap<string, number> = new Map<string, number>([
	...Object.entries(levels),
	["warn", levels.warning],
	["silent", Number.POSITIVE_INFINITY],
]);

const names: ReadonlyMap<number, LevelName> = new Map(
	Object.entries(levels).map(([name, number]) => [number, name as LevelName]),
);

/**
 * The number of a level or threshold, in any case (`INFO`, `warn`); `silent` is `Infinity`.
 * `undefined` for anything else.
 */
export function levelNumber(name: Threshold): number;
export function levelNumber(name: string): number | undefined;
export function levelNumber(name: string): number | undefined {
	return numbers.get(name.toLowerCase());
}

/** The name of a level number as a JSON line has it: `info`, or `level35` where there is no name. */
export function levelName(level: number): string {
	return names.get(level) ?? `level${level}`;
}

/** The name of a level number as `%loglevel%` prints it: `INFO`, or `LEVEL35` where there is no name. */
export function upperLevelName(level: number): string {
	return levelName(level).toUpperCase();
}

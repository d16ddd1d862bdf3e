/** The ratios of one run beside those of another: are they the same, within the spread that each of them had? */
import { readFileSync } from "node:fs";
import type { Answer } from "./question.ts";
import { lines, number } from "./table.ts";

/** What `--json` printed, one object a line, or a list of such objects. */
export function answersIn(path: string): Answer[] {
	try {
		const text = readFileSync(path, "utf8").trim();
		if (text.startsWith("[")) return JSON.parse(text) as Answer[];
		return text.split("\n").map((line) => JSON.parse(line) as Answer);
	} catch (cause) {
		throw new Error(`--against takes a file with what --json printed; ${path} is none`, { cause });
	}
}

/** A row for each ratio that both have. */
export function againstTable(now: Answer, earlier: readonly Answer[]): string {
	const before = earlier.find(({ question }) => question === now.question);
	if (before === undefined) return `${now.question}: not in the earlier run.`;
	const names = Object.keys(now.ratios).filter((name) => before.ratios[name] !== undefined);
	const apart = names.filter((name) => !isSame(now, before, name));
	const rows = names.map((name) => [
		name,
		ratio(before, name),
		ratio(now, name),
		apart.includes(name) ? "**apart**" : "same",
	]);
	const same = `${now.question}: ${names.length - apart.length} of ${names.length} ratios are the same within their spread.`;
	const note = Math.min(now.rounds, before.rounds) > 1 ? "" : " A single round has none: run without --quick.";
	return `${lines([["how many times better the first is", "earlier", "now", ""], ...rows])}\n\n${same}${note}`;
}

/** `3.63 (3.41–3.80)`: the median of the rounds' ratios and its quartiles. */
export function ratio({ ratios, spreads, rounds }: Answer, name: string): string {
	const [q1, q3] = spreads?.[name] ?? [Number.NaN, Number.NaN];
	const spread = rounds > 1 ? ` (${number(q1)}–${number(q3)})` : "";
	return `${number(ratios[name] ?? Number.NaN)}${spread}`;
}

/** Whether the middle halves of the rounds overlap. */
function isSame(one: Answer, other: Answer, name: string): boolean {
	const [low, high] = one.spreads[name] ?? [Number.NaN, Number.NaN];
	const [otherLow, otherHigh] = other.spreads?.[name] ?? [Number.NaN, Number.NaN];
	return low <= otherHigh && otherLow <= high;
}

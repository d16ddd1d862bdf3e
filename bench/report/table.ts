/** Tables of Markdown, which are as good to read in a terminal: a row for each subject, a column for each measure. */
import type { Result, Unit } from "./tally.ts";

/** The tables of all groups of a question. */
export function tables(results: readonly Result[], titles: Readonly<Record<string, string>> = {}): string {
	const groups = [...new Set(results.map(({ group }) => group))];
	return groups
		.map((group) => {
			const of = results.filter((result) => result.group === group);
			const title = titles[group] ?? group;
			return `**${title.charAt(0).toUpperCase()}${title.slice(1)}**\n\n${table(of)}`;
		})
		.join("\n\n");
}

export function table(results: readonly Result[]): string {
	const measures = [...new Set(results.map(({ measure }) => measure))];
	const subjects = [...new Set(results.map(({ subject }) => subject))];
	const figure = (subject: string, measure: string): string => {
		const result = results.find((each) => each.subject === subject && each.measure === measure);
		return result === undefined ? "–" : cell(result);
	};
	const rows = subjects.map((subject) => [subject].concat(measures.map((measure) => figure(subject, measure))));
	return lines([["", ...measures], ...rows]);
}

/** Rows of cells as a table whose columns stand below each other; the first row is the head. */
export function lines(rows: readonly (readonly string[])[]): string {
	const [head = []] = rows;
	const widths = head.map((_, column) => Math.max(3, ...rows.map((row) => row[column]?.length ?? 0)));
	const print = (row: readonly string[]): string =>
		`| ${row.map((text, column) => text.padEnd(widths[column] ?? 0)).join(" | ")} |`;
	const rule = `|${widths.map((width) => "-".repeat(width + 2)).join("|")}|`;
	return [print(head), rule, ...rows.slice(1).map(print)].join("\n");
}

/** A median with its quartiles: `0.41 µs (0.40–0.43)`. */
function cell({ median, q1, q3, unit, rounds }: Result): string {
	if (unit === "packages") return String(median);
	const { scale, name } = shown(median, unit);
	const spread = rounds > 1 ? ` (${number(q1 * scale)}–${number(q3 * scale)})` : "";
	return `${number(median * scale)} ${name}${spread}`;
}

function shown(value: number, unit: Unit): { readonly scale: number; readonly name: string } {
	if (unit === "ns" && value >= 1_000_000) return { scale: 1e-6, name: "ms" };
	if (unit === "ns" && value >= 100) return { scale: 1e-3, name: "µs" };
	if (unit === "bytes") return { scale: 1 / 2 ** 20, name: "MiB" };
	return { scale: 1, name: unit };
}

/** Three digits that mean something. */
export function number(value: number): string {
	if (!Number.isFinite(value)) return "–";
	const size = Math.abs(value);
	if (size >= 1000) return Math.round(value).toLocaleString("en");
	return value.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : 2);
}

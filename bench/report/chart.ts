/** The chart of docs/performance.md: what a line costs with each logger, as bars. Plain SVG, light and dark. */
import type { Answer } from "./question.ts";
import type { Result } from "./tally.ts";

const measures = ["call", "thread", "in the file"] as const;
const legends: Readonly<Record<(typeof measures)[number], string>> = {
	call: "in the call",
	thread: "on the thread, in calls and between them",
	"in the file": "until the line is in the file",
};
const group = "fields";
/** Bars that are longer end here, with a mark; their numbers tell. */
const longestUs = 15;
const [widthPx, labelPx, barPx, gapPx, headPx, tailPx] = [860, 130, 11, 12, 76, 34];
const scalePx: number = (widthPx - labelPx - 90) / longestUs;
const gridUs = [0, 5, 10, 15];

/** Needs the answer of the question `call`. */
export function chart(answer: Answer): string {
	const results = answer.results.filter((result) => result.group === group);
	const subjects = [...new Set(results.map(({ subject }) => subject))];
	const rowPx = measures.length * barPx + gapPx;
	const heightPx = headPx + subjects.length * rowPx + tailPx;
	const rows = subjects.map((subject, index) => row(subject, results, headPx + index * rowPx));
	const grid = gridUs.map((us) => gridLine(us, heightPx));
	const { cpu, cores } = answer.machine;
	return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${widthPx} ${heightPx}" role="img" aria-label="Cost of a line with each logger">
<style>
text { font: 12px system-ui, sans-serif; fill: #24292f }
.title { font-size: 15px; font-weight: 600 }
.small { font-size: 11px; fill: #57606a }
.grid { stroke: #d0d7de }
.call { fill: #0550ae } .thread { fill: #54aeff } .file { fill: #b6bfc9 }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 } .small { fill: #9198a1 } .grid { stroke: #3d444d }
.call { fill: #58a6ff } .thread { fill: #1f5fae } .file { fill: #565f69 }
}
</style>
<text class="title" x="8" y="20">What a line costs: a message and two fields, microseconds, medians</text>
${measures.map((measure, index) => legend(measure, 8 + index * 260)).join("\n")}
${grid.join("\n")}
${rows.join("\n")}
<text class="small" x="8" y="${heightPx - 8}">${escaped(`${cpu}, ${cores} cores, Node ${answer.versions["node"] ?? ""}; bars beyond ${longestUs} µs are cut`)}</text>
</svg>
`;
}

function row(subject: string, results: readonly Result[], topPx: number): string {
	const bars = measures.flatMap((measure, index) => {
		const found = results.find((each) => each.subject === subject && each.measure === measure);
		return found === undefined ? [] : [bar(measure, found.median / 1000, topPx + index * barPx)];
	});
	const name = `<text x="${labelPx - 8}" y="${topPx + 1.5 * barPx + 4}" text-anchor="end">${escaped(subject)}</text>`;
	return [name, ...bars].join("\n");
}

function bar(measure: string, us: number, topPx: number): string {
	const lengthPx = Math.min(us, longestUs) * scalePx;
	const text = `${us.toFixed(us < 10 ? 2 : 1)}${us > longestUs ? " →" : ""}`;
	const rect = `<rect class="${classOf(measure)}" x="${labelPx}" y="${topPx}" width="${lengthPx.toFixed(1)}" height="${barPx - 1}"/>`;
	return `${rect}<text class="small" x="${(labelPx + lengthPx + 4).toFixed(1)}" y="${topPx + barPx - 2}">${text}</text>`;
}

function legend(measure: (typeof measures)[number], leftPx: number): string {
	const rect = `<rect class="${classOf(measure)}" x="${leftPx}" y="33" width="11" height="11"/>`;
	return `${rect}<text x="${leftPx + 16}" y="43">${legends[measure]}</text>`;
}

function gridLine(us: number, heightPx: number): string {
	const x = (labelPx + us * scalePx).toFixed(1);
	const line = `<line class="grid" x1="${x}" x2="${x}" y1="${headPx - 8}" y2="${heightPx - tailPx}"/>`;
	return `${line}<text class="small" x="${x}" y="${headPx - 12}" text-anchor="middle">${us}</text>`;
}

function classOf(measure: string): string {
	return measure === "in the file" ? "file" : measure;
}

function escaped(text: string): string {
	return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}

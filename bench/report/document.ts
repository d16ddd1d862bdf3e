/**
 * The figures of docs/performance.md: they stand in docs/performance.json, by question, and are put into the document between
 * `<!-- bench:name -->` and `<!-- bench:end -->`. What stands outside of these is written by people, and kept.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { behindTable } from "./behind.ts";
import { chart } from "./chart.ts";
import { goalTable } from "./goals.ts";
import type { Answer, Question } from "./question.ts";
import { tables } from "./table.ts";

const root: URL = new URL("../../", import.meta.url);
const figures: URL = new URL("docs/performance.json", root);
const page: URL = new URL("docs/performance.md", root);
const picture: URL = new URL("docs/performance.svg", root);
const block = /(<!-- bench:([a-z]+) -->\n)[\s\S]*?(<!-- bench:end -->)/g;

/** Takes over a new answer, and makes the document and its chart anew from all. */
export function writeDocument(asked: Answer, questions: readonly Question[]): void {
	const known: Answer[] = existsSync(figures) ? JSON.parse(readFileSync(figures, "utf8")) : [];
	const answers = questions.flatMap(({ name }) => {
		const answer = [asked, ...known].find(({ question }) => question === name);
		return answer === undefined ? [] : [answer];
	});
	writeFileSync(figures, `${JSON.stringify(answers, rounded, "\t")}\n`);
	const made = readFileSync(page, "utf8").replaceAll(block, (_, head: string, name: string, end: string) => {
		return `${head}\n${textOf(name, answers, questions)}\n\n${end}`;
	});
	writeFileSync(page, made);
	const calls = answers.find(({ question }) => question === "call");
	if (calls !== undefined) writeFileSync(picture, chart(calls));
}

function textOf(name: string, answers: readonly Answer[], questions: readonly Question[]): string {
	if (name === "goals") return goalTable(answers);
	if (name === "behind") return behindTable(answers);
	if (name === "conditions") return [...new Set(answers.map(conditions))].join("\n\n");
	const question = questions.find((each) => each.name === name);
	const answer = answers.find((each) => each.question === name);
	if (question === undefined) throw new Error(`docs/performance.md asks for "${name}", which is no benchmark`);
	if (answer === undefined) return "Not measured.";
	return `${question.about} ${pace(answer)}\n\n${tables(answer.results, question.groups)}`;
}

/** Machine and versions. */
export function conditions({ machine, versions }: Answer): string {
	const { cpu, cores, memoryGiB, kernel, nice } = machine;
	const of = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
	const niceness = nice === 0 ? "" : `, at nice ${nice}`;
	return `${cpu}, ${cores} cores, ${memoryGiB} GiB, Linux ${kernel}${niceness}; ${of.join(", ")}.`;
}

export function pace({ rounds, seconds, quick }: Answer): string {
	const medians = rounds === 1 ? "" : "; medians, and quartiles in brackets";
	return `${rounds} round${rounds === 1 ? "" : "s"} in ${seconds} s${quick ? ", with little work" : ""}${medians}.`;
}

/** Four digits are more than the measurements are good for. */
function rounded(_key: string, value: unknown): unknown {
	return typeof value === "number" && !Number.isInteger(value) ? Number(value.toPrecision(4)) : value;
}

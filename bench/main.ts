/** The command: npm run bench [name …] [-- --json] [--quick] [--write]. */
import { getPriority } from "node:os";
import { parseArgs } from "node:util";
import { againstTable, answersIn, ratio } from "./report/against.ts";
import { guard, losses } from "./guard.ts";
import { questions } from "./questions.ts";
import { conditions, pace, writeDocument } from "./report/document.ts";
import { machine, versions } from "./report/machine.ts";
import type { Answer, Pace, Question } from "./report/question.ts";
import { lines, tables } from "./report/table.ts";

const names = questions.map(({ name }) => name);
const usage = `npm run bench [name …] [-- options]

Asks the questions of these names, or all: ${names.join(" ")}
All together are written into docs/performance.md. "guard" asks whether Pylog is as fast as bench/floors.json says.
  --json   one object for each question on stdout; nothing is written
  --quick  few rounds with little work; nothing is written
  --write  the answers are written into docs/performance.md all the same
  --against FILE
           says of each ratio whether it is the same as in FILE, within the spread of both: what --json printed
           earlier or on another machine, or docs/performance.json
`;

await main();

async function main(): Promise<void> {
	const { values, positionals } = parseArgs({
		allowPositionals: true,
		options: {
			json: { type: "boolean", default: false },
			quick: { type: "boolean", default: false },
			write: { type: "boolean", default: false },
			against: { type: "string" },
			help: { type: "boolean", default: false },
		},
	});
	const unknown = positionals.find((name) => name !== guard.name && !names.includes(name));
	if (values.help || unknown !== undefined) {
		process.stderr.write(unknown === undefined ? usage : `There is no benchmark "${unknown}".\n\n${usage}`);
		process.exitCode = unknown === undefined ? 0 : 2;
		return;
	}
	const asked = [...questions, guard].filter(({ name }) =>
		positionals.length === 0 ? name !== guard.name : positionals.includes(name),
	);
	const earlier = values.against === undefined ? undefined : answersIn(values.against);
	const isWritten = values.write || (positionals.length === 0 && !values.quick && !values.json);
	for (const question of asked) {
		const answer = await ask(question, { isQuick: values.quick, tell });
		process.stdout.write(values.json ? `${JSON.stringify(answer)}\n` : textOf(question, answer));
		if (earlier !== undefined) process.stderr.write(`${againstTable(answer, earlier)}\n\n`);
		if (isWritten && question !== guard) writeDocument(answer, questions);
	}
}

async function ask(question: Question, at: Pace): Promise<Answer> {
	const sinceMs = performance.now();
	const tally = await question.ask(at);
	tell("");
	const results = tally.results();
	if (question === guard) complain(losses(tally.ratios));
	return {
		question: question.name,
		machine: machine(getPriority()),
		versions: versions(),
		quick: at.isQuick,
		rounds: Math.max(...results.map(({ rounds }) => rounds)),
		seconds: Math.round((performance.now() - sinceMs) / 1000),
		results,
		ratios: tally.ratios,
		spreads: tally.spreads,
	};
}

function complain(sentences: readonly string[]): void {
	for (const sentence of sentences) process.stderr.write(`guard: ${sentence}\n`);
	if (sentences.length > 0) process.exitCode = 1;
}

function textOf(question: Question, answer: Answer): string {
	const ratios = Object.keys(answer.ratios).map((name) => [name, ratio(answer, name)]);
	const parts = [
		`# ${question.title}`,
		`${question.about} ${pace(answer)}`,
		conditions(answer),
		tables(answer.results, question.groups),
		lines([["how many times better the first is", ""], ...ratios]),
	];
	return `${parts.join("\n\n")}\n\n`;
}

/** On a terminal, one line that says what is going on. */
function tell(what: string): void {
	if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${what}`);
}

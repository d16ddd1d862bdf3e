/** The command: npm run bench [name …] [-- --json] [--quick] [--write]. */
import { getPriority } from "node:os";
import { parseArgs } from "node:util";
import { questions } from "./questions.ts";
import { machine, versions } from "./report/machine.ts";
import type { Answer, Pace, Question } from "./report/question.ts";
import { lines, number, tables } from "./report/table.ts";

const usage = `npm run bench [name …] [-- options]

Asks the questions of these names, or all: ${questions.map(({ name }) => name).join(" ")}
  --json   one object for each question on stdout
  --quick  few rounds with little work
`;

await main();

async function main(): Promise<void> {
	const { values, positionals } = parseArgs({
		allowPositionals: true,
		options: { json: { type: "boolean" }, quick: { type: "boolean" }, help: { type: "boolean" } },
	});
	const unknown = positionals.find((name) => questions.every((question) => question.name !== name));
	if (values.help === true || unknown !== undefined) {
		process.stderr.write(unknown === undefined ? usage : `There is no benchmark "${unknown}".\n\n${usage}`);
		process.exitCode = unknown === undefined ? 0 : 2;
		return;
	}
	const asked = questions.filter(({ name }) => positionals.length === 0 || positionals.includes(name));
	const pace: Pace = { isQuick: values.quick === true, tell };
	for (const question of asked) {
		const answer = await ask(question, pace);
		process.stdout.write(values.json === true ? `${JSON.stringify(answer)}\n` : text(question, answer));
	}
}

async function ask(question: Question, pace: Pace): Promise<Answer> {
	const sinceMs = performance.now();
	const tally = await question.ask(pace);
	tell("");
	const results = tally.results();
	return {
		question: question.name,
		machine: machine(getPriority()),
		versions: versions(),
		quick: pace.isQuick,
		rounds: Math.max(...results.map(({ rounds }) => rounds)),
		seconds: Math.round((performance.now() - sinceMs) / 1000),
		results,
		ratios: tally.ratios,
	};
}

function text(question: Question, answer: Answer): string {
	const { cpu, cores, memoryGiB, kernel, nice } = answer.machine;
	const ratios = Object.entries(answer.ratios).map(([name, value]) => [name, number(value)]);
	return `# ${question.title}

${question.about}

${cpu}, ${cores} cores, ${memoryGiB} GiB, Linux ${kernel}, nice ${nice}; ${answer.rounds} rounds in ${answer.seconds} s
${Object.entries(answer.versions)
	.map(([name, version]) => `${name} ${version}`)
	.join(", ")}

${tables(answer.results, question.groups)}

${lines([["how many times better Pylog is", ""], ...ratios])}

`;
}

/** On a terminal, one line that says what is going on. */
function tell(what: string): void {
	if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${what}`);
}

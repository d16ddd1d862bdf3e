/** What Pylog set out to reach, and what was measured: the rows of one table. */
import type { Answer } from "./question.ts";
import { lines, number } from "./table.ts";
import type { Result } from "./tally.ts";

interface Goal {
	readonly figure: string;
	readonly goal: string;
	/** `undefined` when the question was not asked. */
	readonly measured: (answers: Answers) => Measured | undefined;
}

interface Measured {
	readonly text: string;
	readonly isReached: boolean;
}

class Answers {
	readonly #answers: readonly Answer[];

	constructor(answers: readonly Answer[]) {
		this.#answers = answers;
	}

	/** The ratio of a name, or the least of those whose names begin so. */
	ratio(question: string, name: string): number | undefined {
		const ratios = Object.entries(this.#find(question)?.ratios ?? {}).filter(([each]) => each.startsWith(name));
		return ratios.length === 0 ? undefined : Math.min(...ratios.map(([, value]) => value));
	}

	result(question: string, subject: string, measure: string): Result | undefined {
		return this.#find(question)?.results.find((each) => each.subject === subject && each.measure === measure);
	}

	#find(question: string): Answer | undefined {
		return this.#answers.find((answer) => answer.question === question);
	}
}

const goals: readonly Goal[] = [
	atLeast("cost of a call, message only, against pino async", "call", "call.message pylog vs pino async", 10),
	atLeast("cost of a call, message and two fields, against pino async", "call", "call.fields pylog vs pino async", 5),
	atLeast(
		"cost of a call with the call site, against the cheapest peer that prints one",
		"call",
		"call.site pylog vs ",
		2,
	),
	atMost(
		"p99.9 of a call under load on ext4, against the p50 of pino async",
		"latency",
		"latency.ext4.p99.9-to-p50 pylog vs pino async",
		1,
	),
	atLeast(
		"4 processes to one file, lines a second, against pino sync",
		"pipeline",
		"pipeline.4p1f pylog vs pino sync",
		3,
	),
	atMost("processor time for a line, all processes, against pino sync", "cpu", "cpu pylog vs pino sync", 0.5),
	atMost("time to write a backlog, against a copy by 64 KiB", "drain", "drain pylog vs ", 3),
	{
		figure: "from info() to the line in the file, p99, logman asleep",
		goal: "at most 10 ms",
		measured: (answers) => below(answers.result("visible", "pylog", "p99"), 10),
	},
	{
		figure: "processor time of an idle logman",
		goal: "under 0.3 % of one core",
		measured: (answers) => below(answers.result("visible", "pylog", "idle"), 0.3),
	},
	atMost(
		"import and first line, against the import of pino",
		"start",
		"start.first-line-to-import pylog vs pino async",
		1,
	),
	atMost(
		"cost of a line of 500 producers, against one of 4",
		"producers",
		"producers.line 500 producers vs 4 producers",
		1.5,
	),
	{
		figure: "memory of the logman at a backlog of 1 GiB",
		goal: "under 150 MiB",
		measured: (answers) => below(answers.result("drain", "pylog", "memory"), 150),
	},
];

export function goalTable(answers: readonly Answer[]): string {
	const all = new Answers(answers);
	const rows = goals.flatMap(({ figure, goal, measured }) => {
		const found = measured(all);
		return found === undefined ? [] : [[figure, goal, found.text, found.isReached ? "yes" : "**no**"]];
	});
	return lines([["figure", "goal", "measured", "reached"], ...rows]);
}

/** So many times better at least. */
function atLeast(figure: string, question: string, name: string, times: number): Goal {
	return {
		figure,
		goal: `at least ${times} times better`,
		measured: (answers) => {
			const ratio = answers.ratio(question, name);
			return ratio === undefined ? undefined : { text: `${number(ratio)} times`, isReached: ratio >= times };
		},
	};
}

/** At most so many times the cost. */
function atMost(figure: string, question: string, name: string, times: number): Goal {
	return {
		figure,
		goal: `at most ${times} times`,
		measured: (answers) => {
			const ratio = answers.ratio(question, name);
			return ratio === undefined ? undefined : { text: `${number(1 / ratio)} times`, isReached: 1 / ratio <= times };
		},
	};
}

function below(result: Result | undefined, limit: number): Measured | undefined {
	if (result === undefined) return undefined;
	return { text: `${number(result.median)} ${result.unit}`, isReached: result.median <= limit };
}

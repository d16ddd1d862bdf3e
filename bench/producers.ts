/** Does a line cost more when many processes log? */
import type { ProducersFound, ProducersOptions } from "./programs/producers.ts";
import type { Pace, Question } from "./report/question.ts";
import { Tally } from "./report/tally.ts";
import { LineCount, untilCounted } from "./run/line-count.ts";
import { processorMs } from "./run/processor-time.ts";
import { startProgram } from "./run/program.ts";
import { interleaved } from "./run/rounds.ts";
import { Scratch } from "./run/scratch.ts";

export const producers: Question = {
	name: "producers",
	title: "Does a line cost more when many processes log?",
	about:
		"4, 50 and 500 producers log the same number of lines, all together, to one file. They are spread over four processes: " +
		"to the logman each is what a process of its own would be. *line* is the time until the last line is in the file, for one " +
		"line; the processor time is that of all processes.",
	ask: askProducers,
};

export interface ProducersWork {
	readonly rounds: number;
	readonly lines: number;
	/** Numbers of producers; the others are compared with the first. */
	readonly counts: readonly number[];
}

const processes = 4;
const full: ProducersWork = { rounds: 5, lines: 200_000, counts: [4, 50, 500] };
const quick: ProducersWork = { ...full, rounds: 1, lines: 40_000 };
/** A few lines for each of 500 producers. */
const warmUpLines = 1250;
const group = "one file";

function askProducers(pace: Pace): Promise<Tally> {
	return measureProducers(pace.isQuick ? quick : full, pace);
}

/** Also for the guard, with a work of its own. */
export async function measureProducers(
	{ rounds, lines, counts }: ProducersWork,
	pace: Pace,
	tally: Tally = new Tally(),
): Promise<Tally> {
	await using scratch = new Scratch();
	await scratch.startLogman();
	for (const [round, count] of interleaved(counts, rounds)) {
		pace.tell(`producers: round ${round + 1} of ${rounds}, ${count}`);
		const { lineNs, processorNs } = await measure(count, lines, scratch);
		tally.add(round, group, `${count} producers`, "line", "ns", lineNs);
		tally.add(round, group, `${count} producers`, "processor time for a line", "ns", processorNs);
		scratch.removeFiles();
	}
	const [first = 0, ...others] = counts;
	for (const count of others) {
		tally.compare("producers.line", group, "line", `${count} producers`, `${first} producers`);
		tally.compare("producers.cpu", group, "processor time for a line", `${count} producers`, `${first} producers`);
	}
	return tally;
}

async function measure(
	count: number,
	lines: number,
	scratch: Scratch,
): Promise<{ readonly lineNs: number; readonly processorNs: number }> {
	const path = scratch.newFile();
	const programs = Array.from({ length: processes }, (_, index) => {
		const own = Math.floor((count + index) / processes);
		const options: ProducersOptions = {
			path,
			cacheDir: scratch.cacheDir,
			producers: own,
			warmUpLines,
			lines: lines / processes,
		};
		return startProgram("producers", options);
	});
	using counted = new LineCount(path);
	try {
		for (const program of programs) await program.hear();
		const logmanBeforeMs = processorMs(scratch.logmanPid);
		const sinceMs = performance.now();
		for (const program of programs) program.tell("go");
		const untilMs = await untilCounted([counted], lines + warmUpLines * processes, `${count} producers`);
		let spentMs = processorMs(scratch.logmanPid) - logmanBeforeMs;
		for (const program of programs) spentMs += (await program.hear<ProducersFound>()).processorMs;
		for (const program of programs) program.tell("leave");
		for (const program of programs) await program.ended();
		return { lineNs: ((untilMs - sinceMs) * 1e6) / lines, processorNs: (spentMs * 1e6) / lines };
	} finally {
		await Promise.all(programs.map((program) => program[Symbol.asyncDispose]()));
	}
}

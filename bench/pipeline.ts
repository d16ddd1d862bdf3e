/** How many lines a second do several processes get into one file, or into eight? */
import type { Pace, Question } from "./report/question.ts";
import { Tally } from "./report/tally.ts";
import { flood } from "./run/flood.ts";
import { interleaved } from "./run/rounds.ts";
import { Scratch } from "./run/scratch.ts";

export const pipeline: Question = {
	name: "pipeline",
	title: "How many lines a second do several processes get into their files?",
	about:
		"1, 2, 4 and 8 processes log a message and two fields, as fast as they can, to one file, and each of them to eight files " +
		"in turn. The time runs until the last line is in its file. Of the peers, only pino appends in a way that several " +
		"processes may share a file: sync with one write for each line; async with one for 4 KiB or more.",
	ask: askPipeline,
};

const peers = ["pylog", "pino async", "pino sync"];
const full = { rounds: 3, lines: 200_000 };
const quick = { rounds: 1, lines: 20_000 };

async function askPipeline(pace: Pace): Promise<Tally> {
	const tally = new Tally();
	const { rounds, lines } = pace.isQuick ? quick : full;
	await using scratch = new Scratch();
	await scratch.startLogman();
	const subjects = [1, 8].flatMap((files) =>
		[1, 2, 4, 8].flatMap((processes) => peers.map((peer) => ({ files, processes, peer }))),
	);
	for (const [round, { files, processes, peer }] of interleaved(subjects, rounds)) {
		pace.tell(`pipeline: round ${round + 1} of ${rounds}, ${processes} processes, ${files} files, ${peer}`);
		const { linesPerSecond } = await flood({ peer, processes, files, lines }, scratch);
		tally.add(round, group(files), peer, measure(processes), "lines/s", linesPerSecond);
		scratch.removeFiles();
	}
	for (const { files, processes, peer } of subjects) {
		if (peer === "pylog") continue;
		tally.compare(`pipeline.${processes}p${files}f`, group(files), measure(processes), "pylog", peer);
	}
	return tally;
}

function group(files: number): string {
	return files === 1 ? "to one file" : `to ${files} files`;
}

function measure(processes: number): string {
	return processes === 1 ? "1 process" : `${processes} processes`;
}

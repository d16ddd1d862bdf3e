/** What processor time does a line take, all processes together? */
import type { Pace, Question } from "./report/question.ts";
import { Tally } from "./report/tally.ts";
import { flood } from "./run/flood.ts";
import { interleaved } from "./run/rounds.ts";
import { Scratch } from "./run/scratch.ts";

export const cpu: Question = {
	name: "cpu",
	title: "What processor time does a line take, all processes together?",
	about:
		"Four processes log a message and two fields to one file; counted is the processor time of all their threads, and for " +
		"Pylog that of the logman too.",
	ask: askProcessorTime,
};

/** What loggers of a process share (log4js, LogTape and roarr have one set-up for all) is no matter here: each has one file. */
const peers = [
	"pylog",
	"pino async",
	"pino sync",
	"pino transport",
	"winston",
	"bunyan",
	"log4js",
	"tslog",
	"LogTape",
	"roarr",
];
const full = { rounds: 5, lines: 100_000 };
const quick = { rounds: 1, lines: 20_000 };
const group = "4 processes to 1 file";

async function askProcessorTime(pace: Pace): Promise<Tally> {
	const tally = new Tally();
	const { rounds, lines } = pace.isQuick ? quick : full;
	await using scratch = new Scratch();
	await scratch.startLogman();
	for (const [round, peer] of interleaved(peers, rounds)) {
		pace.tell(`cpu: round ${round + 1} of ${rounds}, ${peer}`);
		const { processorNsPerLine } = await flood({ peer, processes: 4, files: 1, lines }, scratch);
		tally.add(round, group, peer, "processor time for a line", "ns", processorNsPerLine);
		scratch.removeFiles();
	}
	for (const peer of peers.slice(1)) tally.compare("cpu", group, "processor time for a line", "pylog", peer);
	return tally;
}

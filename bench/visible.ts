/** How soon is a line in the file, and what does it cost to wait for lines? */
import { setTimeout as sleep } from "node:timers/promises";
import type { VisibleFound, VisibleOptions } from "./programs/visible.ts";
import type { Pace, Question } from "./report/question.ts";
import { Tally } from "./report/tally.ts";
import { processorMs } from "./run/processor-time.ts";
import { startProgram } from "./run/program.ts";
import { interleaved } from "./run/rounds.ts";
import { Scratch } from "./run/scratch.ts";

export const visible: Question = {
	name: "visible",
	title: "How soon is a line in the file, and what does waiting cost?",
	about:
		"A process logs a line, looks at the file until it is there, and rests for 60 ms or more, so that the logman sleeps in " +
		"between. *idle* is the part of one core that the logman takes while the process does nothing. pino async is not here: it " +
		"shows nothing before it has 4 KiB.",
	ask: askVisible,
};

const peers = ["pylog", "pino sync", "pino transport", "winston", "bunyan", "log4js", "tslog", "LogTape", "roarr"];
const full = { rounds: 3, lines: 100, idleMs: 5000 };
const quick = { rounds: 1, lines: 20, idleMs: 1000 };
/** Peers come and go within a millisecond; fewer lines tell that as well. */
const peerShare = 0.2;
/** Until the logman has gone to sleep. */
const restMs = 1000;
const group = "one line now and then";

async function askVisible(pace: Pace): Promise<Tally> {
	const tally = new Tally();
	const { rounds, lines, idleMs } = pace.isQuick ? quick : full;
	await using scratch = new Scratch();
	await scratch.startLogman();
	for (const [round, peer] of interleaved(peers, rounds)) {
		pace.tell(`visible: round ${round + 1} of ${rounds}, ${peer}`);
		const { cacheDir } = scratch;
		const share = peer === "pylog" ? 1 : peerShare;
		const options: VisibleOptions = { peer, path: scratch.newFile(), cacheDir, lines: Math.ceil(lines * share) };
		await using program = startProgram("visible", options);
		const found = await program.hear<VisibleFound>();
		tally.add(round, group, peer, "p50", "ms", found.p50Ms);
		tally.add(round, group, peer, "p99", "ms", found.p99Ms);
		tally.add(round, group, peer, "max", "ms", found.maxMs);
		if (peer === "pylog") tally.add(round, group, peer, "idle", "%", await idle(scratch.logmanPid, idleMs));
		program.tell("leave");
		await program.ended();
	}
	for (const peer of peers.slice(1)) tally.compare("visible.p50", group, "p50", "pylog", peer);
	return tally;
}

/** Percent of one core that a process takes. */
async function idle(pid: number, ms: number): Promise<number> {
	await sleep(restMs);
	const beforeMs = processorMs(pid);
	const sinceMs = performance.now();
	await sleep(ms);
	return ((processorMs(pid) - beforeMs) * 100) / (performance.now() - sinceMs);
}

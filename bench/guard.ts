/**
 * Is Pylog still as fast as it was? Measures a few ratios that do not depend on the machine, and compares them with the floors
 * of floors.json: what was measured when they were set, with a margin for noise.
 */
import { readFileSync } from "node:fs";
import { measureCalls } from "./call.ts";
import { measureDrain } from "./drain.ts";
import { measureProducers } from "./producers.ts";
import type { Pace, Question } from "./report/question.ts";
import { type Ratios, Tally } from "./report/tally.ts";
import { flood } from "./run/flood.ts";
import { interleaved } from "./run/rounds.ts";
import { Scratch } from "./run/scratch.ts";
import { measureStart } from "./start.ts";

export const guard: Question = {
	name: "guard",
	title: "Is Pylog still as fast as it was?",
	about: "A few ratios in little time, which must not fall below the floors of bench/floors.json.",
	ask: askGuard,
};

const fullRounds = 5;
const callWork = { warmUpCalls: 10_000, calls: 10_000 };
const floodLines = 60_000;
const backlogBytes = 64 * 1024 ** 2;
const producedLines = 60_000;
const processesGroup = "4 processes to 1 file";

/** What each ratio must be at least. */
export function floors(): Ratios {
	return JSON.parse(readFileSync(new URL("./floors.json", import.meta.url), "utf8"));
}

/** A sentence for each ratio that is below its floor, or was not measured. */
export function losses(ratios: Ratios): string[] {
	return Object.entries(floors()).flatMap(([name, floor]) => {
		const ratio = ratios[name];
		if (ratio === undefined) return [`${name} was not measured.`];
		if (ratio >= floor) return [];
		return [`${name}: ${ratio.toFixed(2)} times better, and must be ${floor.toFixed(2)} at least.`];
	});
}

/** A loss is measured once more: noise seldom strikes twice. */
async function askGuard(pace: Pace): Promise<Tally> {
	const tally = await measure(pace);
	return losses(tally.ratios).length === 0 ? tally : measure(pace);
}

async function measure(pace: Pace): Promise<Tally> {
	const tally = new Tally();
	const rounds = pace.isQuick ? 1 : fullRounds;
	const peers = ["pylog", "pino async", "pino sync"];
	await measureCalls({ kinds: ["message", "fields"], peers, rounds, ...callWork }, pace, tally);
	await measureCalls({ kinds: ["site"], peers: ["pylog", "tslog"], rounds, ...callWork }, pace, tally);
	await measureProcesses(rounds, pace, tally);
	await measureDrain({ rounds, fileBytes: backlogBytes }, pace, tally);
	await measureStart({ rounds, only: ["pylog", "pino async"] }, pace, tally);
	await measureProducers({ rounds, lines: producedLines, counts: [4, 500] }, pace, tally);
	return tally;
}

async function measureProcesses(rounds: number, pace: Pace, tally: Tally): Promise<void> {
	await using scratch = new Scratch();
	await scratch.startLogman();
	for (const [round, peer] of interleaved(["pylog", "pino sync"], rounds)) {
		pace.tell(`guard: round ${round + 1} of ${rounds}, 4 processes, ${peer}`);
		const work = { peer, processes: 4, files: 1, lines: floodLines };
		const { linesPerSecond, processorNsPerLine } = await flood(work, scratch);
		tally.add(round, processesGroup, peer, "until in the file", "lines/s", linesPerSecond);
		tally.add(round, processesGroup, peer, "processor time for a line", "ns", processorNsPerLine);
		scratch.removeFiles();
	}
	tally.compare("pipeline.4p1f", processesGroup, "until in the file", "pylog", "pino sync");
	tally.compare("cpu", processesGroup, "processor time for a line", "pylog", "pino sync");
}

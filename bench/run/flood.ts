/** Several processes that log at the same time, to one file or to several, until all lines are there. */
import type { FloodFound, FloodOptions } from "../programs/flood.ts";
import { LineCount, untilCounted } from "./line-count.ts";
import { processorMs } from "./processor-time.ts";
import { type Program, startProgram } from "./program.ts";
import type { Scratch } from "./scratch.ts";

export interface Flood {
	readonly peer: string;
	readonly processes: number;
	readonly files: number;
	/** Of all processes together. */
	readonly lines: number;
}

export interface Flooded {
	/** From the word to begin until the last line was in its file. */
	readonly linesPerSecond: number;
	/** Of the logging processes, and for Pylog of the logman. */
	readonly processorNsPerLine: number;
}

const warmUpCalls = 5000;

export async function flood({ peer, processes, files, lines }: Flood, scratch: Scratch): Promise<Flooded> {
	const paths = Array.from({ length: files }, () => scratch.newFile());
	const calls = Math.ceil(lines / processes / 100) * 100;
	const options: FloodOptions = { peer, paths, cacheDir: scratch.cacheDir, warmUpCalls, calls };
	const programs = Array.from({ length: processes }, () => startProgram("flood", options));
	const counts = paths.map((path) => new LineCount(path));
	try {
		return await measure(programs, counts, calls, peer, scratch);
	} finally {
		for (const count of counts) count[Symbol.dispose]();
		await Promise.all(programs.map((program) => program[Symbol.asyncDispose]()));
	}
}

async function measure(
	programs: readonly Program[],
	counts: readonly LineCount[],
	calls: number,
	peer: string,
	scratch: Scratch,
): Promise<Flooded> {
	const { length: processes } = programs;
	for (const program of programs) await program.hear();

	const logmanBeforeMs = peer === "pylog" ? processorMs(scratch.logmanPid) : 0;
	const sinceMs = performance.now();
	for (const program of programs) program.tell("go");
	const untilMs = await untilCounted(counts, (calls + warmUpCalls) * processes, `${processes} × ${peer}`);
	const logmanMs = peer === "pylog" ? processorMs(scratch.logmanPid) - logmanBeforeMs : 0;
	let spentMs = logmanMs;
	for (const program of programs) program.tell("counted");
	for (const program of programs) spentMs += (await program.hear<FloodFound>()).processorMs;
	for (const program of programs) await program.ended();
	return {
		linesPerSecond: (calls * processes * 1000) / (untilMs - sinceMs),
		processorNsPerLine: (spentMs * 1e6) / (calls * processes),
	};
}

/** How fast does the logman write a backlog, beside a plain copy of the same bytes? */
import { closeSync, openSync, readSync, rmSync, statSync, writeSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { FillOptions } from "./programs/fill.ts";
import type { Pace, Question } from "./report/question.ts";
import { Tally } from "./report/tally.ts";
import { LineCount, untilCounted } from "./run/line-count.ts";
import { peakMemoryMiB, processorMs } from "./run/processor-time.ts";
import { runProgram } from "./run/program.ts";
import { Scratch } from "./run/scratch.ts";

export const drain: Question = {
	name: "drain",
	title: "How fast does the logman write a backlog?",
	about:
		"A process logs while no logman runs, until the lines that wait will make a file of 1 GiB; then a logman is started. " +
		"Beside it, right after and in the same folder, the file it wrote is copied by reads and writes of 64 KiB. *lines* and " +
		"*bytes* are those of the file, from its first to its last growth; *memory* is the most that the logman had resident.",
	ask: askDrain,
};

const full = { rounds: 3, fileBytes: 1024 ** 3 };
const quick = { rounds: 1, fileBytes: 64 * 1024 ** 2 };
const copyBytes = 64 * 1024;
/** Bytes of one line, about. */
const lineBytes = 176;
const bytesPerMiB = 1024 ** 2;
const group = "a backlog";

function askDrain(pace: Pace): Promise<Tally> {
	return measureDrain(pace.isQuick ? quick : full, pace);
}

/** Also for the guard, with a work of its own. */
export async function measureDrain(
	{ rounds, fileBytes }: { readonly rounds: number; readonly fileBytes: number },
	pace: Pace,
	tally: Tally = new Tally(),
): Promise<Tally> {
	for (let round = 0; round < rounds; round++) {
		pace.tell(`drain: round ${round + 1} of ${rounds}`);
		await using scratch = new Scratch();
		const path = scratch.newFile();
		const lines = Math.round(fileBytes / lineBytes);
		const options: FillOptions = { path, cacheDir: scratch.cacheDir, lines };
		await runProgram("fill", options);
		const drained = await drainBacklog(scratch, path, lines);
		const copied = copy(path, scratch.newFile());
		tally.add(round, group, "pylog", "lines", "lines/s", drained.linesPerSecond);
		tally.add(round, group, "pylog", "bytes", "MiB/s", drained.mibPerSecond);
		tally.add(round, group, "copy of 64 KiB", "bytes", "MiB/s", copied);
		tally.add(round, group, "pylog", "processor time for a line", "ns", drained.processorNsPerLine);
		tally.add(round, group, "pylog", "memory", "MiB", drained.memoryMiB);
	}
	tally.compare("drain", group, "bytes", "pylog", "copy of 64 KiB");
	return tally;
}

interface Drained {
	readonly linesPerSecond: number;
	readonly mibPerSecond: number;
	readonly processorNsPerLine: number;
	readonly memoryMiB: number;
}

async function drainBacklog(scratch: Scratch, path: string, lines: number): Promise<Drained> {
	using count = new LineCount(path);
	await scratch.startLogman();
	while (count.sizeBytes() === 0) await sleep(1);
	const firstBytes = count.sizeBytes();
	const sinceMs = performance.now();
	const untilMs = await untilCounted([count], lines, "the logman");
	const allBytes = count.sizeBytes();
	const seconds = (untilMs - sinceMs) / 1000;
	const part = (allBytes - firstBytes) / allBytes;
	const found: Drained = {
		linesPerSecond: (lines * part) / seconds,
		mibPerSecond: (allBytes * part) / bytesPerMiB / seconds,
		processorNsPerLine: (processorMs(scratch.logmanPid) * 1e6) / lines,
		memoryMiB: peakMemoryMiB(scratch.logmanPid),
	};
	await scratch.stopLogman();
	return found;
}

/** Returns MiB/s. */
function copy(from: string, to: string): number {
	const chunk = Buffer.allocUnsafe(copyBytes);
	const [source, target] = [openSync(from, "r"), openSync(to, "wx")];
	try {
		const sinceMs = performance.now();
		for (let bytes = readSync(source, chunk); bytes > 0; bytes = readSync(source, chunk))
			writeSync(target, chunk, 0, bytes);
		return statSync(to).size / bytesPerMiB / ((performance.now() - sinceMs) / 1000);
	} finally {
		closeSync(source);
		closeSync(target);
		rmSync(to);
	}
}

/** How much memory does a logger take, and how much room on the disk? */
import { peerNames } from "./peers/open-peer.ts";
import type { MemoryOptions } from "./programs/memory.ts";
import type { Pace, Question } from "./report/question.ts";
import { Tally } from "./report/tally.ts";
import { installedSize, installedSizeOfPylog } from "./run/installed-size.ts";
import { LineCount, untilCounted } from "./run/line-count.ts";
import { startProgram } from "./run/program.ts";
import { type ResidentMemory, residentMemory } from "./run/resident-memory.ts";
import { interleaved } from "./run/rounds.ts";
import { Scratch } from "./run/scratch.ts";

export const memory: Question = {
	name: "memory",
	title: "How much memory does a logger take, and how much room on the disk?",
	about:
		"A process logs a line, rests, logs more, ten each millisecond, and rests again. The first table has what it takes at " +
		"both rests beyond what a process takes that does the same without a logger. *RSS* is all memory that is there for it; " +
		"*private dirty* are the pages that it has written to and that no other process has mapped, Pylog's queue among them. The logman, one " +
		"process for all that log, is shown as a whole. *size* is that of all files of the package and of what it depends on.",
	ask: askMemory,
};

const full = { rounds: 3, lines: 100_000 };
const quick = { rounds: 1, lines: 5000 };
const bare = "no logger";
const logman = "the logman";
const added = "what a logger adds to a process";
const installed = "what is installed";
const packages: Readonly<Record<string, readonly string[]>> = {
	pino: ["pino"],
	winston: ["winston"],
	bunyan: ["bunyan"],
	log4js: ["log4js"],
	tslog: ["tslog"],
	LogTape: ["@logtape/logtape", "@logtape/file"],
	roarr: ["roarr"],
};

interface Rests {
	readonly afterOne: ResidentMemory;
	readonly afterAll: ResidentMemory;
}

async function askMemory(pace: Pace): Promise<Tally> {
	const tally = new Tally();
	const { rounds, lines } = pace.isQuick ? quick : full;
	await using scratch = new Scratch();
	await scratch.startLogman();
	const found = new Map<string, Rests>();
	const all = `${lines.toLocaleString("en")} lines`;
	for (const [round, subject] of interleaved([bare, ...peerNames], rounds)) {
		pace.tell(`memory: round ${round + 1} of ${rounds}, ${subject}`);
		found.set(`${round} ${subject}`, await look(subject, lines, scratch));
	}
	for (let round = 0; round < rounds; round++) {
		const base = found.get(`${round} ${bare}`) as Rests;
		for (const peer of peerNames) {
			const { afterOne, afterAll } = found.get(`${round} ${peer}`) as Rests;
			addTo(tally, round, peer, "1 line", afterOne, base.afterOne);
			addTo(tally, round, peer, all, afterAll, base.afterAll);
		}
	}
	addTo(tally, 0, logman, all, residentMemory(scratch.logmanPid));
	for (const peer of peerNames.slice(1)) {
		for (const measure of ["RSS", "private dirty"]) {
			const name = measure.toLowerCase().replace(" ", "-");
			tally.compare(`memory.first-line.${name}`, added, `${measure}, 1 line`, "pylog", peer);
			tally.compare(`memory.lines.${name}`, added, `${measure}, ${all}`, "pylog", peer);
		}
	}
	measureInstalled(tally);
	return tally;
}

function addTo(
	tally: Tally,
	round: number,
	subject: string,
	when: string,
	{ rssMiB, privateDirtyMiB }: ResidentMemory,
	base: ResidentMemory = { rssMiB: 0, privateDirtyMiB: 0 },
): void {
	tally.add(round, added, subject, `RSS, ${when}`, "MiB", rssMiB - base.rssMiB);
	tally.add(round, added, subject, `private dirty, ${when}`, "MiB", privateDirtyMiB - base.privateDirtyMiB);
}

async function look(subject: string, lines: number, scratch: Scratch): Promise<Rests> {
	const { cacheDir } = scratch;
	const path = scratch.newFile();
	const options: MemoryOptions = { ...(subject === bare ? {} : { peer: subject }), path, cacheDir, lines };
	await using program = startProgram("memory", options);
	await program.hear();
	const afterOne = residentMemory(program.pid);
	program.tell("go on");
	await program.hear();
	const afterAll = residentMemory(program.pid);
	program.tell("finish");
	await program.hear();
	if (subject !== bare) {
		using count = new LineCount(path);
		await untilCounted([count], lines, subject);
	}
	program.tell("leave");
	await program.ended();
	scratch.removeFiles();
	return { afterOne, afterAll };
}

function measureInstalled(tally: Tally): void {
	const sizes = new Map([["pylog", installedSizeOfPylog()]]);
	for (const [name, names] of Object.entries(packages)) sizes.set(name, installedSize(names));
	for (const [name, { packages: count, bytes }] of sizes) {
		tally.add(0, installed, name, "size", "bytes", bytes);
		tally.add(0, installed, name, "packages", "packages", count);
	}
	for (const name of Object.keys(packages)) {
		tally.compare("memory.size", installed, "size", "pylog", name);
		tally.compare("memory.packages", installed, "packages", "pylog", name);
	}
}

/** What does a short command pay for its logger? */
import { stopLogman } from "pylog";
import type { StartFound, StartOptions } from "./programs/start.ts";
import type { Pace, Question } from "./report/question.ts";
import { Tally } from "./report/tally.ts";
import { LineCount, untilCounted } from "./run/line-count.ts";
import { startProgram } from "./run/program.ts";
import { interleaved } from "./run/rounds.ts";
import { Scratch } from "./run/scratch.ts";

export const start: Question = {
	name: "start",
	title: "What does a short command pay for its logger?",
	about:
		"A command imports a logger, logs ten lines and ends by itself; then the lines are counted. *import* is the import of the " +
		"package, *first line* that and the making of the logger and the first call, *command* the time from the start of the " +
		"process to its end. For Pylog a logman runs already; in the last row the " +
		"command starts it, and waits for it a moment at its end.",
	ask: askStart,
};

interface Subject {
	readonly name: string;
	readonly peer?: string;
	readonly package?: string;
	readonly startsLogman?: boolean;
}

const bare: Subject = { name: "no logger" };
const subjects: readonly Subject[] = [
	{ name: "pylog", peer: "pylog", package: "pylog" },
	{ name: "pino async", peer: "pino async", package: "pino" },
	{ name: "pino sync", peer: "pino sync", package: "pino" },
	{ name: "pino transport", peer: "pino transport", package: "pino" },
	{ name: "winston", peer: "winston", package: "winston" },
	{ name: "bunyan", peer: "bunyan", package: "bunyan" },
	{ name: "log4js", peer: "log4js", package: "log4js" },
	{ name: "tslog", peer: "tslog", package: "tslog" },
	{ name: "LogTape", peer: "LogTape", package: "@logtape/logtape" },
	{ name: "roarr", peer: "roarr", package: "roarr" },
	{ name: "pylog, with its logman", peer: "pylog", package: "pylog", startsLogman: true },
];
const lines = 10;
const full = { rounds: 15 };
const quick = { rounds: 3 };
const group = "a command of ten lines";

function askStart(pace: Pace): Promise<Tally> {
	return measureStart(pace.isQuick ? quick : full, pace);
}

/** Also for the guard, with a work of its own. */
export async function measureStart(
	{ rounds, only }: { readonly rounds: number; readonly only?: readonly string[] },
	pace: Pace,
	tally: Tally = new Tally(),
): Promise<Tally> {
	await using scratch = new Scratch();
	await scratch.startLogman();
	const asked = subjects.filter(({ name }) => only === undefined || only.includes(name));
	for (const [round, subject] of interleaved([bare, ...asked], rounds)) {
		pace.tell(`start: round ${round + 1} of ${rounds}, ${subject.name}`);
		const { importMs, firstLineMs, commandMs } = await command(subject, scratch);
		tally.add(round, group, subject.name, "command", "ms", commandMs);
		if (importMs !== undefined) tally.add(round, group, subject.name, "import", "ms", importMs);
		if (firstLineMs !== undefined) tally.add(round, group, subject.name, "first line", "ms", firstLineMs);
	}
	for (const { name } of asked.filter(({ peer }) => peer !== "pylog")) {
		for (const measure of ["import", "first line", "command"]) {
			tally.compare(`start.${measure.replace(" ", "-")}`, group, measure, "pylog", name);
		}
	}
	for (const other of ["pino async", "pino sync"]) {
		tally.compareMeasures("start.first-line-to-import", group, ["pylog", "first line"], [other, "import"]);
	}
	return tally;
}

async function command(
	subject: Subject,
	scratch: Scratch,
): Promise<Partial<StartFound> & { readonly commandMs: number }> {
	const { startsLogman = false } = subject;
	await using own = startsLogman ? new Scratch() : undefined;
	const { name, ...of } = subject;
	const place = own ?? scratch;
	const path = place.newFile();
	const options: StartOptions = { ...of, path, cacheDir: place.cacheDir, startsLogman, lines };
	const sinceMs = performance.now();
	await using program = startProgram("start", options);
	const found = await program.hear<Partial<StartFound>>();
	await program.ended();
	const commandMs = performance.now() - sinceMs;
	if (subject !== bare) {
		using count = new LineCount(path);
		await untilCounted([count], lines, name);
	}
	if (startsLogman) await stopLogman(place.cacheDir);
	return { ...found, commandMs };
}

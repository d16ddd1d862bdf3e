/** What do Pylog's options cost? */
import type { SyncMode } from "pylog";
import type { CallFound, CallOptions } from "./programs/call.ts";
import type { Pace, Question } from "./report/question.ts";
import { Tally } from "./report/tally.ts";
import { runProgram } from "./run/program.ts";
import { interleaved } from "./run/rounds.ts";
import { Scratch } from "./run/scratch.ts";

export const configurations: Question = {
	name: "configurations",
	title: "What do Pylog's options cost?",
	about:
		"A message and two fields, as in the first tables; each row differs from the first in what it says. *sync* is an option " +
		"of the logman, the others are the logger's.",
	ask: askConfigurations,
};

interface Configuration {
	readonly name: string;
	/** Name in `openPeer`. */
	readonly peer: string;
	readonly sync: SyncMode;
}

const json = "JSON, no call site";
const all: readonly Configuration[] = [
	{ name: json, peer: "pylog", sync: "interval" },
	{ name: "JSON with call site (default of JSON)", peer: "pylog with call site", sync: "interval" },
	{ name: "text, no call site", peer: "pylog as text", sync: "interval" },
	{ name: "text with call site (default)", peer: "pylog as text with call site", sync: "interval" },
	{ name: "all in the priority lane", peer: "pylog with priority", sync: "interval" },
	{ name: "onFull: block", peer: "pylog that blocks", sync: "interval" },
	{ name: "sync: batch", peer: "pylog", sync: "batch" },
	{ name: "sync: never", peer: "pylog", sync: "never" },
];
const full = { rounds: 5, warmUpCalls: 10_000, calls: 30_000 };
const quick = { rounds: 1, warmUpCalls: 5000, calls: 5000 };
const group = "options";

async function askConfigurations(pace: Pace): Promise<Tally> {
	const tally = new Tally();
	const { rounds, ...work } = pace.isQuick ? quick : full;
	for (const [round, { name, peer, sync }] of interleaved(all, rounds)) {
		pace.tell(`configurations: round ${round + 1} of ${rounds}, ${name}`);
		await using scratch = new Scratch();
		await scratch.startLogman({ sync });
		const { cacheDir } = scratch;
		const options: CallOptions = { peer, case: "fields", path: scratch.newFile(), cacheDir, ...work };
		const { callNs, threadNs, lineNs } = await runProgram<CallFound>("call", options);
		if (callNs !== undefined) tally.add(round, group, name, "call", "ns", callNs);
		if (threadNs !== undefined) tally.add(round, group, name, "thread", "ns", threadNs);
		if (lineNs !== undefined) tally.add(round, group, name, "in the file", "ns", lineNs);
	}
	for (const { name } of all.slice(1)) tally.compare("configurations.call", group, "call", name, json);
	return tally;
}

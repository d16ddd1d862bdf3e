/** What does a call cost, and how long does it take until its line is in the file? */
import { peerNames } from "./peers/open-peer.ts";
import { type Case, caseTitles, cases } from "./peers/peer.ts";
import type { CallFound, CallOptions } from "./programs/call.ts";
import type { Pace, Question } from "./report/question.ts";
import { Tally } from "./report/tally.ts";
import { runProgram } from "./run/program.ts";
import { interleaved } from "./run/rounds.ts";
import { Scratch } from "./run/scratch.ts";

export const call: Question = {
	name: "call",
	title: "What does a call cost, and when is its line in the file?",
	about:
		"One process logs in bursts of 100 calls, one burst in each turn of its event loop. *call* is the time spent in the " +
		"calls. *thread* is the time that the thread was busy, in calls and between them: some loggers put off the work (winston " +
		"does not even make the line in the call). *in the file* is the time from the first call until the last line was in the " +
		"file. All for one line; each logger in a process of its own, after a warm-up.",
	groups: caseTitles,
	ask: askCalls,
};

const full = { rounds: 5, warmUpCalls: 10_000, calls: 30_000 };
const quick = { rounds: 1, warmUpCalls: 5000, calls: 5000 };

export interface CallWork {
	readonly kinds: readonly Case[];
	readonly peers: readonly string[];
	readonly rounds: number;
	readonly warmUpCalls: number;
	readonly calls: number;
}

function askCalls(pace: Pace): Promise<Tally> {
	return measureCalls({ kinds: cases, peers: peerNames, ...(pace.isQuick ? quick : full) }, pace);
}

/** Also for the guard, with a work of its own. The first of the peers is compared with all others. */
export async function measureCalls(work: CallWork, pace: Pace, tally: Tally = new Tally()): Promise<Tally> {
	const { kinds, peers, rounds, warmUpCalls, calls } = work;
	const [first = "pylog", ...others] = peers;
	await using scratch = new Scratch();
	await scratch.startLogman();
	const subjects = kinds.flatMap((kind) => peers.map((peer) => ({ kind, peer })));
	for (const [round, { kind, peer }] of interleaved(subjects, rounds)) {
		pace.tell(`call: round ${round + 1} of ${rounds}, ${kind}, ${peer}`);
		const { cacheDir } = scratch;
		const options: CallOptions = { peer, case: kind, path: scratch.newFile(), cacheDir, warmUpCalls, calls };
		const { callNs, threadNs, lineNs } = await runProgram<CallFound>("call", options);
		scratch.removeFiles();
		if (callNs !== undefined) tally.add(round, kind, peer, "call", "ns", callNs);
		if (threadNs !== undefined) tally.add(round, kind, peer, "thread", "ns", threadNs);
		if (lineNs !== undefined) tally.add(round, kind, peer, "in the file", "ns", lineNs);
	}
	for (const kind of kinds) {
		for (const peer of others) {
			tally.compare(`call.${kind}`, kind, "call", first, peer);
			tally.compare(`thread.${kind}`, kind, "thread", first, peer);
			tally.compare(`line.${kind}`, kind, "in the file", first, peer);
		}
	}
	return tally;
}

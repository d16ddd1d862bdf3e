/**
 * Logs in bursts, one in each turn of the event loop, as a server does, and says what a call cost and when the last line was
 * in the file. Asynchronous loggers write between the bursts, in a turn that is not counted as cost of the call but is in the
 * time until the lines are in the file.
 */
import { setImmediate as nextTurn, setTimeout as sleep } from "node:timers/promises";
import { openPeer } from "../peers/open-peer.ts";
import type { Call, Case, PeerOptions } from "../peers/peer.ts";
import { LineCount, untilCounted } from "../run/line-count.ts";
import { say, stay, told } from "../run/told.ts";

export interface CallOptions extends Omit<PeerOptions, "site"> {
	readonly peer: string;
	readonly case: Case;
	readonly warmUpCalls: number;
	readonly calls: number;
}

export interface CallFound {
	/** Missing where the logger has no such call. */
	readonly callNs?: number;
	/** Time that the thread was busy, in calls and between them. */
	readonly threadNs?: number;
	readonly lineNs?: number;
}

const callsPerTurn = 100;
/** What the warm-up has left is written meanwhile. */
const restMs = 50;

stay();
const { peer: name, case: kind, path, cacheDir, warmUpCalls, calls } = told<CallOptions>();
const peer = await openPeer(name, { path, cacheDir, site: kind === "site" });
const call = peer.calls[kind];
say(call === undefined ? {} : await measure(call));
process.exit();

async function measure(log: Call): Promise<CallFound> {
	await burst(log, warmUpCalls);
	await sleep(restMs);
	const before = performance.eventLoopUtilization();
	const sinceMs = performance.now();
	const spentMs = await burst(log, calls);
	const callNs = (spentMs * 1e6) / calls;
	if (kind === "disabled") return { callNs };
	const finished = peer.finish();
	using count = new LineCount(path);
	const lines = warmUpCalls + calls;
	const untilMs = await untilCounted([count], lines, name);
	const busyMs = performance.eventLoopUtilization(before).active - count.spentMs;
	await finished;
	// What came twice would come now.
	if (count.lines() !== lines) throw new Error(`${name} wrote ${count.lines()} lines instead of ${lines}`);
	return { callNs, threadNs: (busyMs * 1e6) / calls, lineNs: ((untilMs - sinceMs) * 1e6) / calls };
}

/** Returns the milliseconds spent in calls. */
async function burst(log: Call, count: number): Promise<number> {
	let spentMs = 0;
	for (let done = 0; done < count; done += callsPerTurn) {
		const sinceMs = performance.now();
		for (let index = done; index < done + callsPerTurn; index++) log(index);
		spentMs += performance.now() - sinceMs;
		await nextTurn();
	}
	return spentMs;
}

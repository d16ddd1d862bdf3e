/**
 * One of several processes that log at the same time: opens its loggers, warms them up, says so, and logs its lines when told
 * to, in bursts of one turn of the event loop. Says what processor time that took once the lines are counted.
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import { openPeer } from "../peers/open-peer.ts";
import { say, stay, told, word } from "../run/told.ts";

export interface FloodOptions {
	readonly peer: string;
	readonly paths: readonly string[];
	readonly cacheDir: string;
	readonly warmUpCalls: number;
	readonly calls: number;
}

export interface FloodFound {
	readonly processorMs: number;
}

const callsPerTurn = 100;

stay();
const { peer, paths, cacheDir, warmUpCalls, calls } = told<FloodOptions>();
const peers = await Promise.all(paths.map((path) => openPeer(peer, { path, cacheDir, site: false })));
const logs = peers.map(({ calls: { fields } }) => fields as (index: number) => void);

await burst(warmUpCalls);
say({});
await word();
const before = process.cpuUsage();
await burst(calls);
const finished = peers.map((each) => each.finish());
// All lines are in the files: whatever is done for them is done, also by loggers that do it later and don't tell.
await word();
await Promise.all(finished);
const { user, system } = process.cpuUsage(before);
const found: FloodFound = { processorMs: (user + system) / 1000 };
say(found);
process.exit();

async function burst(count: number): Promise<void> {
	for (let done = 0; done < count; done += callsPerTurn) {
		for (let index = done; index < done + callsPerTurn; index++) {
			(logs[index % logs.length] as (index: number) => void)(index);
		}
		await nextTurn();
	}
}

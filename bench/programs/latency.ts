/**
 * A server under a steady load that logs: lines at a fixed rate by a timer, and lines of each request. Times every single
 * call, and says the quantiles of all when told to end.
 */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { openPeer } from "../peers/open-peer.ts";
import { quantile } from "../report/tally.ts";
import { LineCount, untilCounted } from "../run/line-count.ts";
import { say, stay, told, word } from "../run/told.ts";

export interface LatencyOptions {
	readonly peer: string;
	readonly path: string;
	readonly cacheDir: string;
}

export interface LatencyFound {
	readonly calls: number;
	readonly p50Ns: number;
	readonly p99Ns: number;
	readonly p999Ns: number;
	readonly maxNs: number;
}

const callsPerTick = 10;
const tickMs = 1;
const callsPerRequest = 2;
const warmUpMs = 500;
const mostCalls = 1_000_000;

stay();
const { peer: name, path, cacheDir } = told<LatencyOptions>();
const peer = await openPeer(name, { path, cacheDir, site: false });
const log = peer.calls.fields as (index: number) => void;
const tookNs = new Float64Array(mostCalls);
let calls = 0;
let warmUpCalls = 0;

const server = createServer((_request, response) => {
	for (let index = 0; index < callsPerRequest; index++) timedCall();
	response.end("served");
}).listen(0, "127.0.0.1");
await once(server, "listening");
say({ port: (server.address() as AddressInfo).port });

const ticking = setInterval(() => {
	for (let index = 0; index < callsPerTick; index++) timedCall();
}, tickMs);
await sleep(warmUpMs);
warmUpCalls = calls;
await word();
clearInterval(ticking);
server.closeAllConnections();
server.close();

const lines = calls;
const sorted = tookNs.slice(warmUpCalls, lines).sort();
const finished = peer.finish();
using count = new LineCount(path);
await untilCounted([count], lines, name);
await finished;
const found: LatencyFound = {
	calls: sorted.length,
	p50Ns: quantile(sorted, 0.5),
	p99Ns: quantile(sorted, 0.99),
	p999Ns: quantile(sorted, 0.999),
	maxNs: quantile(sorted, 1),
};
say(found);
process.exit();

function timedCall(): void {
	const sinceMs = performance.now();
	log(calls);
	tookNs[calls++] = (performance.now() - sinceMs) * 1e6;
}

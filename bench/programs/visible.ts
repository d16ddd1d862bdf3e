/**
 * Logs a line now and then, and looks at the file until it is there. The event loop has its turns between two looks, since
 * some loggers write in them.
 */
import { setImmediate as nextTurn, setTimeout as sleep } from "node:timers/promises";
import { openPeer } from "../peers/open-peer.ts";
import { quantile } from "../report/tally.ts";
import { LineCount } from "../run/line-count.ts";
import { say, stay, told, word } from "../run/told.ts";

export interface VisibleOptions {
	readonly peer: string;
	readonly path: string;
	readonly cacheDir: string;
	readonly lines: number;
}

export interface VisibleFound {
	readonly p50Ms: number;
	readonly p99Ms: number;
	readonly maxMs: number;
}

const warmUpLines = 5;
/** So long at least nothing is logged: the logman is asleep then. Not the same each time, lest it falls in step with a timer. */
const pauseMs = 60;
const pauseStepsMs = 17;
const patienceMs = 10_000;

stay();
const { peer: name, path, cacheDir, lines } = told<VisibleOptions>();
const peer = await openPeer(name, { path, cacheDir, site: false });
const log = peer.calls.fields as (index: number) => void;
using count = new LineCount(path);
const tookMs: number[] = [];
for (let index = 0; index < warmUpLines + lines; index++) {
	await sleep(pauseMs + (index % pauseStepsMs));
	const sizeBytes = count.sizeBytes();
	const sinceMs = performance.now();
	log(index);
	while (count.sizeBytes() === sizeBytes) {
		if (performance.now() - sinceMs > patienceMs) throw new Error(`a line of ${name} did not come`);
		await nextTurn();
	}
	tookMs.push(performance.now() - sinceMs);
}
const found = count.lines();
if (found !== warmUpLines + lines) throw new Error(`${name} wrote ${found} lines instead of ${warmUpLines + lines}`);
const sorted = tookMs.slice(warmUpLines).sort((one, other) => one - other);
const said: VisibleFound = {
	p50Ms: quantile(sorted, 0.5),
	p99Ms: quantile(sorted, 0.99),
	maxMs: quantile(sorted, 1),
};
say(said);
// It stays, with its logger open, as long as the benchmark looks what the idle logman costs.
await word();
process.exit();

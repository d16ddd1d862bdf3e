/**
 * A process that logs at a steady pace and rests now and then, so that the benchmark can look at its memory from outside. It
 * makes messages and fields also where it has no logger to give them to.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { openPeer } from "../peers/open-peer.ts";
import { say, stay, told, word } from "../run/told.ts";
import { message, twoFields } from "../run/work.ts";

export interface MemoryOptions {
	/** Missing for a process that does not log. */
	readonly peer?: string;
	readonly path: string;
	readonly cacheDir: string;
	readonly lines: number;
}

const linesPerMs = 10;
/** What is written later, is by then. */
const restMs = 500;

stay();
const { peer: name, path, cacheDir, lines } = told<MemoryOptions>();
const peer = name === undefined ? undefined : await openPeer(name, { path, cacheDir, site: false });
let kept: unknown;
const log =
	peer?.calls.fields ??
	((index: number) => {
		kept = [message(index), twoFields(index)];
	});
log(0);
await sleep(restMs);
say({ kept });
await word();
await pacedUntil(lines);
await sleep(restMs);
say({ kept });
await word();
await peer?.finish();
say({});
await word();
process.exit();

async function pacedUntil(last: number): Promise<void> {
	const sinceMs = performance.now();
	for (let index = 1; index < last; ) {
		const due = Math.min(last, Math.ceil((performance.now() - sinceMs) * linesPerMs) + 1);
		for (; index < due; index++) log(index);
		await sleep(1);
	}
}

/**
 * The mappings of worker threads, and their end. A thread that is terminated runs no code of ours any more, and the kernel
 * takes mappings back only from a process that ends. So worker threads note their mappings in memory that all threads
 * share, and the thread that has started a worker takes away what is left of it once it has ended.
 *
 *     entry (three words of 64 bits): thread, 0 when it is free | address, 0 while there is none | size in bytes
 *
 * Invariants: only the thread itself changes its entries while it lives, only the one that started it does afterwards; an
 * address is cleared before the mapping goes, so that nothing is taken away twice. A thread that is terminated between
 * the two, or that was started by a thread without Pylog, leaves its mappings until the process ends.
 */

import { types } from "node:util";
import { getEnvironmentData, isMainThread, setEnvironmentData, threadId, type Worker } from "node:worker_threads";
import { type Address, munmap } from "./libc.ts";

const environmentKey = "pylog.mappings";
/** A worker that logs has one region, a busy one a few. What finds no entry is not noted. */
const entryCount = 4096;
const entryWords = 3;

const entries = sharedEntries();
process.on("worker", watch);

/** Notes a mapping of this thread. Returns its entry, to give to {@link forgetMapping}; `undefined` where none is needed or free. */
export function noteMapping(address: Address, sizeBytes: number): number | undefined {
	// What the main thread leaves ends with the process.
	if (isMainThread) return undefined;
	for (let entry = 0; entry < entries.length; entry += entryWords) {
		if (Atomics.load(entries, entry) !== 0n) continue;
		if (Atomics.compareExchange(entries, entry, 0n, BigInt(threadId)) !== 0n) continue;
		Atomics.store(entries, entry + 2, BigInt(sizeBytes));
		Atomics.store(entries, entry + 1, address);
		return entry;
	}
	return undefined;
}

/** To be called right before the mapping is taken away. */
export function forgetMapping(entry: number | undefined): void {
	if (entry === undefined) return;
	Atomics.store(entries, entry + 1, 0n);
	Atomics.store(entries, entry, 0n);
}

/** The same memory in all threads: it is handed down from the first thread that loads Pylog to all that are started later. */
function sharedEntries(): BigInt64Array {
	const given: unknown = getEnvironmentData(environmentKey);
	if (types.isSharedArrayBuffer(given)) return new BigInt64Array(given);
	const buffer = new SharedArrayBuffer(entryCount * entryWords * BigInt64Array.BYTES_PER_ELEMENT);
	setEnvironmentData(environmentKey, buffer);
	return new BigInt64Array(buffer);
}

function watch(worker: Worker): void {
	const thread = BigInt(worker.threadId);
	worker.once("exit", () => takeAway(thread));
}

function takeAway(thread: bigint): void {
	for (let entry = 0; entry < entries.length; entry += entryWords) {
		if (Atomics.load(entries, entry) !== thread) continue;
		const address = Atomics.load(entries, entry + 1);
		const sizeBytes = Number(Atomics.load(entries, entry + 2));
		forgetMapping(entry);
		if (address !== 0n) munmap(address, sizeBytes);
	}
}

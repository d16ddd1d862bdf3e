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
 *
 * Node hands the memory down to each thread when that is made. Where the first thread loads Pylog before anybody has loaded
 * what threads are made with, it does not load that either, and learns of its first workers once they are made: these
 * have memory of their own then, and tell of it. A worker whose maker does not come back to its event loop before that is told
 * leaves its mappings as well.
 */

import { types } from "node:util";
import type { MessagePort, Worker } from "node:worker_threads";
import { type Address, munmap } from "./libc.ts";
import { isMainThread, threadId, workerThreads } from "./thread.ts";

const environmentKey = "pylog.mappings";
/** A worker that logs has one region, a busy one a few. What finds no entry is not noted. */
const entryCount = 4096;
const entryWords = 3;

/** This thread's first, if it has one; then those of threads that had to make their own. */
const tables: BigInt64Array[] = [];
if (!isMainThread || haveThreadsBeenLoaded()) tables.push(sharedEntries());
/** Takes what was told and has not been heard yet. */
let hear: (() => void) | undefined;
process.on("worker", watch);

/** Notes a mapping of this thread. Returns its entry, to give to {@link forgetMapping}; `undefined` where none is needed or free. */
export function noteMapping(address: Address, sizeBytes: number): number | undefined {
	// What the main thread leaves ends with the process.
	const [entries] = tables;
	if (isMainThread || entries === undefined) return undefined;
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
	const [entries] = tables;
	if (entry !== undefined && entries !== undefined) clear(entries, entry);
}

function clear(entries: BigInt64Array, entry: number): void {
	Atomics.store(entries, entry + 1, 0n);
	Atomics.store(entries, entry, 0n);
}

/** Where Node does not tell, they may have been. */
function haveThreadsBeenLoaded(): boolean {
	const { moduleLoadList } = process as { readonly moduleLoadList?: readonly string[] };
	return moduleLoadList?.includes("NativeModule worker_threads") !== false;
}

/** The same memory in all threads: it is handed down from the first thread that loads Pylog to all that are started later. */
function sharedEntries(): BigInt64Array {
	const { getEnvironmentData, setEnvironmentData } = workerThreads();
	const given: unknown = getEnvironmentData(environmentKey);
	if (types.isSharedArrayBuffer(given)) return new BigInt64Array(given);
	const buffer = new SharedArrayBuffer(entryCount * entryWords * BigInt64Array.BYTES_PER_ELEMENT);
	setEnvironmentData(environmentKey, buffer);
	if (!isMainThread) tellOf(buffer);
	return new BigInt64Array(buffer);
}

function tellOf(buffer: SharedArrayBuffer): void {
	const channel = new (workerThreads().BroadcastChannel)(environmentKey);
	channel.postMessage(buffer);
	channel.close();
}

function watch(worker: Worker): void {
	if (tables.length === 0) {
		tables.push(sharedEntries());
		hearOfOthers();
	}
	const thread = BigInt(worker.threadId);
	worker.once("exit", () => takeAway(thread));
}

function takeAway(thread: bigint): void {
	hear?.();
	for (const entries of tables) {
		for (let entry = 0; entry < entries.length; entry += entryWords) {
			if (Atomics.load(entries, entry) !== thread) continue;
			const address = Atomics.load(entries, entry + 1);
			const sizeBytes = Number(Atomics.load(entries, entry + 2));
			clear(entries, entry);
			if (address !== 0n) munmap(address, sizeBytes);
		}
	}
}

function hearOfOthers(): void {
	const { BroadcastChannel, receiveMessageOnPort } = workerThreads();
	const channel = new BroadcastChannel(environmentKey) as unknown as EventTarget & MessagePort;
	const add = (buffer: unknown): void => {
		if (types.isSharedArrayBuffer(buffer)) tables.push(new BigInt64Array(buffer));
	};
	channel.addEventListener("message", (event) => add((event as { readonly data?: unknown }).data));
	channel.unref();
	hear = (): void => {
		for (let told = receiveMessageOnPort(channel); told !== undefined; told = receiveMessageOnPort(channel)) {
			add(told.message);
		}
	};
}

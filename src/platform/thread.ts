/**
 * Which thread this is. Node's own answer is in `node:worker_threads`, which takes 1.5 ms to load, and which a process that
 * has no other thread needs for nothing else. The kernel tells at once whether this is the thread that the process began
 * with; no worker of Node is that one.
 */

import { readlinkSync } from "node:fs";
import type * as nodeThreads from "node:worker_threads";

type WorkerThreads = typeof nodeThreads;

let loaded: WorkerThreads | undefined;

/** Node's module: to be asked for where other threads are. */
export function workerThreads(): WorkerThreads {
	loaded ??= process.getBuiltinModule("node:worker_threads");
	return loaded;
}

const isFirstThread = isFirstOfProcess();
/** As in `node:worker_threads`. */
export const isMainThread: boolean = isFirstThread || workerThreads().isMainThread;
/** As in `node:worker_threads`: 0 for the main thread. */
export const threadId: number = isFirstThread ? 0 : workerThreads().threadId;

/** `false` as well where the kernel does not tell. */
function isFirstOfProcess(): boolean {
	try {
		const [pid, , thread] = readlinkSync("/proc/thread-self").split("/");
		return pid !== undefined && pid === thread;
	} catch {
		return false;
	}
}

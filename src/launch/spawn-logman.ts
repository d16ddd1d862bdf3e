/**
 * The process of a logman.
 *
 * Many may start one at the same moment: whoever gets the lock `logman.starting` starts it, and leaves the lock to the
 * new process, which frees it once it holds the lease (or dies). So there is one start at a time, without any pid.
 */

import { type ChildProcess, spawn } from "node:child_process";
import { closeSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { truncate } from "../platform/durable-file.ts";
import { FileLock } from "../platform/file-lock.ts";
import { openOwnedFile, readPlainFile } from "../platform/owned-files.ts";
import { isLeaseHeld } from "../spool/lease.ts";
import { spoolPaths } from "../spool/paths.ts";
import type { SyncMode } from "./logman-rules.ts";

/** What the new process is told, as JSON in its arguments. */
export interface LogmanProcessOptions extends StartLogmanOptions {
	readonly cacheDir: string;
}

/** What `startLogman` takes: the options of `logman()` that another process can be told. */
export interface StartLogmanOptions {
	/** Directory of the queue. @default `PYLOG_CACHE_DIR`, else `pylog` in the user's XDG state directory */
	readonly cacheDir?: string | undefined;
	/** Leave after so many milliseconds without producers and with an empty queue. @default never */
	readonly idleExitMs?: number | undefined;
	/** Bytes that lines may take that wait for outputs which can't be written. At least 1,048,576. @default 1073741824 (1 GiB) */
	readonly maxParkedBytes?: number | undefined;
	/** Write only to files below these directories; lines for others go to `quarantine/`. @default any file */
	readonly roots?: readonly string[] | undefined;
	/** When files are brought to the disk. `flush()` always is at once. @default "interval" */
	readonly sync?: SyncMode | undefined;
	/** Milliseconds, from 1 to 3,600,000. @default 500 */
	readonly syncIntervalMs?: number | undefined;
}

/** Descriptor under which the new process finds the lock it inherits. */
export const startingLockFd = 3;
const maxSaidBytes = 64 * 1024;

/** Starts a logman if none runs and nobody else is starting one. Never waits, never throws: the next call tries again. */
export function startLogmanIfNone(options: LogmanProcessOptions): void {
	try {
		if (!isLeaseHeld(spoolPaths(options.cacheDir).lease)) spawnLogman(options)?.process.unref();
	} catch {
		// No descriptors, no memory for a process: what is logged waits in the spool.
	}
}

export interface StartedProcess {
	readonly process: ChildProcess;
	/** What it has said on stderr so far. */
	readonly errors: () => string;
}

/** `undefined` when somebody else is starting one. */
export function spawnLogman(options: LogmanProcessOptions): StartedProcess | undefined {
	const { starting } = spoolPaths(options.cacheDir);
	const lock = FileLock.tryAcquire("launch.lock", starting);
	if (lock === undefined) return undefined;
	const entry = fileURLToPath(new URL("../logman/main.js", import.meta.url));
	const said = `${starting}.said`;
	let errorsFd: number | undefined;
	try {
		errorsFd = openOwnedFile("launch.create-said", said, "missing");
		truncate("launch.clear-said", errorsFd, 0);
		const child = spawn(process.execPath, [entry, JSON.stringify(options)], {
			detached: true,
			cwd: "/",
			// NODE_OPTIONS may name an inspector's port or modules of the application; neither is the logman's.
			// Each file system that does not answer takes one or two threads of the logman.
			env: { UV_THREADPOOL_SIZE: "16", ...process.env, NODE_OPTIONS: "", ELECTRON_RUN_AS_NODE: "1" },
			stdio: ["ignore", "ignore", errorsFd, lock.fd],
		});
		child.on("error", () => lock.release());
		return { process: child, errors: () => (readPlainFile(said, maxSaidBytes) ?? "").trim() };
	} finally {
		if (errorsFd !== undefined) closeSync(errorsFd);
		lock.closeOnly();
	}
}

/** Logmans that run in a test, in its own process or beside it: none outlives the test that it served. */
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { onTestFinished } from "vitest";
import { logman } from "../src/logman/logman.ts";
import type { LogmanOptions } from "../src/logman/logman-options.ts";
import { isLocked } from "../src/platform/file-lock.ts";
import { isLeaseHeld, leaseHolder } from "../src/spool/lease.ts";
import { spoolPaths } from "../src/spool/paths.ts";
import { temporaryDirectory } from "./temporary-directory.ts";

/** A cache directory that is gone after the test; a logman process that still serves it then is ended first. */
export function cacheDirectory(): string {
	const cacheDir = temporaryDirectory();
	onTestFinished(() => endLogman(cacheDir));
	return cacheDir;
}

/** Ends the logman process of a cache directory, and one that is just being started, by SIGKILL. */
export async function endLogman(cacheDir: string): Promise<void> {
	const { lease, starting } = spoolPaths(cacheDir);
	while (isLeaseHeld(lease) || isLocked(starting)) {
		const pid = isLeaseHeld(lease) ? leaseHolder(lease)?.pid : undefined;
		if (pid === process.pid) throw new Error(`a logman of this process still runs for ${cacheDir}`);
		if (pid !== undefined) endProcess(pid);
		await sleep(5);
	}
}

/** Ends a process if it is there. */
export function endProcess(pid: number): void {
	try {
		process.kill(pid, "SIGKILL");
	} catch {
		// It has ended by itself.
	}
}

/** Process id of the logman that serves a cache directory. */
export function logmanPid(cacheDir: string): number | undefined {
	const { lease } = spoolPaths(cacheDir);
	return isLeaseHeld(lease) ? leaseHolder(lease)?.pid : undefined;
}

/** Waits for the logman process of a cache directory; another one than `except`. */
export async function untilLogman(cacheDir: string, except?: number): Promise<number> {
	for (;;) {
		const pid = logmanPid(cacheDir);
		if (pid !== undefined && pid !== except) return pid;
		await sleep(5);
	}
}

/** A logman in this process: takes what waits and leaves. */
export function drain(cacheDir: string): Promise<void> {
	return logman({ cacheDir, signal: AbortSignal.abort() });
}

export interface RunningLogman {
	/** Resolves when it has drained and left. Idempotent. */
	stop(): Promise<void>;
}

/** A logman in this process that runs until it is stopped, at the end of the test at the latest. */
export async function runLogman(cacheDir: string, options: LogmanOptions = {}): Promise<RunningLogman> {
	const controller = new AbortController();
	let running: Promise<void> = Promise.resolve();
	const isReady = new Promise<void>((resolve, reject) => {
		running = logman({ ...options, cacheDir, signal: controller.signal, onReady: resolve });
		running.catch(reject);
	});
	const stop = (): Promise<void> => {
		controller.abort();
		return running;
	};
	onTestFinished(stop);
	await isReady;
	return { stop };
}

/** Waits until `isTrue`; the test's own time limit ends a wait in vain. */
export async function until(isTrue: () => boolean): Promise<void> {
	while (!isTrue()) await sleep(5);
}

/** The lines of a file; none where there is no file. */
export function linesOf(path: string): string[] {
	let text: string;
	try {
		text = readFileSync(path, "utf8");
	} catch {
		return [];
	}
	return text.split("\n").slice(0, -1);
}

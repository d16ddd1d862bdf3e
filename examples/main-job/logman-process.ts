/**
 * The logman as this example sees it: a process that nobody here started by hand, known by the file `logman.lock` in the
 * cache directory, where each logman writes who it is: `{"pid":1234,"started":"2026-11-22T06:25:28.123Z"}`.
 */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const lookIntervalMs = 2;
const patienceMs = 20_000;

/** The process id of the running logman; `undefined` when there is none. */
export function logmanPid(cacheDir: string): number | undefined {
	try {
		const { pid } = JSON.parse(readFileSync(join(cacheDir, "logman.lock"), "utf8")) as { pid: number };
		return isLogman(pid, cacheDir) ? pid : undefined;
	} catch {
		// No logman yet, or it has left and taken its text with it.
		return undefined;
	}
}

/** Waits for a logman; `before` is the one that is known to be gone. */
export async function logmanAfter(before: number | undefined, cacheDir: string, signal: AbortSignal): Promise<number> {
	const giveUpMs = performance.now() + patienceMs;
	for (;;) {
		const pid = logmanPid(cacheDir);
		if (pid !== undefined && pid !== before) return pid;
		if (performance.now() > giveUpMs) throw new Error(`No logman came within ${patienceMs / 1000} seconds.`);
		await sleep(lookIntervalMs, undefined, { signal });
	}
}

/** Asks the logman to write what waits and to leave (SIGTERM), and waits until its process is gone. */
export async function stopLogman(cacheDir: string): Promise<void> {
	const pid = logmanPid(cacheDir);
	if (pid === undefined) return;
	const giveUpMs = performance.now() + patienceMs;
	send("SIGTERM", pid);
	while (isLogman(pid, cacheDir)) {
		if (performance.now() > giveUpMs) send("SIGKILL", pid);
		await sleep(lookIntervalMs);
	}
}

function send(signal: NodeJS.Signals, pid: number): void {
	try {
		process.kill(pid, signal);
	} catch {
		// It has just ended by itself.
	}
}

/** The text of a logman that was killed stays in the file, and its id may be that of another process by now. */
function isLogman(pid: number, cacheDir: string): boolean {
	try {
		return readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(cacheDir);
	} catch {
		return false;
	}
}

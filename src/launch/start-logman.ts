/** Starts a logman in a process of its own and waits for it, or makes one leave. */

import type { ChildProcess } from "node:child_process";
import { isLocked } from "../platform/file-lock.ts";
import { pidNamespace } from "../platform/machine.ts";
import { RunningTime } from "../platform/running-time.ts";
import { PylogError } from "../shared/errors.ts";
import { ControlFile } from "../spool/control-file.ts";
import { OptionProblems } from "../shared/option-problems.ts";
import { resolveCacheDir } from "../spool/cache-dir.ts";
import { isLeaseHeld, leaseHeld, type LeaseHolder, leaseHolder } from "../spool/lease.ts";
import { spoolPaths } from "../spool/paths.ts";
import { cacheDirRule, idleExitRule, maxParkedRule, rootsRule, syncIntervalRule, syncRule } from "./logman-rules.ts";
import { spawnLogman, type StartedProcess, type StartLogmanOptions } from "./spawn-logman.ts";

export type { StartLogmanOptions } from "./spawn-logman.ts";

const rules = {
	cacheDir: cacheDirRule,
	idleExitMs: idleExitRule,
	maxParkedBytes: maxParkedRule,
	roots: rootsRule,
	sync: syncRule,
	syncIntervalMs: syncIntervalRule,
};

/** A logman that runs in a process of its own. */
export interface LogmanHandle {
	readonly pid: number;
	/** Makes it drain and leave; resolves when it has. */
	stop(): Promise<void>;
	[Symbol.asyncDispose](): Promise<void>;
}

const readyTimeoutMs = 15_000;
/** A pause that was longer was no waiting: this process was stopped, and perhaps all others with it. */
const longestStepMs = 500;
const lookIntervalMs = 5;

/**
 * Starts a logman for `cacheDir` and waits until it holds the lease. It outlives this process until it is stopped, or
 * for `idleExitMs` after the last process that logs.
 *
 * @throws PylogError PYLOG_OPTION_INVALID, PYLOG_LEASE_HELD when one runs already, PYLOG_LOGMAN_START_FAILED when it does not come up.
 */
export async function startLogman(options: StartLogmanOptions = {}): Promise<LogmanHandle> {
	const problems = new OptionProblems("startLogman()");
	const checked = problems.checkAll<StartLogmanOptions>(problems.read(options), rules);
	problems.throwIfAny();
	const cacheDir = resolveCacheDir(checked.cacheDir);
	ControlFile.open(cacheDir).close();
	const { lease } = spoolPaths(cacheDir);
	const waiting = new RunningTime(longestStepMs);
	let child: StartedProcess | undefined;
	while (child === undefined) {
		// Where somebody else is starting one, the lease will tell who that is.
		const isTaken = isLeaseHeld(lease);
		if ((isTaken && leaseHolder(lease) !== undefined) || waiting.nowMs() > readyTimeoutMs) throw leaseHeld(lease);
		if (!isTaken) child = spawnLogman({ ...checked, cacheDir });
		if (child === undefined) await pause(lookIntervalMs);
	}
	await untilReady(child, waiting, cacheDir);
	const { process: started } = child;
	const stop = async (): Promise<void> => {
		await stopLogman(cacheDir);
		await untilEnded(started);
	};
	return { pid: started.pid as number, stop, [Symbol.asyncDispose]: stop };
}

/**
 * Makes the logman of a cache directory drain and leave, through a word in shared memory: no pid is involved, so it
 * works across containers too. Resolves when it has left, at once when there is none; `signal` ends the waiting only.
 */
export async function stopLogman(given?: string, signal?: AbortSignal): Promise<void> {
	const cacheDir = resolveCacheDir(given);
	const control = ControlFile.open(cacheDir);
	try {
		const { lease } = spoolPaths(cacheDir);
		let meant: LeaseHolder | undefined;
		while (isLeaseHeld(lease) && signal?.aborted !== true) {
			// While it comes or leaves, the lease names nobody. Another one that came after it is not meant.
			const holder = leaseHolder(lease);
			meant ??= holder;
			if (holder !== undefined && (holder.started !== meant?.started || holder.pid !== meant.pid)) return;
			control.wantStop();
			control.doorbell.ring();
			await pause(lookIntervalMs);
		}
	} finally {
		control.close();
	}
}

/** Ready is a logman that holds the lease, and no longer the lock that it was started with. */
async function untilReady(started: StartedProcess, waiting: RunningTime, cacheDir: string): Promise<void> {
	const { process: child, errors } = started;
	const { lease, starting } = spoolPaths(cacheDir);
	while (!isHolder(child, leaseHolder(lease)) || !isLeaseHeld(lease) || isLocked(starting)) {
		if (child.exitCode !== null || child.signalCode !== null || waiting.nowMs() > readyTimeoutMs) {
			// One that another process has started by another way, such as a service manager, was faster.
			if (child.exitCode === 0 && isLeaseHeld(lease)) throw leaseHeld(lease);
			throw new PylogError(
				"PYLOG_LOGMAN_START_FAILED",
				`The logman process ${child.pid ?? ""} did not come up: ${errors() || `exit status ${child.exitCode}`}`,
				{ details: { pid: child.pid, exitCode: child.exitCode } },
			);
		}
		await pause(lookIntervalMs);
	}
	child.unref();
}

/** A logman in another container may have the same pid. */
function isHolder(child: ChildProcess, holder: LeaseHolder | undefined): boolean {
	return holder !== undefined && holder.pid === child.pid && holder.namespace === pidNamespace();
}

/** The lease is free a moment before the process has ended. */
async function untilEnded(child: ChildProcess): Promise<void> {
	if (child.exitCode !== null || child.signalCode !== null) return;
	child.ref();
	await new Promise((resolve) => child.once("exit", resolve));
}

function pause(ms: number): Promise<void> {
	return new Promise((resolve) => setTimeout(resolve, ms));
}

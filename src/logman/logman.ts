/** The logman: the one writer of a cache directory, in this process. */

import { ControlFile } from "../spool/control-file.ts";
import { isLeaseHeld, Lease } from "../spool/lease.ts";
import type * as run from "./logman-run.ts";
import { type LogmanOptions, type ResolvedLogmanOptions, validateLogmanOptions } from "./logman-options.ts";

/**
 * Runs the logman of a cache directory until `signal` aborts, then drains: everything logged up to then is in its file
 * and on disk when the promise resolves. What is logged later waits for the next logman.
 *
 * @throws PylogError PYLOG_LEASE_HELD when another logman runs (unless `wait`), PYLOG_OPTION_INVALID, and whatever
 *   opening the spool says.
 */
export async function logman(options: LogmanOptions = {}): Promise<void> {
	const resolved = validateLogmanOptions(options);
	const control = ControlFile.open(resolved.cacheDir);
	let lease: Lease | undefined;
	try {
		lease = await takeLease(control, resolved);
		if (lease === undefined) return;
		const { LogmanRun } = await loadRun();
		const run = new LogmanRun(control, lease, resolved);
		try {
			await run.start();
			resolved.onReady();
			await run.untilStopped();
		} finally {
			run.close();
			if (run.outputs.stuckCount > 0) resolved.onStuck();
			await run.outputs.untilSettled();
		}
	} finally {
		lease?.release();
		control.close();
	}
}

/** Loaded once it is wanted: an application that only logs pays nothing for it. */
function loadRun(): Promise<typeof run> {
	return import("./logman-run.ts");
}

/** `undefined` when aborted while waiting. */
async function takeLease(control: ControlFile, { wait, signal }: ResolvedLogmanOptions): Promise<Lease | undefined> {
	while (wait) {
		if (signal.aborted) return undefined;
		// Only a free lease is worth the attempt, which would stop the event loop for a while.
		const lease = isLeaseHeld(control.paths.lease) ? undefined : Lease.tryAcquire(control.paths.lease);
		if (lease !== undefined) return lease;
		// It may wait for days: by then, another version of the package may be in its place.
		await loadRun();
		await new Promise((resolve) => setTimeout(resolve, 100));
	}
	return Lease.acquire(control.paths.lease);
}

/** `pylog drain`: all that was logged up to now is in its file and on disk. */

import { logman } from "../logman/logman.ts";
import { PylogError } from "../shared/errors.ts";
import { resolveCacheDir } from "../spool/cache-dir.ts";
import { countInbox, logmanStatus, readSpoolStatus } from "../spool/spool-status.ts";
import { counted } from "./byte-size.ts";
import { hasReached, noticeParked } from "./draining.ts";
import { waitUntilDrained } from "./drained-by-logman.ts";
import { type ExitCode, exitCodes } from "./exit-code.ts";
import type { Flags } from "./flag-table.ts";
import { notice, print, printJson } from "./terminal.ts";

export async function drain({ cacheDir: given, timeout = 60, root, json }: Flags): Promise<ExitCode> {
	const cacheDir = resolveCacheDir(given);
	const before = readSpoolStatus(cacheDir);
	const inbox = countInbox(cacheDir);
	const records = (before?.waiting ?? 0) + inbox.priority + inbox.normal;
	if (before === undefined && records === 0) notice(`there is no spool at ${cacheDir}: nothing to drain`);
	else if (!(await drainWithin(cacheDir, timeout, root)))
		return gaveUp(cacheDir, records, { timeout, ...(json === true ? { json } : {}) });
	const after = readSpoolStatus(cacheDir);
	const parked = after?.parked ?? [];
	const isDrained = hasReached(after, before?.numbers.next ?? 0);
	await (json === true
		? printJson({ cacheDir, records, drained: isDrained, parked })
		: print(`${counted(records, "record")}\n`));
	if (!isDrained) notice(`not all could be written: see ${after?.errorLog.path ?? cacheDir}`);
	noticeParked(parked, after?.errorLog.path ?? cacheDir);
	return isDrained && parked.length === 0 ? exitCodes.ok : exitCodes.failed;
}

/** Returns whether it was drained in time, by the logman that runs or by this process. */
async function drainWithin(
	cacheDir: string,
	timeoutSeconds: number,
	roots: readonly string[] | undefined,
): Promise<boolean> {
	const signal = AbortSignal.timeout(timeoutSeconds * 1000);
	while (!signal.aborted) {
		if (logmanStatus(cacheDir).running) {
			if (await waitUntilDrained(cacheDir, signal)) return true;
		} else if (await drainHere(cacheDir, roots, signal)) {
			return true;
		}
	}
	return false;
}

/** Is the logman for as long as it takes. `false` when another one was faster, or it takes too long. */
async function drainHere(
	cacheDir: string,
	roots: readonly string[] | undefined,
	signal: AbortSignal,
): Promise<boolean> {
	const aborted = new Promise<false>((resolve) => {
		signal.addEventListener("abort", () => resolve(false));
	});
	const drained = logman({ cacheDir, roots, signal: AbortSignal.abort() }).then(
		() => true,
		(error: unknown) => {
			if (error instanceof PylogError && error.code === "PYLOG_LEASE_HELD") return false;
			throw error;
		},
	);
	return Promise.race([drained, aborted]);
}

/** Ends the process: it may be the logman itself, in the middle of a drain. Nothing is lost by that. */
async function gaveUp(cacheDir: string, records: number, { timeout, json }: Flags): Promise<never> {
	const status = readSpoolStatus(cacheDir);
	if (json === true) await printJson({ cacheDir, records, drained: false, parked: status?.parked ?? [] });
	const waiting = counted(status?.waiting ?? 0, "record waits", "records wait");
	notice(`not drained within ${timeout} s: ${waiting} in ${cacheDir}`);
	process.exit(exitCodes.failed);
}

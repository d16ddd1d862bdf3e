/** `pylog stop`: the logman drains and leaves. */

import { stopLogman } from "../launch/start-logman.ts";
import { resolveCacheDir } from "../spool/cache-dir.ts";
import { logmanStatus, readSpoolStatus } from "../spool/spool-status.ts";
import { counted } from "./byte-size.ts";
import { hasReached, noticeParked } from "./draining.ts";
import { type ExitCode, exitCodes } from "./exit-code.ts";
import type { Flags } from "./flag-table.ts";
import { notice, printJson } from "./terminal.ts";

export async function stop({ cacheDir: given, timeout = 60, json }: Flags): Promise<ExitCode> {
	const cacheDir = resolveCacheDir(given);
	const before = readSpoolStatus(cacheDir);
	if (before?.logman.running !== true) {
		notice(`no logman runs for ${cacheDir}`);
		if (json === true)
			await printJson({ cacheDir, pid: null, left: false, drained: false, waiting: before?.waiting ?? 0 });
		return exitCodes.noLogman;
	}
	const { pid, since } = before.logman;
	await stopLogman(cacheDir, AbortSignal.timeout(timeout * 1000));
	const now = logmanStatus(cacheDir);
	const left = !now.running || now.since !== since || now.pid !== pid;
	const after = readSpoolStatus(cacheDir);
	const drained = left && hasReached(after, before.numbers.next);
	const waiting = after?.waiting ?? 0;
	if (json === true) await printJson({ cacheDir, pid, left, drained, waiting });
	const what = left
		? drained
			? "has drained and left"
			: "left before it had drained"
		: `is still there after ${timeout} s, and goes on draining`;
	const rest = waiting === 0 ? "" : `; ${counted(waiting, "record waits", "records wait")} in the spool`;
	const where = left && !drained ? `; see ${before.errorLog.path}` : "";
	notice(`logman ${pid ?? "of unknown number"} ${what}${rest}${where}`);
	noticeParked(after?.parked ?? [], before.errorLog.path);
	return drained ? exitCodes.ok : exitCodes.failed;
}

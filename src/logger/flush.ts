/** Waiting until lines are in their file and on disk. */

import { RunningTime } from "../platform/running-time.ts";
import { PylogError } from "../shared/errors.ts";
import { parkedBytes } from "../spool/parked-file.ts";
import type { SharedProducer } from "./shared-producer.ts";

const firstPollMs = 1;
const longestPollMs = 20;
/** How long no logman may be seen before the wait is given up. */
const patienceMs = 5000;
/** A pause that was longer was no waiting: this process was stopped, and perhaps all others with it. */
const longestStepMs = 500;

/**
 * Resolves when everything appended so far is on disk, `output` included.
 *
 * @throws PylogError see `Pylog.flush`; the signal's reason when it aborts.
 */
export async function flushLines(shared: SharedProducer, output: string, signal?: AbortSignal): Promise<void> {
	const producer = shared.current;
	const { control } = producer;
	const goal = producer.counts();
	const time = new RunningTime(longestStepMs);
	let pollMs = firstPollMs;
	let aloneSinceMs: number | undefined;
	while (producer.isClosed || !producer.hasReached("durable", goal)) {
		signal?.throwIfAborted();
		if (shared.leaveIfGone()) throw isGone(shared);
		if (producer.isClosed) throw wasClosed(shared);
		const logman = shared.ensureLogman();
		const nowMs = time.nowMs();
		aloneSinceMs = logman === "running" ? undefined : (aloneSinceMs ?? nowMs);
		const isHopeless = logman === "none" && !shared.isAuto;
		if (isHopeless || (aloneSinceMs !== undefined && nowMs - aloneSinceMs > patienceMs)) throw noLogman(shared);
		control.wantFlush();
		control.doorbell.ring();
		await new Promise((resolve) => setTimeout(resolve, pollMs));
		pollMs = Math.min(pollMs * 2, longestPollMs);
	}
	const waitingBytes = parkedBytes(control.paths.parked, output);
	if (waitingBytes !== undefined) throw isParked(output, waitingBytes, control.paths.errorLog);
	const dropped = shared.takeDropped();
	if (dropped > 0) throw wereDropped(dropped, shared);
}

function wereDropped(dropped: number, { cacheDir }: SharedProducer): PylogError {
	return new PylogError(
		"PYLOG_SPOOL_FULL",
		`${dropped} records of this thread were dropped since the last flush, because the spool ${cacheDir} was full or a ` +
			"lane closed; a line in the log tells where. All others are on disk. Make room, or raise maxSpoolBytes.",
		{ details: { dropped, cacheDir } },
	);
}

function wasClosed({ cacheDir }: SharedProducer): PylogError {
	return new PylogError(
		"PYLOG_CLOSED",
		`The logger was closed before its lines were known to be on disk; what is not written waits in ${cacheDir}.`,
		{ details: { cacheDir } },
	);
}

function isGone({ cacheDir }: SharedProducer): PylogError {
	return new PylogError(
		"PYLOG_SPOOL_GONE",
		`The cache directory ${cacheDir} was removed or moved while lines waited in it. If it was moved, run: pylog drain --cache-dir <its new place>.`,
		{ details: { cacheDir } },
	);
}

function noLogman({ cacheDir }: SharedProducer): PylogError {
	return new PylogError(
		"PYLOG_NO_LOGMAN",
		`No logman runs for ${cacheDir}; the lines wait there, nothing is lost. Start one: pylog start --cache-dir '${cacheDir}'.`,
		{ details: { cacheDir } },
	);
}

function isParked(output: string, waitingBytes: number, errorLog: string): PylogError {
	return new PylogError(
		"PYLOG_OUTPUT_PARKED",
		`${output} can't be written; ${waitingBytes} bytes of lines wait until it can be. See ${errorLog}.`,
		{ details: { output, waitingBytes, errorLog } },
	);
}

/** Waiting within a logging call, for those who asked for it. */

/** Pauses between two looks: the first, and the longest. */
const firstPauseMs = 1;
const longestPauseMs = 8;
/** How often it is asked whether the wait may go on. */
const askIntervalMs = 50;

const sleeper = new Int32Array(new SharedArrayBuffer(4));

/**
 * Calls `isOver` again and again, with pauses in which the thread sleeps, until it returns true: `false` when it has not
 * within `deadlineMs`, or within what `maxWaitMs` still allows whenever it is asked. Blocks; nothing else of the thread runs
 * meanwhile, signal handlers and timers neither.
 */
export function waitFor(isOver: () => boolean, deadlineMs: number, maxWaitMs: () => number): boolean {
	const untilMs = performance.now() + deadlineMs;
	let allowedUntilMs = untilMs;
	let askAtMs = Number.NEGATIVE_INFINITY;
	let pauseMs = firstPauseMs;
	for (;;) {
		if (performance.now() >= askAtMs) {
			const allowedMs = maxWaitMs();
			const nowMs = performance.now();
			allowedUntilMs = Math.min(untilMs, nowMs + allowedMs);
			askAtMs = nowMs + askIntervalMs;
		}
		if (isOver()) return true;
		const leftMs = allowedUntilMs - performance.now();
		if (leftMs <= 0) return false;
		Atomics.wait(sleeper, 0, 0, Math.min(pauseMs, leftMs));
		pauseMs = Math.min(pauseMs * 2, longestPauseMs);
	}
}

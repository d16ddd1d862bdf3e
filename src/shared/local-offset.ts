/** What this process's local time is ahead of UTC. */

const offsetWindowMs = 15 * 60_000;
const offsetAt = { window: Number.NaN, minutes: 0 };

/**
 * Minutes that local time is ahead of UTC at `nowMs`: UTC+1 is 60.
 * Asked once per quarter of an hour, since no time zone changes its offset at any other moment.
 */
export function localOffsetMinutes(nowMs: number): number {
	const window = Math.floor(nowMs / offsetWindowMs);
	if (window !== offsetAt.window) {
		offsetAt.window = window;
		const minutes = Math.trunc(0 - new Date(nowMs).getTimezoneOffset());
		offsetAt.minutes = Number.isNaN(minutes) ? 0 : minutes;
	}
	return offsetAt.minutes;
}

/** The same in quarters of an hour, as a byte (a signed one). */
export function localOffsetQuarters(nowMs: number): number {
	return Math.round(localOffsetMinutes(nowMs) / 15) & 0xff;
}

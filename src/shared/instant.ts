/** Points in time for people and programs to read, whatever the clock of the process says. */

const lastMs = 253_402_300_799_999;

/** ISO 8601 in UTC, always 24 characters: `2026-01-31T12:00:00.000Z`. What is no time is 1970, or the last there is. */
export function instant(timeMs: number): string {
	const inRange = Number.isFinite(timeMs) ? Math.min(Math.max(timeMs, 0), lastMs) : 0;
	return new Date(inRange).toISOString();
}

/** A date as a JSON string, as `toISOString` prints it; that costs ten times as much, most of it for the day. */

import type { Draft } from "../spool/draft.ts";

const dayMs = 86_400_000;
const colon = 0x3a;
const point = 0x2e;
const lettersAfterDay = "00:00:00.000Z".length;
/** The day of the last date: most are of today. */
const known = { day: Number.NaN, text: "" };

/** Adds a date, or `"Invalid Date"`. */
export function writeDate(draft: Draft, date: Date): void {
	const timeMs = Date.prototype.getTime.call(date);
	if (Number.isNaN(timeMs)) {
		draft.text('"Invalid Date"');
		return;
	}
	const day = Math.floor(timeMs / dayMs);
	if (day !== known.day) {
		known.text = `"${new Date(timeMs).toISOString().slice(0, -lettersAfterDay)}`;
		known.day = day;
	}
	const ofDayMs = timeMs - day * dayMs;
	const ofDayS = (ofDayMs / 1000) | 0;
	const ofDayMin = (ofDayS / 60) | 0;
	const hours = (ofDayMin / 60) | 0;
	draft.text(known.text);
	draft.digits(hours, 2);
	draft.byte(colon);
	draft.digits(ofDayMin - hours * 60, 2);
	draft.byte(colon);
	draft.digits(ofDayS - ofDayMin * 60, 2);
	draft.byte(point);
	draft.digits(ofDayMs - ofDayS * 1000, 3);
	draft.text('Z"');
}

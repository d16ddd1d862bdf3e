/**
 * Points in time as a line prints them: ISO 8601 in the caller's local time with its offset, milliseconds, always 29
 * characters: `2026-11-22T06:25:28.123+00:00`.
 *
 * The offset is an argument, so the same record prints the same in every process and time zone. Every number prints as
 * a valid time: fractions of a millisecond are cut off, years stay within 0000-9999, offsets within a day, and what is
 * no number counts as 0. The text of the last second is kept, because most neighbouring lines share it.
 */

const minuteMs = 60_000;
const dayMs = 86_400_000;
const maxOffsetMinutes = 23 * 60 + 59;
const firstMs = -62_167_219_200_000;
const lastMs = 253_402_300_799_999;
/** From 0000-03-01, where the calendar below starts to count, to 1970-01-01. */
const daysBeforeEpoch = 719_468;
const zero = 0x30;

/** The digits of the last time that was asked for; `stampedFor` says which that is. */
const stamp: Buffer = Buffer.from("1970-01-01T00:00:00.000+00:00", "latin1");
const dateOfStamp: Buffer = stamp.subarray(0, 10);
const stampedFor = { timeMs: 0, utcOffsetMinutes: 0, localSecond: 0, offsetMinutes: 0 };

/** `2026-11-22T06:25:28.123+00:00`. */
export function formatTimestamp(timeMs: number, utcOffsetMinutes: number): string {
	return timestampBytes(timeMs, utcOffsetMinutes).toString("latin1");
}

/** The local date, `2026-11-22`. */
export function formatDate(timeMs: number, utcOffsetMinutes: number): string {
	return dateBytes(timeMs, utcOffsetMinutes).toString("latin1");
}

/** The 29 bytes of {@link formatTimestamp}. Overwritten by the next call of any function here. */
export function timestampBytes(timeMs: number, utcOffsetMinutes: number): Buffer {
	if (timeMs !== stampedFor.timeMs || utcOffsetMinutes !== stampedFor.utcOffsetMinutes) {
		stampTime(timeMs, utcOffsetMinutes);
	}
	return stamp;
}

/** The 10 bytes of {@link formatDate}. Overwritten by the next call of any function here. */
export function dateBytes(timeMs: number, utcOffsetMinutes: number): Buffer {
	timestampBytes(timeMs, utcOffsetMinutes);
	return dateOfStamp;
}

function stampTime(timeMs: number, utcOffsetMinutes: number): void {
	const offsetMinutes = clamp(wholeNumber(utcOffsetMinutes), -maxOffsetMinutes, maxOffsetMinutes);
	const localMs = clamp(wholeNumber(timeMs) + offsetMinutes * minuteMs, firstMs, lastMs);
	const localSecond = Math.floor(localMs / 1000);
	if (localSecond !== stampedFor.localSecond) stampSecond(localSecond);
	if (offsetMinutes !== stampedFor.offsetMinutes) stampOffset(offsetMinutes);
	stampDigits(20, 3, localMs - localSecond * 1000);
	stampedFor.timeMs = timeMs;
	stampedFor.utcOffsetMinutes = utcOffsetMinutes;
	stampedFor.localSecond = localSecond;
	stampedFor.offsetMinutes = offsetMinutes;
}

/** Days to a date as in Howard Hinnant's `civil_from_days`: years start in March, so the leap day comes last. */
function stampSecond(localSecond: number): void {
	const day = Math.floor((localSecond * 1000) / dayMs);
	const secondOfDay = localSecond - (day * dayMs) / 1000;
	const days = day + daysBeforeEpoch;
	const era = Math.floor(days / 146_097);
	const dayOfEra = days - era * 146_097;
	const yearOfEra = Math.floor(
		(dayOfEra - Math.floor(dayOfEra / 1460) + Math.floor(dayOfEra / 36_524) - Math.floor(dayOfEra / 146_096)) / 365,
	);
	const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
	const monthFromMarch = Math.floor((5 * dayOfYear + 2) / 153);
	const month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9;
	stampDigits(0, 4, yearOfEra + era * 400 + (month <= 2 ? 1 : 0));
	stampDigits(5, 2, month);
	stampDigits(8, 2, dayOfYear - Math.floor((153 * monthFromMarch + 2) / 5) + 1);
	stampDigits(11, 2, Math.floor(secondOfDay / 3600));
	stampDigits(14, 2, Math.floor(secondOfDay / 60) % 60);
	stampDigits(17, 2, secondOfDay % 60);
}

function stampOffset(offsetMinutes: number): void {
	stamp[23] = offsetMinutes < 0 ? 0x2d : 0x2b;
	const minutes = Math.abs(offsetMinutes);
	stampDigits(24, 2, Math.floor(minutes / 60));
	stampDigits(27, 2, minutes % 60);
}

function stampDigits(at: number, digits: number, value: number): void {
	let rest = value;
	for (let index = at + digits - 1; index >= at; index--) {
		const tenth = Math.floor(rest / 10);
		stamp[index] = zero + rest - tenth * 10;
		rest = tenth;
	}
}

function wholeNumber(value: number): number {
	return Number.isNaN(value) ? 0 : Math.trunc(value);
}

function clamp(value: number, min: number, max: number): number {
	return Math.min(max, Math.max(min, value));
}

import * as fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import { formatDate, formatTimestamp } from "../../src/line/timestamp.ts";
import { localOffsetMinutes } from "../../src/shared/local-offset.ts";
import { someTimeMs } from "./record-builder.ts";

const timestampPattern = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d$/;

describe("formatTimestamp", () => {
	it("prints local time with offset and milliseconds", () => {
		expect(formatTimestamp(someTimeMs, 0)).toBe("2026-11-22T06:25:28.123+00:00");
		expect(formatTimestamp(someTimeMs, 60)).toBe("2026-11-22T07:25:28.123+01:00");
		expect(formatTimestamp(someTimeMs, -210)).toBe("2026-11-22T02:55:28.123-03:30");
		expect(formatTimestamp(someTimeMs, -30)).toBe("2026-11-22T05:55:28.123-00:30");
		expect(formatTimestamp(0, 0)).toBe("1970-01-01T00:00:00.000+00:00");
	});

	it("names the moment it was given, as Date understands it, in any order of times", () => {
		const moment = fc.record({
			timeMs: fc.integer({ min: Date.UTC(-1, 11, 31) + 2 * 86_400_000, max: Date.UTC(9999, 11, 30) }),
			offset: fc.integer({ min: -1439, max: 1439 }),
		});
		fc.assert(
			fc.property(fc.array(moment, { minLength: 1, maxLength: 8 }), (moments) => {
				for (const { timeMs, offset } of moments) {
					const text = formatTimestamp(timeMs, offset);
					expect(text).toMatch(timestampPattern);
					expect(Date.parse(text)).toBe(timeMs);
					expect(text.slice(0, 23)).toBe(new Date(timeMs + offset * 60_000).toISOString().slice(0, 23));
				}
			}),
			{ numRuns: 500 },
		);
	});

	it("knows leap years", () => {
		expect(formatDate(Date.UTC(2024, 1, 29), 0)).toBe("2024-02-29");
		expect(formatDate(Date.UTC(2000, 1, 29), 0)).toBe("2000-02-29");
		expect(formatDate(Date.UTC(2100, 1, 28) + 86_400_000, 0)).toBe("2100-03-01");
	});

	it("cuts off fractions of a millisecond", () => {
		expect(formatTimestamp(someTimeMs + 0.999, 0)).toBe(formatTimestamp(someTimeMs, 0));
		expect(formatTimestamp(-0.5, 0)).toBe("1970-01-01T00:00:00.000+00:00");
		expect(formatTimestamp(-1.5, 0)).toBe("1969-12-31T23:59:59.999+00:00");
	});

	it("prints a valid time for every number", () => {
		fc.assert(
			fc.property(fc.double(), fc.double(), (timeMs, offset) => {
				const text = formatTimestamp(timeMs, offset);
				expect(text).toMatch(timestampPattern);
				expect(Date.parse(text)).not.toBeNaN();
			}),
		);
		expect(formatTimestamp(Number.NaN, Number.NaN)).toBe("1970-01-01T00:00:00.000+00:00");
		expect(formatTimestamp(Number.POSITIVE_INFINITY, 0)).toBe("9999-12-31T23:59:59.999+00:00");
		expect(formatTimestamp(Number.NEGATIVE_INFINITY, 0)).toBe("0000-01-01T00:00:00.000+00:00");
		expect(formatTimestamp(Number.MAX_VALUE, 32_767)).toBe("9999-12-31T23:59:59.999+23:59");
		expect(formatTimestamp(0, -32_768)).toBe("1969-12-31T00:01:00.000-23:59");
	});
});

describe("formatDate", () => {
	it("prints the local date", () => {
		expect(formatDate(someTimeMs, 0)).toBe("2026-11-22");
		expect(formatDate(someTimeMs, 18 * 60)).toBe("2026-11-23");
		expect(formatDate(someTimeMs, -7 * 60)).toBe("2026-11-21");
	});
});

describe("localOffsetMinutes", () => {
	const zone = process.env["TZ"];
	afterEach(() => {
		if (zone === undefined) delete process.env["TZ"];
		else process.env["TZ"] = zone;
	});

	it("is positive east of Greenwich and follows summer time to the second", () => {
		process.env["TZ"] = "Europe/Berlin";
		const summerStarts = Date.UTC(2026, 2, 29, 1);
		expect(localOffsetMinutes(summerStarts - 1)).toBe(60);
		expect(localOffsetMinutes(summerStarts)).toBe(120);
		process.env["TZ"] = "America/St_Johns";
		expect(localOffsetMinutes(someTimeMs)).toBe(-210);
		process.env["TZ"] = "UTC";
		expect(Object.is(localOffsetMinutes(someTimeMs + 3_600_000), 0)).toBe(true);
	});

	it("is a number for every time", () => {
		expect(localOffsetMinutes(Number.NaN)).toBe(0);
		expect(localOffsetMinutes(Number.POSITIVE_INFINITY)).toBe(0);
	});
});

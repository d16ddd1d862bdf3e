import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { defaultFilename, expandFilename, type FilenameValues } from "../../src/line/filename.ts";
import { someTimeMs } from "./record-builder.ts";

const values: FilenameValues = {
	now: someTimeMs,
	utcOffsetMinutes: 0,
	pid: 4711,
	hostname: "host-1",
	name: "api",
};

describe("a file name", () => {
	it("is the local date by default", () => {
		expect(expandFilename(defaultFilename, values)).toBe("logs/2026-11-22.log");
		expect(expandFilename("%date%.log", { ...values, utcOffsetMinutes: 1080 })).toBe("2026-11-23.log");
	});

	it("knows every placeholder", () => {
		expect(expandFilename("%TIMENOW%_%date%_%pid%_%hostname%_%name%_%%", values)).toBe(
			"2026-11-22_2026-11-22_4711_host-1_api_%",
		);
	});

	it("refuses an unknown word and names the nearest", () => {
		expect(() => expandFilename("logs/%timenow%.log", values)).toThrow(
			expect.objectContaining({
				code: "PYLOG_PLACEHOLDER_UNKNOWN",
				message: expect.stringMatching(/filename "logs\/%timenow%\.log" holds %timenow%.*nearest is %TIMENOW%/),
			}),
		);
	});

	it("is not led elsewhere by a value", () => {
		expect(expandFilename("logs/%name%.log", { ...values, name: "../../etc/x" })).toBe("logs/.._.._etc_x.log");
		expect(expandFilename("logs/%name%/a.log", { ...values, name: ".." })).toBe("logs/__/a.log");
		expect(expandFilename("logs/.%name%/a.log", { ...values, name: "." })).toBe("logs/._/a.log");
		expect(expandFilename("logs/%name%.log", { ...values, name: "a\\b\u0000\n" })).toBe("logs/a_b__.log");
		expect(expandFilename("logs/%name%.log", { ...values, name: "" })).toBe("logs/-.log");
	});

	it("has as many folders as its template, whatever the values", () => {
		const part = fc.string({ unit: fc.constantFrom(".", "/", "\\", "a", "\u0000", "\n") });
		fc.assert(
			fc.property(part, part, (name, hostname) => {
				const path = expandFilename("logs/.%name%/%hostname%/x", { ...values, name, hostname });
				const folders = path.split("/");
				expect(folders).toHaveLength(4);
				expect(folders).not.toContain("..");
				expect(folders).not.toContain(".");
				expect(folders).not.toContain("");
			}),
		);
	});
});

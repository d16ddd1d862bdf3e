import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { levels } from "../../src/line/level.ts";
import { PylogError } from "../../src/shared/errors.ts";
import { levelNames } from "../../src/shared/level-names.ts";
import { parseInboxMessage } from "../../src/spool/inbox-message.ts";

const least = { msg: "hello", logTo: "/logs/app.log" };

function parse(members: Readonly<Record<string, unknown>>): ReturnType<typeof parseInboxMessage> {
	return parseInboxMessage(JSON.stringify({ ...least, ...members }), "normal");
}

/** The problems named for a text that is refused. */
function problemsOf(text: string): readonly string[] {
	try {
		parseInboxMessage(text, "normal");
	} catch (error) {
		expect(error).toBeInstanceOf(PylogError);
		expect((error as PylogError).code).toBe("PYLOG_INBOX_MESSAGE_INVALID");
		return (error as PylogError).details["problems"] as string[];
	}
	return [];
}
const problemsWith = (members: object): readonly string[] => problemsOf(JSON.stringify({ ...least, ...members }));

describe("parseInboxMessage", () => {
	it("takes a message and a path, and the priority of its folder", () => {
		expect(parseInboxMessage(JSON.stringify(least), "normal")).toEqual({ ...least, priority: false });
		expect(parseInboxMessage(JSON.stringify(least), "priority")).toEqual({ ...least, priority: true });
	});

	it("takes all keys, and gives back what is again a message", () => {
		const parsed = parse({ level: "WARN", exception: "Error: x", priority: true, time: "2026-01-31T12:00:00.5Z" });
		expect(parsed).toEqual({
			...least,
			level: "warning",
			exception: "Error: x",
			priority: true,
			time: Date.UTC(2026, 0, 31, 12, 0, 0, 500),
		});
		expect(parseInboxMessage(JSON.stringify(parsed), "normal")).toEqual(parsed);
	});

	it("believes the message, not the folder, where both speak of priority", () => {
		const text = JSON.stringify({ ...least, priority: false });
		expect(parseInboxMessage(text, "priority").priority).toBe(false);
	});

	it("takes null for a key that is left out", () => {
		const parsed = parse({ level: null, exception: null, priority: null, time: null });
		expect(parsed).toEqual({ ...least, priority: false });
		expect(problemsOf('{"msg": null, "logTo": "/a"}')).toEqual(['"msg" takes a string, got null']);
	});

	it("knows every level of the lines, in any case", () => {
		expect(levelNames).toEqual(Object.keys(levels));
		for (const level of levelNames) expect(parse({ level: level.toUpperCase() }).level).toBe(level);
		expect(problemsWith({ level: "silent" })).toEqual([
			'"level" takes one of trace debug info warning error fatal (or warn), got "silent"',
		]);
	});

	it.each([
		["2026-01-31T12:00:00Z", Date.UTC(2026, 0, 31, 12)],
		["2026-01-31t12:00z", Date.UTC(2026, 0, 31, 12)],
		["2026-01-31 12:00:00.123456789+01:30", Date.UTC(2026, 0, 31, 10, 30, 0, 123)],
		["2026-01-31T12:00:00,5-0800", Date.UTC(2026, 0, 31, 20, 0, 0, 500)],
		["2026-01-31T12:00:00+01", Date.UTC(2026, 0, 31, 11)],
		["2026-01-31T12:00:00.123456", new Date(2026, 0, 31, 12, 0, 0, 123).getTime()],
		["9999-12-31T23:59:59.999Z", 253_402_300_799_999],
		[0, 0],
		[1_769_860_800_000, 1_769_860_800_000],
		[1_769_860_800_000.75, 1_769_860_800_000],
	])("reads the time %s", (time, expected) => {
		expect(parse({ time }).time).toBe(expected);
	});

	it.each([
		"yesterday",
		"",
		"2026-02-30T12:00:00Z",
		"2026-13-01T12:00:00Z",
		"2026-01-31",
		"2026-01-31T25:00:00Z",
		"1969-12-31T23:59:59Z",
		-1,
		253_402_300_800_000,
		1e300,
	])("refuses the time %s", (time) => {
		const [problem] = problemsWith({ time });
		expect(problem).toMatch(/^"time" takes a time from 1970 to 9999, such as .*, got /);
	});

	it("names every problem with what it takes and what it got", () => {
		const text = JSON.stringify({
			msg: 7,
			level: "loud",
			exception: {},
			priority: "yes",
			time: true,
			lvl: 1,
			LOGTO: 2,
		});
		expect(problemsOf(text)).toEqual([
			'"msg" takes a string, got 7',
			'"logTo" is missing',
			'"level" takes one of trace debug info warning error fatal (or warn), got "loud"',
			'"exception" takes a string, got an object',
			'"priority" takes true or false, got "yes"',
			'"time" takes ISO 8601 or milliseconds since 1970, got true',
			'"lvl" is no key, the nearest is "level"',
			'"LOGTO" is no key, the nearest is "logTo"',
		]);
	});

	it("refuses keys that every object has by inheritance", () => {
		const text = '{"msg":"m","logTo":"/a","__proto__":{"level":"fatal"},"constructor":1,"toString":2}';
		expect(problemsOf(text)).toHaveLength(3);
	});

	it("refuses a path that is relative, holds NUL or is too long for the system", () => {
		expect(problemsWith({ logTo: "logs/app.log" })).toEqual(['"logTo" takes an absolute path, got "logs/app.log"']);
		expect(problemsWith({ logTo: "" })).toEqual(['"logTo" takes an absolute path, got ""']);
		expect(problemsWith({ logTo: "/logs/a\0b" })).toEqual(['"logTo" takes a path without NUL, got "/logs/a\\u0000b"']);
		expect(problemsWith({ logTo: `/${"x".repeat(4094)}` })).toEqual([]);
		expect(problemsWith({ logTo: `/${"é".repeat(2100)}` })[0]).toContain("at most 4095 bytes");
	});

	it.each([
		["", "it is empty"],
		[" \n", "it is empty"],
		['{"msg": "half', "it is not JSON"],
		['{"msg": "m", "logTo": "/a"} trailing', "it is not JSON"],
		["null", "it is a JSON object, got null"],
		["[]", "it is a JSON object, got an array"],
		['"text"', 'it is a JSON object, got "text"'],
	])("refuses %j", (text, problem) => {
		expect(problemsOf(text)).toHaveLength(1);
		expect(problemsOf(text)[0]).toContain(problem);
	});

	it("keeps its own message short, whatever was sent", () => {
		const members = Object.fromEntries(Array.from({ length: 10_000 }, (_, index) => [`${index}`.repeat(100), 1]));
		const nested = `${"[".repeat(200_000)}${"]".repeat(200_000)}`;
		expect(problemsWith(members).join("; ").length).toBeLessThan(2000);
		expect(problemsOf(`{"msg":${nested},"logTo":${JSON.stringify("x".repeat(1e6))}}`)).toEqual([
			'"msg" takes a string, got an array',
			`"logTo" takes an absolute path, got "${"x".repeat(79)}… (1000002 characters)`,
			`"logTo" takes a path of at most 4095 bytes, got "${"x".repeat(79)}… (1000002 characters)`,
		]);
	});

	it("answers any JSON with a message or with its own error", () => {
		fc.assert(
			fc.property(fc.json(), (text) => {
				expect(problemsOf(text).length).toBeGreaterThan(0);
			}),
		);
		fc.assert(
			fc.property(fc.string({ unit: "binary" }), (msg) => {
				expect(parse({ msg }).msg).toBe(msg);
			}),
		);
	});
});

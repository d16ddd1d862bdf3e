import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compileLogform, renderPrefix } from "../../src/line/logform.ts";
import { upperLevelName } from "../../src/line/level.ts";
import { compileRenderer } from "../../src/line/renderer.ts";
import { queueNumber } from "../../src/shared/numbers.ts";
import { type LoggerDefinition, type LogRecord, recordFlags } from "../../src/spool/log-record.ts";
import { makeDefinition, makeRecord, type RecordContent, renderText } from "./record-builder.ts";

function render(
	content: RecordContent,
	definition: Partial<LoggerDefinition> = {},
	changes: Partial<LogRecord> = {},
): string {
	return renderText(compileRenderer(makeDefinition(definition)), makeRecord(content, changes));
}

const brief = { logform: "%loglevel% | " };

describe("a text line", () => {
	it("is prefix and message", () => {
		expect(render({ message: "user logged in" })).toBe(
			"INFO - 2026-11-22T06:25:28.123+00:00 - app.ts:7 | user logged in\n",
		);
	});

	it("prints every placeholder", () => {
		const logform = "%loglevel% %time% %file% %date% %pid% %hostname% %name% %queue% %% ";
		expect(render({ message: "m" }, { logform, name: "api" }, { queue: queueNumber(12_345_678_901) })).toBe(
			"INFO 2026-11-22T06:25:28.123+00:00 app.ts:7 2026-11-22 4711 host-1 api 12345678901 % m\n",
		);
		expect(render({ message: "m" }, { logform: "%file% %name% " }, { callSite: "" })).toBe("- - m\n");
		expect(render({ message: "m" }, brief, { level: 35 })).toBe("LEVEL35 | m\n");
	});

	it("has the prefix that renderPrefix gives for the same values", () => {
		const text = fc.string({ unit: "binary", maxLength: 30 });
		const template = fc
			.array(
				fc.constantFrom(
					"%loglevel%",
					"%time%",
					"%date%",
					"%file%",
					"%pid%",
					"%hostname%",
					"%name%",
					"%queue%",
					"a",
					" ",
				),
			)
			.map((parts) => parts.join(""));
		fc.assert(
			fc.property(
				template,
				text,
				text,
				text,
				fc.integer({ min: 0, max: 300 }),
				(logform, name, hostname, callSite, level) => {
					const definition = makeDefinition({ logform, name, hostname });
					const record = makeRecord({}, { callSite, level, utcOffsetMinutes: 90, definition });
					const prefix = renderPrefix(compileLogform(logform), {
						...record,
						loglevel: upperLevelName(level),
						pid: definition.pid,
						name,
						hostname,
					});
					expect(renderText(compileRenderer(definition), record)).toBe(`${prefix}\n`);
				},
			),
		);
	});

	it("ends with the fields as JSON: the bound ones, then its own", () => {
		expect(render({ message: "m", fields: '"b":2,"c":"x y"' }, { ...brief, fields: '"a":1' })).toBe(
			'INFO | m {"a":1,"b":2,"c":"x y"}\n',
		);
		expect(render({ message: "m" }, { ...brief, fields: '"a":1' })).toBe('INFO | m {"a":1}\n');
		expect(render({ message: "m", fields: '"b":2' }, brief)).toBe('INFO | m {"b":2}\n');
		expect(render({ message: "m" }, brief)).toBe("INFO | m\n");
		expect(render({ fields: '"b":2' }, brief)).toBe('INFO |  {"b":2}\n');
	});

	it("leaves the bound fields out when the record has them among its own", () => {
		const changes = { flags: recordFlags.ownFieldsOnly };
		expect(render({ message: "m", fields: '"a":2' }, { ...brief, fields: '"a":1' }, changes)).toBe(
			'INFO | m {"a":2}\n',
		);
		expect(render({ message: "m" }, { ...brief, fields: '"a":1' }, changes)).toBe("INFO | m\n");
	});

	it("says when it is late", () => {
		expect(render({ message: "m" }, brief, { late: true })).toBe('INFO | m {"late":true}\n');
		expect(render({ message: "m", fields: '"b":2' }, { ...brief, fields: '"a":1' }, { late: true })).toBe(
			'INFO | m {"a":1,"b":2,"late":true}\n',
		);
	});

	it("continues a message of several lines with an indent no prefix starts with", () => {
		expect(render({ message: "one\nINFO | two\r\n" }, brief)).toBe("INFO | one\n    INFO | two\\r\n    \n");
		expect(render({ message: "one\ntwo" }, { logform: " %loglevel% " })).toBe(" INFO one\n\ttwo\n");
		expect(render({ message: "one\ntwo" }, { logform: "" })).toBe("one\\ntwo\n");
	});

	it("escapes control characters and what is no UTF-8", () => {
		expect(render({ message: "\u001b]0;x\u0007 \u202e" }, brief)).toBe("INFO | \\x1b]0;x\\x07 \\u202e\n");
		expect(render({ message: Buffer.from([0x61, 0xff, 0x0a, 0x62]) }, brief)).toBe("INFO | a\ufffd\n    b\n");
	});

	it("escapes hostile names and call sites, and their leading blanks", () => {
		const logform = "%name% %file% | ";
		expect(render({ message: "m" }, { logform, name: "  a\nb" }, { callSite: " x\u001b.ts:1" })).toBe(
			"\\x20 a\\nb \\x20x\\x1b.ts:1 | m\n",
		);
	});

	it("has an error below it, indented", () => {
		const error = { type: "E", message: "bad", stack: "E: bad\n    at f (a.ts:1:1)" };
		expect(render({ message: "failed", fields: '"a":1', error }, brief)).toBe(
			'INFO | failed {"a":1}\n    E: bad\n        at f (a.ts:1:1)\n',
		);
		expect(render({ message: "failed", error }, { logform: " %loglevel% " })).toBe(
			" INFO failed\n\tE: bad\n\t    at f (a.ts:1:1)\n",
		);
		expect(render({ message: "failed", error }, { logform: "" })).toBe("failed\n    E: bad\n        at f (a.ts:1:1)\n");
	});

	it("has the error's headline as message where there is none", () => {
		const error = { type: "E", message: "bad\nworse", stack: "" };
		expect(render({ error }, brief)).toBe("INFO | E: bad\n    worse\n    E: bad\n        worse\n");
	});

	it("prints an error part that can't be read as it is, on one line", () => {
		expect(render({ message: "m", error: '{"type":\n"E\u001b' }, brief)).toBe('INFO | m\n    {"type":\\n"E\\x1b\n');
		expect(render({ error: "[1]" }, brief)).toBe("INFO | \n    [1]\n");
	});

	it("prints fields that are no JSON escaped, on the same line", () => {
		expect(render({ message: "m", fields: 'x\n\u001b{"' }, brief)).toBe('INFO | m {x\\u000a\\u001b{"}\n');
		expect(render({ message: "m" }, { ...brief, fields: "y\n" })).toBe("INFO | m {y\\u000a}\n");
	});
});

describe("a finished line", () => {
	const flags = recordFlags.finished;

	it("has neither prefix nor fields, and is one line", () => {
		expect(render({ message: "  as it\nwas" }, { fields: '"a":1' }, { flags })).toBe("  as it\\nwas\n");
		expect(render({ message: '{"a":1}' }, { format: "json", fields: '"a":1' }, { flags, late: true })).toBe(
			'{"a":1}\n',
		);
	});

	it("has its exception below it", () => {
		expect(render({ message: "m", error: { type: "E", message: "bad", stack: "" } }, {}, { flags })).toBe(
			"m\n    E: bad\n",
		);
	});
});

describe("no text line", () => {
	const hostile = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/u;
	const bytes = fc.oneof(
		fc.uint8Array({ maxLength: 60 }),
		fc.string({ unit: "binary", maxLength: 60 }).map((text) => Buffer.from(text)),
		fc
			.constantFrom("\n", "x\nINFO - ", "\r\n\u001b[2J", '{"type":"E","message":"a\\nb"}')
			.map((text) => Buffer.from(text)),
	);
	const error = fc.oneof(
		bytes,
		fc
			.record({ type: fc.string(), message: fc.string({ unit: "binary" }), stack: fc.string({ unit: "binary" }) })
			.map((part) => Buffer.from(JSON.stringify({ ...part, cause: part, errors: [part, { value: part.stack }] }))),
		fc.jsonValue().map((value) => Buffer.from(JSON.stringify(value))),
		fc
			.jsonValue()
			.map((value) => Buffer.from(JSON.stringify({ type: "E", properties: value, cause: value, errors: [value] }))),
	);
	const content = fc.record({ message: bytes, fields: bytes, error });
	const changes = fc.record({
		flags: fc.nat({ max: 15 }),
		level: fc.nat({ max: 255 }),
		late: fc.boolean(),
		timeMs: fc.double(),
		utcOffsetMinutes: fc.integer({ min: -32_768, max: 32_767 }),
		callSite: fc.string({ unit: "binary" }),
	});
	const definition = fc.record({
		logform: fc.oneof(fc.string(), fc.constantFrom("", "%loglevel% - ", " %time% ", "%name%%file%", "%nope%", "\n")),
		name: fc.string({ unit: "binary" }),
		hostname: fc.string({ unit: "binary" }),
		fields: fc.string({ unit: "binary" }),
	});

	it("throws, holds a control character but newline and tab, or is not UTF-8, whatever the bytes", () => {
		fc.assert(
			fc.property(content, definition, changes, (parts, defined, changed) => {
				const text = render(parts, defined, changed);
				expect(text).not.toMatch(hostile);
				expect(text.endsWith("\n")).toBe(true);
			}),
			{ numRuns: 1000 },
		);
	});

	it("starts like a line, but the first of its record", () => {
		const logform = fc.constantFrom("%loglevel% - ", " %time% ", "\t%file%", "%name% | ", "%hostname%", "x", "");
		fc.assert(
			fc.property(logform, content, changes, fc.string(), (template, parts, changed, name) => {
				const [first, ...further] = render(parts, { logform: template, name }, changed).split("\n");
				expect(first).toBeDefined();
				expect(further.pop()).toBe("");
				const blank = template.startsWith(" ") && (changed.flags & recordFlags.finished) === 0 ? "\t" : "    ";
				for (const line of further) expect(line.startsWith(blank)).toBe(true);
			}),
			{ numRuns: 500 },
		);
	});

	it("is more than one without a newline in its message or an error", () => {
		fc.assert(
			fc.property(content, definition, changes, (parts, defined, changed) => {
				const message = Buffer.from(parts.message.filter((byte) => byte !== 10));
				expect(render({ message, fields: parts.fields }, defined, changed).split("\n")).toHaveLength(2);
			}),
			{ numRuns: 300 },
		);
	});

	it("depends on what was rendered before, or on the time zone", () => {
		const zone = process.env["TZ"];
		fc.assert(
			fc.property(content, definition, changes, (parts, defined, changed) => {
				process.env["TZ"] = "Asia/Tokyo";
				const inTokyo = render(parts, defined, changed);
				render({ message: "another" }, {}, { timeMs: 1, level: 50, callSite: "b.ts:2" });
				process.env["TZ"] = "America/New_York";
				expect(render(parts, defined, changed)).toBe(inTokyo);
			}),
		);
		if (zone === undefined) delete process.env["TZ"];
		else process.env["TZ"] = zone;
	});
});

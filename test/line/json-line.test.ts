import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { reservedKeys } from "../../src/line/json-line.ts";
import { compileRenderer } from "../../src/line/renderer.ts";
import { queueNumber } from "../../src/shared/numbers.ts";
import { type LoggerDefinition, type LogRecord, recordFlags } from "../../src/spool/log-record.ts";
import { makeDefinition, makeRecord, type RecordContent, renderText } from "./record-builder.ts";

function render(
	content: RecordContent,
	definition: Partial<LoggerDefinition> = {},
	changes: Partial<LogRecord> = {},
): string {
	const whole = makeDefinition({ format: "json", logform: "", ...definition });
	return renderText(compileRenderer(whole), makeRecord(content, changes));
}

/** The keys of the outermost object, as often as they occur, told by their colons. */
function topLevelKeys(line: string): readonly string[] {
	const keys: string[] = [];
	let depth = 0;
	for (const [token, text] of line.matchAll(/("(?:[^"\\]|\\.)*")\s*(?=:)|"(?:[^"\\]|\\.)*"|[[\]{}]/g)) {
		if (token === "{" || token === "[") depth++;
		if (token === "}" || token === "]") depth--;
		if (depth === 1 && text !== undefined) keys.push(JSON.parse(text) as string);
	}
	return keys;
}

/** Members as the logger stores them. */
const members = fc
	.dictionary(
		fc.string({ unit: "binary" }).filter((key) => !reservedKeys.has(key)),
		fc.jsonValue({ stringUnit: "binary" }),
		{ maxKeys: 4 },
	)
	.map((object) => ({ object, text: JSON.stringify(object).slice(1, -1) }));

describe("a JSON line", () => {
	it("has its keys in the documented order", () => {
		const error = { type: "E", message: "bad", stack: "", cause: { value: 1 } };
		expect(
			render(
				{ message: "paid", fields: '"order":7', error },
				{ name: "api", fields: '"service":"shop"' },
				{ late: true },
			),
		).toBe(
			'{"time":"2026-11-22T06:25:28.123+00:00","level":"info","queue":12,"pid":4711,"name":"api","file":"app.ts:7",' +
				'"msg":"paid","service":"shop","order":7,"late":true,' +
				'"err":{"type":"E","message":"bad","stack":"","cause":{"value":1}}}\n',
		);
	});

	it("leaves out name and file where they are not known, and everything that is empty", () => {
		expect(render({}, {}, { callSite: "" })).toBe(
			'{"time":"2026-11-22T06:25:28.123+00:00","level":"info","queue":12,"pid":4711,"msg":""}\n',
		);
	});

	it("prints numbers and levels as they are", () => {
		const line = render({ message: "m" }, {}, { queue: queueNumber(2 ** 53 - 1), level: 35, utcOffsetMinutes: -60 });
		expect(JSON.parse(line)).toMatchObject({
			queue: 2 ** 53 - 1,
			level: "level35",
			time: "2026-11-22T05:25:28.123-01:00",
		});
	});

	it("gives back what was logged, with each key once and in its place", () => {
		fc.assert(
			fc.property(
				fc.string({ unit: "binary" }),
				members,
				members,
				fc.string({ unit: "binary" }),
				fc.string({ unit: "binary" }),
				fc.boolean(),
				(message, bound, own, name, callSite, late) => {
					const collides = Object.keys(bound.object).some((key) => Object.hasOwn(own.object, key));
					const flags = collides ? recordFlags.ownFieldsOnly : 0;
					const line = render({ message, fields: own.text }, { name, fields: bound.text }, { callSite, late, flags });
					const parsed = JSON.parse(line) as Record<string, unknown>;
					expect(parsed["msg"]).toBe(message);
					expect(parsed["name"]).toBe(name === "" ? undefined : name);
					expect(parsed["file"]).toBe(callSite === "" ? undefined : callSite);
					expect(parsed["late"]).toBe(late ? true : undefined);
					const fields = { ...(collides ? {} : bound.object), ...own.object };
					for (const [key, value] of Object.entries(fields)) {
						expect(parsed[key]).toEqual(JSON.parse(JSON.stringify(value)));
					}
					const keys = topLevelKeys(line);
					expect(new Set(keys).size).toBe(keys.length);
					expect(line.indexOf("\n")).toBe(line.length - 1);
				},
			),
			{ numRuns: 300 },
		);
	});

	it("knows its own keys", () => {
		const error = { type: "E", message: "", stack: "" };
		const keys = topLevelKeys(render({ message: "m", error }, { name: "n" }, { late: true }));
		expect(new Set(keys)).toEqual(reservedKeys);
	});

	it("keeps the error as it was stored", () => {
		fc.assert(
			fc.property(fc.string({ unit: "binary" }), fc.jsonValue({ stringUnit: "binary" }), (message, value) => {
				const error = { type: "E", message, stack: `E: ${message}\n    at x`, properties: { value }, cause: { value } };
				const line = render({ message: "m", error });
				expect(JSON.parse(line).err).toEqual(JSON.parse(JSON.stringify(error)));
				expect(line.indexOf("\n")).toBe(line.length - 1);
			}),
		);
		expect(JSON.parse(render({ error: '{\n\t"type": "E"\r\n}' })).err).toEqual({ type: "E" });
		expect(render({ error: '{"n":12345678901234567890,"n":1e400}' })).toContain(
			'"err":{"n":12345678901234567890,"n":1e400}}',
		);
	});

	it("has an error part that can't be read as a string", () => {
		for (const error of ['{"type":', "[1]", "text \u001b\n", "5", `{"a":${"[".repeat(10_000)}`]) {
			expect(JSON.parse(render({ message: "m", error })).err).toBe(error);
		}
	});

	it("replaces bytes that are not UTF-8", () => {
		const line = render({ message: Buffer.from([0x61, 0xe9, 0xc0, 0x80]), error: Buffer.from([0x22, 0xff]) });
		expect(JSON.parse(line)).toMatchObject({ msg: "a\ufffd\ufffd\ufffd", err: '"\ufffd' });
	});

	it("is one line without control characters, whatever the bytes", () => {
		const bytes = fc.uint8Array({ maxLength: 80 });
		const flags = fc.constantFrom(0, 2, 4, 6, 8);
		fc.assert(
			fc.property(bytes, bytes, bytes, fc.string({ unit: "binary" }), flags, (message, fields, error, bound, flag) => {
				const line = render({ message, fields, error }, { fields: bound }, { flags: flag });
				expect(line.slice(0, -1)).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/u);
				expect(line.endsWith("\n")).toBe(true);
				expect(() => JSON.parse(render({ message, error }))).not.toThrow();
			}),
			{ numRuns: 500 },
		);
	});
});

import { describe, expect, it } from "vitest";
import { parseErrorPart } from "../../src/line/error-part.ts";
import { errorHeadline, writeErrorText } from "../../src/line/error-text.ts";
import { LineBuffer } from "../../src/line/line-buffer.ts";
import type { ErrorRecord } from "../../src/spool/log-record.ts";

function errorText(error: object, indent = "    "): string {
	const bytes = Buffer.from(JSON.stringify(error));
	const parsed = parseErrorPart(bytes, 0, bytes.length);
	if (parsed === undefined) throw new Error("the error part could not be read");
	const out = new LineBuffer({ initialBytes: 1 });
	writeErrorText(parsed, indent, out);
	return out.bytes.toString();
}

function record(changes: Partial<ErrorRecord> = {}): ErrorRecord {
	const type = changes.type ?? "TypeError";
	const message = changes.message ?? "no such user";
	return {
		type,
		message,
		stack: `${type}: ${message}\n    at find (users.ts:1:2)\n    at main (app.ts:3:4)`,
		...changes,
	};
}

describe("an error as text", () => {
	it("is its stack, indented, with its own properties after the first line", () => {
		expect(errorText(record({ properties: { code: "E_USER", id: 7 } }))).toBe(
			[
				'    TypeError: no such user {"code":"E_USER","id":7}',
				"        at find (users.ts:1:2)",
				"        at main (app.ts:3:4)",
				"",
			].join("\n"),
		);
	});

	it("names its causes below it, and what was thrown that is no error", () => {
		const cause = record({ type: "Error", message: "outer cause", stack: "", cause: { value: { a: "x\n" } } });
		expect(errorText(record({ stack: "", cause }))).toBe(
			'    TypeError: no such user\n    caused by: Error: outer cause\n    caused by: {"a":"x\\n"}\n',
		);
		expect(errorText(record({ stack: "", cause: { value: "text" } }))).toBe(
			'    TypeError: no such user\n    caused by: "text"\n',
		);
	});

	it("lists the errors of an AggregateError, each with its own causes", () => {
		const errors = [
			record({ message: "first", stack: "", cause: record({ message: "why", stack: "", properties: { n: 1 } }) }),
			{ value: 42 },
		];
		expect(errorText({ type: "AggregateError", message: "all failed", stack: "", errors })).toBe(
			[
				"    AggregateError: all failed",
				"        [0] TypeError: first",
				'        caused by: TypeError: why {"n":1}',
				"        [1] 42",
				"",
			].join("\n"),
		);
	});

	it("indents the further lines of a message", () => {
		expect(errorText(record({ message: "line one\nline two", properties: { a: 1 } }))).toBe(
			[
				'    TypeError: line one {"a":1}',
				"        line two",
				"        at find (users.ts:1:2)",
				"        at main (app.ts:3:4)",
				"",
			].join("\n"),
		);
	});

	it("uses the indent it is given on every line", () => {
		const text = errorText(record({ message: "a\nb", cause: record(), errors: [record()] }), "\t");
		for (const line of text.split("\n").slice(0, -1)) expect(line.startsWith("\t")).toBe(true);
	});

	it("prints the class of the error where V8 prints its name", () => {
		const stack = "Error: no such user\n    at find (users.ts:1:2)";
		expect(errorText(record({ type: "UserError", stack }))).toBe(
			"    UserError: no such user\n        at find (users.ts:1:2)\n",
		);
	});

	it("keeps the code that Node writes between name and message", () => {
		const stack = "TypeError [ERR_X]: no such user\n    at find (users.ts:1:2)";
		expect(errorText(record({ stack }))).toBe("    TypeError [ERR_X]: no such user\n        at find (users.ts:1:2)\n");
	});

	it("prints both messages where it was changed after the stack was made", () => {
		expect(errorText(record({ stack: "TypeError: old words\n    at find (users.ts:1:2)" }))).toBe(
			"    TypeError: no such user\n        TypeError: old words\n        at find (users.ts:1:2)\n",
		);
	});

	it("is not misled by a short message", () => {
		expect(errorText({ type: "Error", message: "ab", stack: "Error: abc\n    at f (a.ts:1:1)" })).toBe(
			"    Error: ab\n        Error: abc\n        at f (a.ts:1:1)\n",
		);
		expect(errorText({ type: "Error", message: "m", stack: "Error: n\n    at f: m\n    at g" })).toBe(
			"    Error: m\n        Error: n\n        at f: m\n        at g\n",
		);
		expect(errorText({ type: "RangeError", message: "a", stack: "RangeError: a\n    at f (a.ts:1:1)" })).toBe(
			"    RangeError: a\n        at f (a.ts:1:1)\n",
		);
		expect(errorText({ type: "Error", message: "", stack: "Error\n    at f (a.ts:1:1)" })).toBe(
			"    Error\n        at f (a.ts:1:1)\n",
		);
		expect(errorText({ type: "Error", message: "", stack: "Error: \n    at f (a.ts:1:1)" })).toBe(
			"    Error\n        at f (a.ts:1:1)\n",
		);
		expect(errorText({ type: "Error", message: "only", stack: "Error: only" })).toBe("    Error: only\n");
	});

	it("agrees with the stacks V8 really makes", () => {
		class PaymentError extends Error {}
		for (const error of [
			new Error("x"),
			new PaymentError("two\nlines"),
			Reflect.construct<[], Error>(TypeError, []),
			new Error(": "),
			anonymous(),
		]) {
			const { message, stack = "" } = error;
			const text = errorText({ type: error.constructor.name, message, stack });
			const frames = stack.split("\n").filter((line) => /^ {4}at /.test(line));
			expect(frames.length).toBeGreaterThan(0);
			const headline = `${error.constructor.name}${message === "" ? "" : `: ${message.replace("\n", "\n        ")}`}`;
			expect(text).toBe(`    ${headline}\n${frames.map((frame) => `    ${frame}\n`).join("")}`);
		}
	});

	it("escapes control characters in every part", () => {
		const text = errorText({
			type: "Bad\u001b",
			message: "m\u001b\r",
			stack: "Bad\u001b: m\u001b\r\n    at \u202efile\u0085",
			properties: { "k\u007f": "v\u2028" },
			cause: { value: "c\u009b" },
		});
		expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028\u202e]/);
		expect(text.split("\n")).toHaveLength(4);
	});

	it("prints whatever a hostile record puts in place of texts", () => {
		const odd = { type: 5, message: { a: 1 }, stack: ["s"], properties: [1], errors: "e", cause: null };
		expect(errorText(odd)).toBe('    5: {"a":1}\n        ["s"]\n    caused by: null\n');
		expect(errorText({})).toBe("    Error\n");
		expect(errorText({ cause: { neither: true }, errors: [[], 1, null] })).toBe(
			'    Error\n        [0] []\n        [1] 1\n        [2] null\n    caused by: {"neither":true}\n',
		);
		expect(errorText(JSON.parse('{"type":"A","__proto__":{"message":"m"},"constructor":1}'))).toBe("    A\n");
	});

	it("stops indenting at a depth, so that a deep nest stays small", () => {
		let error: object = { type: "Deepest", message: "", stack: "" };
		for (let depth = 0; depth < 90; depth++) error = { type: "E", errors: [error] };
		const text = errorText(error);
		expect(text).toContain("[0] Deepest");
		expect(Math.max(...text.split("\n").map((line) => line.search(/\S/)))).toBeLessThanOrEqual(40);
	});
});

describe("an error's headline", () => {
	it("is type and message", () => {
		expect(errorHeadline({ type: "TypeError", message: "bad" })).toBe("TypeError: bad");
		expect(errorHeadline({ type: "TypeError", message: "" })).toBe("TypeError");
		expect(errorHeadline({ message: "bad" })).toBe("Error: bad");
	});
});

describe("an error part", () => {
	const parse = (text: string) => parseErrorPart(Buffer.from(text), 0, Buffer.byteLength(text));

	it("is a JSON object and nothing else", () => {
		expect(parse('{"type":"E"}')).toEqual({ type: "E" });
		for (const text of ["", "x", "5", "null", "[1]", '"text"', '{"type":', '{"a":1}}', "\ufeff{}"]) {
			expect(parse(text)).toBeUndefined();
		}
	});

	it("counts as unreadable when it nests too deeply or is too large", () => {
		const nested = (depth: number) => `{"a":${"[".repeat(depth)}${"]".repeat(depth)}}`;
		expect(parse(nested(199))).toBeDefined();
		expect(parse(nested(200))).toBeUndefined();
		expect(parse(nested(1_000_000))).toBeUndefined();
		expect(parse(`{"a":"${"[{".repeat(500)}\\"${"[{".repeat(500)}"}`)).toBeDefined();
		expect(parse(`{"a":"${"x".repeat(4 * 1024 * 1024)}"}`)).toBeUndefined();
	});
});

/** An error whose stack starts with the message alone. */
function anonymous(): Error {
	const error = new Error("no name");
	error.name = "";
	Error.captureStackTrace(error, anonymous);
	return error;
}

import { runInNewContext } from "node:vm";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
	encodeError,
	errorHeadline,
	errorMessage,
	maxErrorChars,
	maxMessageChars,
	maxStackChars,
} from "../../src/logger/error-record.ts";
import type { ErrorRecord } from "../../src/spool/log-record.ts";
import { hostileValue, revokedProxy, throwingError, throwingProxy } from "./hostile-values.ts";

function encode(error: unknown): ErrorRecord {
	return JSON.parse(encodeError(error)) as ErrorRecord;
}

class HttpError extends Error {
	readonly statusCode = 503;
	readonly request = { path: "/pay", retry: undefined };
}

describe("encodeError", () => {
	it("has type, message, stack and own properties", () => {
		const error = new HttpError("unavailable");
		expect(encode(error)).toEqual({
			type: "HttpError",
			message: "unavailable",
			stack: error.stack,
			properties: { statusCode: 503, request: { path: "/pay" } },
		});
	});

	it("names what the constructor's name does not say", () => {
		expect(encode(Object.assign(new Error("x"), { name: "Custom" }))).toMatchObject({ type: "Custom" });
		expect(encode(Object.assign(new Error("x"), { name: "Custom" })).properties).toBeUndefined();
		expect(encode(new DOMException("stopped", "AbortError"))).toMatchObject({ type: "AbortError", message: "stopped" });
		expect(encode(Object.assign(new HttpError("x"), { name: "Other" }))).toMatchObject({
			type: "HttpError",
			properties: { name: "Other" },
		});
	});

	it("nests causes, also those that are no errors", () => {
		const error = new Error("a", { cause: new TypeError("b", { cause: { why: "c" } }) });
		expect(encode(error)).toMatchObject({
			message: "a",
			cause: { type: "TypeError", message: "b", cause: { value: { why: "c" } } },
		});
		expect(encode(new Error("a", { cause: "text" })).cause).toEqual({ value: "text" });
		expect(encode(new Error("a", { cause: undefined })).cause).toBeUndefined();
	});

	it("asks a method for the cause, as older libraries have it", () => {
		const prototype = Object.create(Error.prototype, { cause: { value: () => new Error("below") } }) as object;
		const error = Object.setPrototypeOf(new Error("above"), prototype) as Error;
		expect(encode(error).cause).toMatchObject({ message: "below" });
	});

	it("marks cycles of causes and cuts chains that are too long", () => {
		const first = new Error("first");
		first.cause = new Error("second", { cause: first });
		expect(encode(first).cause).toMatchObject({ message: "second", cause: { value: "[Circular]" } });
		let chain = new Error("bottom");
		for (let depth = 0; depth < 30; depth++) chain = new Error(`level ${depth}`, { cause: chain });
		expect(encodeError(chain).match(/"message"/g)).toHaveLength(16);
		expect(encodeError(chain)).toContain("…[cut at depth 16]");
	});

	it("lists aggregated errors, counting those beyond 32", () => {
		const errors = Array.from({ length: 40 }, (_, index) => new Error(`no ${index}`));
		const record = encode(new AggregateError(errors, "many"));
		expect(record).toMatchObject({ type: "AggregateError", message: "many" });
		expect(record.errors).toHaveLength(33);
		expect(record.errors?.[1]).toMatchObject({ message: "no 1" });
		expect(record.errors?.[32]).toEqual({ value: "…[cut 8 errors]" });
	});

	it("keeps a property `errors` that is no list", () => {
		const error = Object.assign(new Error("invalid"), { errors: { name: new Error("required") } });
		expect(encode(error).properties).toMatchObject({ errors: { name: { type: "Error", message: "required" } } });
	});

	it("knows errors of another realm and objects that look like errors", () => {
		const { foreign } = runInNewContext("({ foreign: new RangeError('far') })") as { foreign: unknown };
		expect(encode(foreign)).toMatchObject({ type: "RangeError", message: "far" });
		const parsed = { name: "RemoteError", message: "from afar", stack: "RemoteError: from afar\n    at x", code: 7 };
		expect(encode(parsed)).toEqual({
			type: "RemoteError",
			message: "from afar",
			stack: parsed.stack,
			properties: { code: 7 },
		});
	});

	it("survives getters that throw", () => {
		const { stack: _, ...record } = encode(throwingError());
		expect(record).toMatchObject({
			type: "[Throws: refused]",
			message: "[Throws: refused]",
			cause: { value: "[Throws: refused]" },
			properties: { code: "[Throws: refused]" },
		});
	});

	it("survives proxies", () => {
		expect(encode(revokedProxy())).toMatchObject({ type: "object", message: expect.stringMatching(/^\[Throws: /) });
		expect(encode(throwingProxy())).toMatchObject({ type: "object", message: expect.stringMatching(/^\[Throws: /) });
		const hidden = new Proxy(new Error("behind"), { get: () => JSON.parse("{") as unknown });
		expect(encode(hidden).message).toMatch(/^\[Throws: /);
	});

	it("tells what was thrown when it was no error", () => {
		expect(encode("text")).toEqual({ type: "string", message: "text", stack: "" });
		expect(encode(undefined)).toEqual({ type: "undefined", message: "undefined", stack: "" });
		expect(encode(null)).toEqual({ type: "null", message: "null", stack: "" });
		expect(encode(7n)).toEqual({ type: "bigint", message: "7", stack: "" });
		expect(encode(Symbol("s"))).toEqual({ type: "symbol", message: "Symbol(s)", stack: "" });
		expect(encode({ code: 5 })).toEqual({ type: "object", message: "", stack: "", properties: { code: 5 } });
		expect(encode({ message: "half", code: 5 })).toMatchObject({ message: "half", properties: { code: 5 } });
		expect(encode([1])).toEqual({ type: "object", message: "1", stack: "", properties: { value: [1] } });
	});

	it("keeps a message that is no text", () => {
		expect(encode(Object.assign(new Error("x"), { message: { code: 1 } })).message).toBe('{"code":1}');
		expect(encode(Object.assign(new Error("x"), { message: 7 })).message).toBe("7");
		expect(encode(Object.assign(new Error("x"), { message: undefined })).message).toBe("");
	});

	it("cuts huge messages and stacks, and keeps the frames", () => {
		const record = encode(new Error("m".repeat(500_000)));
		expect(record.message).toBe(`${"m".repeat(maxMessageChars)}…[cut ${500_000 - maxMessageChars} characters]`);
		expect(record.stack).toMatch(/characters\]\n {4}at /);
		const deep = Object.assign(new Error("x"), { stack: `Error: x\n${"    at f (file.js:1:1)\n".repeat(10_000)}` });
		expect(encode(deep).stack).toMatch(/…\[cut \d+ characters\]$/);
		expect(encode(deep).stack.length).toBeLessThan(maxStackChars + 50);
	});

	it("bounds what aggregated errors could multiply", () => {
		let error = new Error("leaf");
		for (let level = 0; level < 10; level++) error = new AggregateError([error, error, error, error], "x");
		const text = encodeError(error);
		expect(text.length).toBeLessThan(maxErrorChars * 1.5);
		expect(() => JSON.parse(text) as unknown).not.toThrow();
	});

	it("never throws, and gives an error record for anything", () => {
		fc.assert(
			fc.property(hostileValue, (make) => {
				const record = encode(make());
				expect(typeof record.type).toBe("string");
				expect(typeof record.message).toBe("string");
				expect(typeof record.stack).toBe("string");
			}),
			{ numRuns: 2000 },
		);
	});
});

describe("the text of an error", () => {
	it("is its message, or headline", () => {
		expect(errorMessage(new Error("why"))).toBe("why");
		expect(errorMessage("why")).toBe("why");
		expect(errorHeadline(new TypeError("why"))).toBe("TypeError: why");
		expect(errorHeadline(Object.assign(new TypeError("why"), { message: "" }))).toBe("TypeError");
	});
});

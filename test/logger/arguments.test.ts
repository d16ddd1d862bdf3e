import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseArguments } from "../../src/logger/arguments.ts";
import { encodeFields } from "../../src/logger/fields.ts";
import { cycle, hostileValue, revokedProxy, throwingGetter, throwingProxy } from "./hostile-values.ts";

const error = new TypeError("boom");
const fields = { orderId: 7 };

/** Message, fields as JSON, and error of a call. */
function parse(first: unknown, ...rest: readonly unknown[]): readonly [string, unknown, unknown] {
	const parsed = parseArguments(first, rest);
	expect(parsed.hasError).toBe(parsed.error !== undefined);
	const members = parsed.fields === undefined ? "" : encodeFields(parsed.fields, undefined, "text", true).members;
	return [parsed.message, JSON.parse(`{${members}}`), parsed.error];
}

describe("parseArguments", () => {
	it("takes the message first", () => {
		expect(parse("paid")).toEqual(["paid", {}, undefined]);
		expect(parse("paid", fields)).toEqual(["paid", fields, undefined]);
		expect(parse("failed", error)).toEqual(["failed", {}, error]);
		expect(parse("failed", error, fields)).toEqual(["failed", fields, error]);
		expect(parse("failed", fields, error)).toEqual(["failed", fields, error]);
	});

	it("takes fields or an error first", () => {
		expect(parse(fields, "paid")).toEqual(["paid", fields, undefined]);
		expect(parse(fields)).toEqual(["", fields, undefined]);
		expect(parse(fields, error)).toEqual(["boom", fields, error]);
		expect(parse(error)).toEqual(["boom", {}, error]);
		expect(parse(error, "failed")).toEqual(["failed", {}, error]);
		expect(parse(error, fields)).toEqual(["boom", fields, error]);
		expect(parse(error, "failed", fields)).toEqual(["failed", fields, error]);
		expect(parse(fields, "failed", error)).toEqual(["failed", fields, error]);
	});

	it("hands the fields on as they are", () => {
		expect(parseArguments("paid", [fields]).fields).toBe(fields);
	});

	it("prints a primitive that comes first", () => {
		expect(parse(42)[0]).toBe("42");
		expect(parse(undefined)[0]).toBe("undefined");
		expect(parse(null)[0]).toBe("null");
		expect(parse(Symbol("s"))[0]).toBe("Symbol(s)");
		expect(parse(10n)[0]).toBe("10");
		expect(parse(false, fields)).toEqual(["false", fields, undefined]);
		expect(parse(function named() {})[0]).toBe("[Function named]");
	});

	it("keeps what has no place in args", () => {
		expect(parse("text", "more", 1, null)).toEqual(["text", { args: ["more", 1, null] }, undefined]);
		expect(parse("text", fields, { second: 1 })).toEqual(["text", { ...fields, args: [{ second: 1 }] }, undefined]);
		expect(parse("text", [1, 2])).toEqual(["text", { args: [[1, 2]] }, undefined]);
		expect(parse([1, 2], "text")).toEqual(["text", { args: [[1, 2]] }, undefined]);
		expect(parse(new Map([["a", 1]]))).toEqual(["", { args: [{ a: 1 }] }, undefined]);
		expect(parse(error, 5)).toEqual(["boom", { args: [5] }, error]);
		const [, { args }] = parse("two", error, new Error("second")) as [string, { args: unknown[] }, unknown];
		expect(args).toMatchObject([{ type: "Error", message: "second" }]);
	});

	it("leaves undefined out", () => {
		expect(parse("failed", undefined)).toEqual(["failed", {}, undefined]);
		expect(parse("failed", undefined, fields)).toEqual(["failed", fields, undefined]);
	});

	it("finds a free name for args, and calls no getter before its turn", () => {
		let reads = 0;
		const given = {
			get args(): number {
				return ++reads;
			},
			bad: throwingGetter(),
		};
		const parsed = parseArguments("text", [given, 5]);
		expect(reads).toBe(0);
		expect(encodeFields(parsed.fields ?? {}, undefined, "text").members).toBe(
			'"args":1,"bad":{"before":1,"bad":"[Throws: refused]","after":2},"args_":[5]',
		);
	});

	it("keeps args beside fields that convert themselves or can't be read", () => {
		expect(parse("text", { toJSON: () => ({ shown: 1 }) }, 5)[1]).toEqual({ shown: 1, args: [5] });
		expect(parse("text", { toJSON: () => "converted" }, 5)[1]).toEqual({ fields: "converted", args: [5] });
		expect(parse("text", throwingProxy(), 5)[1]).toMatchObject({ args: [expect.stringMatching(/^\[Throws/), 5] });
	});

	describe("printf", () => {
		it("formats by the rules of util.format", () => {
			expect(parse("%s is %d (%i, %f) %j %%", "x", 1.5, 1.5, "2.5", { a: 1 })).toEqual([
				'x is 1.5 (1, 2.5) {"a":1} %',
				{},
				undefined,
			]);
			expect(parse("%o and %O", [1], { b: 1 })[0]).toBe("[ 1, [length]: 1 ] and { b: 1 }");
			expect(parse(fields, "%s", "x")).toEqual(["x", fields, undefined]);
			expect(parse("%s", undefined)[0]).toBe("undefined");
		});

		it("changes nothing without values", () => {
			expect(parse("100%% of %s")).toEqual(["100%% of %s", {}, undefined]);
			expect(parse(fields, "100%% of %s")).toEqual(["100%% of %s", fields, undefined]);
		});

		it("leaves placeholders without a value, and keeps values without a placeholder", () => {
			expect(parse("%s and %s", "one")).toEqual(["one and %s", {}, undefined]);
			expect(parse("%s", "one", "two", fields)).toEqual(["one", { ...fields, args: ["two"] }, undefined]);
			expect(parse("100% sure %c", fields)).toEqual(["100% sure %c", fields, undefined]);
		});

		it("does not turn fields into NaN", () => {
			expect(parse("50%done %s", fields)).toEqual(["50%done %s", fields, undefined]);
		});

		it("prints an error as one line, and takes it as the line's error", () => {
			expect(parse("failed: %s", error)).toEqual(["failed: TypeError: boom", {}, error]);
			expect(parse("%s then %s", "x", error, fields)).toEqual(["x then TypeError: boom", fields, error]);
		});

		it("survives values that can't be printed", () => {
			expect(parse("%s", { toString: () => JSON.parse("{") as string })[0]).toMatch(/^\[Throws: /);
			expect(parse("%j", cycle())[0]).toContain("[Circular]");
			expect(parse("%j %j", 1n, Symbol("s"))[0]).toBe('1 "Symbol(s)"');
			expect(parse("%d", Symbol("s"))[0]).toBe("NaN");
			expect(parse("%s|%o|%O|%j", revokedProxy(), revokedProxy(), revokedProxy(), revokedProxy())[0]).toMatch(
				/Revoked Proxy.*\|.*\|.*\|"\[Throws: .*\]"$/,
			);
		});

		it("does not take what a value holds for a placeholder", () => {
			expect(parse("%s %s", "%s", "$&")[0]).toBe("%s $&");
		});
	});

	it("never throws, whatever it is given", () => {
		const text = fc.array(fc.constantFrom("%s", "%d", "%j", "%o", "%O", "%i", "%f", "%%", "%c", "%", "x"));
		fc.assert(
			fc.property(hostileValue, text, fc.array(hostileValue, { maxLength: 4 }), (make, parts, makes) => {
				const rest = makes.map((other) => other());
				for (const values of [
					[make(), ...rest],
					[parts.join(""), ...rest],
					[make(), parts.join(""), ...rest],
				]) {
					const parsed = parseArguments(values[0], values.slice(1));
					expect(typeof parsed.message).toBe("string");
					if (parsed.fields !== undefined) {
						JSON.parse(`{${encodeFields(parsed.fields, undefined, "json", parsed.hasError).members}}`);
					}
				}
			}),
			{ numRuns: 1000 },
		);
	});
});

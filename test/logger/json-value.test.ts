import { runInNewContext } from "node:vm";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { writeRecord } from "../../src/logger/error-record.ts";
import { maxValueChars, valueText } from "../../src/logger/json-value.ts";
import { testSeed } from "../test-seed.ts";
import { cycle, hostileValue, revokedProxy, throwingGetter, throwingProxy } from "./hostile-values.ts";

function encode(value: unknown): string | undefined {
	return valueText(value, "key", maxValueChars, writeRecord);
}

class HttpError extends Error {}

describe("valueText", () => {
	it("marks cycles, and only those", () => {
		expect(encode(cycle())).toBe('{"name":"cycle","self":"[Circular]","list":["[Circular]",{"up":"[Circular]"}]}');
		const shared = { a: 1 };
		expect(encode([shared, shared])).toBe('[{"a":1},{"a":1}]');
	});

	it("keeps what stands beside a thrower", () => {
		expect(encode([1, throwingGetter(), 2])).toBe('[1,{"before":1,"bad":"[Throws: refused]","after":2},2]');
		expect(encode({ a: { toJSON: () => JSON.parse("{") as unknown }, b: 1 })).toMatch(
			/^\{"a":"\[Throws: .*JSON.*\]","b":1\}$/,
		);
		expect(encode({ a: revokedProxy(), b: throwingProxy(), c: 1 })).toMatch(
			/^\{"a":"\[Throws: .+\]","b":"\[Throws: .+\]","c":1\}$/,
		);
	});

	it("says something about throwers that throw throwers", () => {
		const worst = {
			get a(): never {
				throw revokedProxy() as Error;
			},
		};
		expect(encode(worst)).toBe('{"a":"[Throws: something that can\'t be printed]"}');
	});

	it("honours toJSON once, with the key, also where it gives the object itself", () => {
		const calls: string[] = [];
		const value = {
			shown: 1,
			toJSON(key: string): unknown {
				calls.push(key);
				return this;
			},
		};
		expect(encode({ inner: value })).toMatch(/^\{"inner":\{"shown":1,"toJSON":"\[Function toJSON\]"\}\}$/);
		expect(calls).toEqual(["inner"]);
		expect(encode({ a: { toJSON: () => undefined }, b: [{ toJSON: () => undefined }] })).toBe('{"b":[null]}');
	});

	it("marks a toJSON that leads back to what holds it", () => {
		const parent: { child?: unknown } = {};
		parent.child = { toJSON: () => parent };
		expect(encode(parent)).toBe('{"child":"[Circular]"}');
	});

	it("prints dates, also invalid ones and those of another realm", () => {
		const { foreign } = runInNewContext("({ foreign: new Date(0) })") as { foreign: unknown };
		expect(encode([new Date(0), foreign, new Date(Number.NaN)])).toBe(
			'["1970-01-01T00:00:00.000Z","1970-01-01T00:00:00.000Z","Invalid Date"]',
		);
	});

	it("prints any date as it does itself", () => {
		fc.assert(
			fc.property(fc.date({ noInvalidDate: true }), fc.date({ noInvalidDate: true }), (date, other) => {
				expect(encode([date, other, date])).toBe(JSON.stringify([date, other, date]));
			}),
			{ seed: testSeed() },
		);
		const dates = [-8.64e15, 8.64e15, -1, 0, 86_399_999, 86_400_000].map((timeMs) => new Date(timeMs));
		expect(encode(dates)).toBe(JSON.stringify(dates));
	});

	it("tells of an error that was given the prototype of a class which extends nothing", () => {
		class Legacy {
			name = "LegacyError";
		}
		const error = Object.setPrototypeOf(Object.assign(new Error("refused"), { code: 5 }), Legacy.prototype) as object;
		expect(JSON.parse(encode({ error }) ?? "")).toMatchObject({
			error: { message: "refused", stack: expect.stringContaining("refused"), properties: { code: 5 } },
		});
	});

	it("tells what is built in also behind a class of the application", () => {
		class Named extends Map<string, number> {}
		class Times extends Date {}
		class Plain {
			x = 1;
			toJSON?: () => string;
		}
		const speaking = Object.assign(new Plain(), { toJSON: () => "spoken" });
		expect(encode([new Named([["a", 1]]), new Times(0), new Plain(), speaking])).toBe(
			'[{"a":1},"1970-01-01T00:00:00.000Z",{"x":1},"spoken"]',
		);
	});

	it("prints maps as objects, telling keys apart that print alike, and sets as arrays", () => {
		const map = new Map<unknown, unknown>([
			[1, "number"],
			["1", "text"],
			[Symbol("s"), new Set(["x", new Set()])],
			["gone", undefined],
		]);
		expect(encode(map)).toBe('{"1":"number","1_":"text","Symbol(s)":["x",[]]}');
	});

	it("prints errors as error records, wherever they are", () => {
		const { foreign } = runInNewContext("({ foreign: new RangeError('far') })") as { foreign: unknown };
		const printed = JSON.parse(encode({ list: [new TypeError("near"), foreign] }) ?? "") as { list: unknown[] };
		expect(printed.list).toMatchObject([
			{ type: "TypeError", message: "near" },
			{ type: "RangeError", message: "far" },
		]);
	});

	it("prints binary data short", () => {
		expect(encode(Uint8Array.of(1, 2, 3))).toBe('{"type":"Uint8Array","bytes":3,"base64":"AQID"}');
		expect(encode(Buffer.from([1, 2, 3]))).toBe('{"type":"Buffer","bytes":3,"base64":"AQID"}');
		expect(encode(new Float64Array(1))).toMatch(/^\{"type":"Float64Array","bytes":8,"base64":"A+="\}$/);
		expect(encode(new DataView(new ArrayBuffer(4), 1))).toMatch(/^\{"type":"DataView","bytes":3/);
		expect(encode(new SharedArrayBuffer(2))).toMatch(/^\{"type":"SharedArrayBuffer","bytes":2/);
		expect(encode(Buffer.alloc(5000))).toMatch(
			/^\{"type":"Buffer","bytes":5000,"base64":"A{1364}…\[cut 3977 bytes\]"\}$/,
		);
	});

	it("prints boxed primitives, patterns and functions", () => {
		expect(encode([Object("s"), Object(1n), /a"b/g, HttpError, () => 1])).toBe(
			'["s",1,"/a\\"b/g","[Function HttpError]","[Function]"]',
		);
	});

	it("escapes halves of character pairs, so that the text survives as UTF-8", () => {
		expect(encode("a\ud800b")).toBe('"a\\ud800b"');
	});

	it("cuts long strings with a mark, and never within a character", () => {
		const cut = JSON.parse(encode("x".repeat(65_535) + "\u{1f600}".repeat(10)) ?? "") as string;
		expect(cut).toBe(`${"x".repeat(65_535)}…[cut 20 characters]`);
	});

	it("bounds depth, breadth and size, with marks", () => {
		let deep: unknown = "bottom";
		for (let level = 0; level < 20; level++) deep = { deep };
		expect(encode(deep)).toMatch(/^(\{"deep":){16}"…\[cut at depth 16\]"\}{16}$/);
		expect(encode(Array.from({ length: 1003 }, () => 1))).toMatch(/^\[(1,){1000}"…\[cut 3 items\]"\]$/);
		expect(encode(new Set(Array.from({ length: 1003 }, (_, index) => index)))).toMatch(/,999,"…\[cut 3 items\]"\]$/);
		const wide = Object.fromEntries(Array.from({ length: 1003 }, (_, index) => [`k${index}`, 1]));
		expect(encode(wide)).toMatch(/"k999":1,"…":"…\[cut 3 members\]"\}$/);
		expect(encode({ "…": 1, ...wide })).toMatch(/"k998":1,"…_":"…\[cut 4 members\]"\}$/);
		expect(encode(new Map(Object.entries(wide)))).toMatch(/"k999":1,"…":"…\[cut 3 members\]"\}$/);
	});

	it("bounds what shared objects could multiply", () => {
		let branching: unknown = "leaf";
		for (let level = 0; level < 15; level++) branching = [branching, branching, branching, branching];
		const text = encode(branching) ?? "";
		expect(text.length).toBeLessThan(maxValueChars * 1.1);
		expect(() => JSON.parse(text) as unknown).not.toThrow();
	});

	it("prints what is JSON already as JSON does", () => {
		fc.assert(
			fc.property(fc.jsonValue({ maxDepth: 8, stringUnit: "binary" }), (value) => {
				expect(encode(value)).toBe(JSON.stringify(value));
			}),
			{ seed: testSeed(), numRuns: 1000 },
		);
		const brackets = Array.from({ length: 1000 }, () => [[], {}, [[]]]);
		expect(encode(brackets) === JSON.stringify(brackets)).toBe(true);
	});

	it("takes back what throws half way", () => {
		let asked = 0;
		const refusing = new Proxy(
			{ first: "é", second: 2 },
			{
				getOwnPropertyDescriptor(target, key) {
					if (key === "second" && asked++ >= 0) throw new Error("enough");
					return Reflect.getOwnPropertyDescriptor(target, key);
				},
			},
		);
		expect(encode({ before: 1, refusing, after: { refusing } })).toBe(
			'{"before":1,"refusing":"[Throws: enough]","after":{"refusing":"[Throws: enough]"}}',
		);
		const members = { é: { toJSON: () => undefined }, last: [{ toJSON: () => undefined }] };
		expect(encode(members)).toBe('{"last":[null]}');
	});

	it("leaves out what is inherited, and keeps own keys of such names", () => {
		const heir = Object.create({ inherited: 1, both: 2 }) as Record<string, unknown>;
		heir["both"] = 3;
		heir["hasOwnProperty"] = 4;
		expect(encode({ heir })).toBe('{"heir":{"both":3,"hasOwnProperty":4}}');
	});

	it("never throws, and gives bounded JSON for anything", () => {
		fc.assert(
			fc.property(hostileValue, (make) => {
				const text = encode(make());
				if (text !== undefined) JSON.parse(text);
			}),
			{ numRuns: 2000 },
		);
	});
});

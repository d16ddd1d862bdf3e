import { execFileSync } from "node:child_process";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { reservedKeys } from "../../src/line/json-line.ts";
import { type BoundFields, bindFields, encodeFields, maxFieldsChars } from "../../src/logger/fields.ts";
import { formats } from "../../src/spool/log-record.ts";
import { hostileFields, revokedProxy, throwingGetter, throwingProxy } from "./hostile-values.ts";

function text(fields: object, bound?: BoundFields): string {
	return encodeFields(fields, bound, "text").members;
}

function json(fields: object, bound?: BoundFields): string {
	return encodeFields(fields, bound, "json").members;
}

/** The keys of the outermost object, in order and with repetitions, as `JSON.parse` does not give them. */
function topLevelKeys(members: string): string[] {
	const keys: string[] = [];
	let depth = 0;
	let isKey = true;
	for (const [token] of members.matchAll(/"(?:[^"\\]|\\.)*"|[{}[\],:]/g)) {
		if (token === "{" || token === "[") depth++;
		else if (token === "}" || token === "]") depth--;
		else if (depth === 0 && token === ",") isKey = true;
		else if (depth === 0 && token === ":") isKey = false;
		else if (depth === 0 && isKey && token.startsWith('"')) keys.push(JSON.parse(token) as string);
	}
	return keys;
}

describe("encodeFields", () => {
	it("writes flat fields as JSON does", () => {
		const fields = {
			userId: 42,
			name: 'a "quoted"\n\u{1f600}',
			ok: true,
			none: null,
			ratio: -0.5,
			big: 1e21,
			zero: -0,
		};
		expect(`{${text(fields)}}`).toBe(JSON.stringify(fields));
		expect(text({})).toBe("");
		expect(text({ gone: undefined, kept: 1 })).toBe('"kept":1');
	});

	it("shows what JSON would lose", () => {
		const named = (): void => undefined;
		expect(text({ a: Number.NaN, b: -Infinity, c: 10n ** 20n, d: Symbol("x"), e: named, f: () => 1 })).toBe(
			'"a":"NaN","b":"-Infinity","c":100000000000000000000,"d":"Symbol(x)","e":"[Function named]","f":"[Function f]"',
		);
	});

	it("loses only the property whose getter throws", () => {
		expect(text(throwingGetter())).toBe('"before":1,"bad":"[Throws: refused]","after":2');
		expect(text({ inner: throwingGetter() })).toBe('"inner":{"before":1,"bad":"[Throws: refused]","after":2}');
	});

	it("reads each property once", () => {
		let reads = 0;
		const inner = {
			get value(): number {
				return ++reads;
			},
		};
		expect(text({ inner, list: [inner] })).toBe('"inner":{"value":1},"list":[{"value":2}]');
		const top = {
			get err(): number {
				return ++reads;
			},
		};
		expect(text(top)).toBe('"err":3');
	});

	it("says so when it can't list the fields at all", () => {
		expect(text(throwingProxy())).toMatch(/^"fields":"\[Throws: .+\]"$/);
		expect(text(revokedProxy())).toMatch(/^"fields":"\[Throws: .+revoked.*\]"$/);
	});

	it("keeps what has no fields of its own in one field", () => {
		expect(text(new Map([["a", 1]]))).toBe('"fields":{"a":1}');
		expect(text([1, 2])).toBe('"fields":[1,2]');
		expect(text(new Date(0))).toBe('"fields":"1970-01-01T00:00:00.000Z"');
		expect(text(new URL("http://a/"))).toBe('"fields":"http://a/"');
	});

	it("takes what toJSON of the fields gives", () => {
		expect(text({ secret: 1, toJSON: () => ({ shown: 2 }) })).toBe('"shown":2');
	});

	it("keeps integer-like keys, and __proto__ as a key of its own", () => {
		expect(text(JSON.parse('{"b":1,"1":2,"__proto__":{"x":3}}') as object)).toBe('"1":2,"b":1,"__proto__":{"x":3}');
	});

	it("moves the line's own keys out of the way in JSON", () => {
		const fields = Object.fromEntries([...reservedKeys].map((key) => [key, 1]));
		expect(topLevelKeys(json(fields))).toEqual([...reservedKeys].map((key) => `${key}_`));
		expect(json({ msg: 1, msg_: 2, msg__: 3 })).toBe('"msg___":1,"msg_":2,"msg__":3');
		expect(text({ msg: 1, late: 2, late_: 3 })).toBe('"msg":1,"late__":2,"late_":3');
	});

	it("cuts long keys and keeps them apart", () => {
		const long = "k".repeat(1000);
		const keys = topLevelKeys(text({ [`${long}a`]: 1, [`${long}b`]: 2 }));
		expect(new Set(keys).size).toBe(2);
		expect(keys[0]).toBe(`${"k".repeat(256)}…[cut 745 characters]`);
	});

	it("remembers a bounded number of keys", () => {
		const url = new URL("../../dist/logger/fields.js", import.meta.url).href;
		const code = `
			import { encodeFields } from ${JSON.stringify(url)};
			const padding = "x".repeat(50);
			for (let index = 0; index < 150_000; index++) encodeFields({ [padding + index]: 1 }, undefined, "text");`;
		const flags = ["--max-old-space-size=16", "--input-type=module", "--eval", code];
		expect(() => execFileSync(process.execPath, flags, { stdio: "pipe" })).not.toThrow();
	});

	it("counts fields beyond a thousand, and beyond a size", () => {
		const many = Object.fromEntries(Array.from({ length: 1005 }, (_, index) => [`key${index}`, index]));
		expect(text({ "…": 0, ...many })).toMatch(/"key998":998,"…_":"…\[cut 6 fields\]"$/);
		const large = Object.fromEntries(Array.from({ length: 100 }, (_, index) => [`key${index}`, "x".repeat(60_000)]));
		const members = text(large);
		expect(members).toMatch(/"…":"…\[cut \d\d fields\]"$/);
		expect(members.length).toBeLessThan(maxFieldsChars * 1.1);
	});

	it("takes an error under err as the line's error, unless the line has one", () => {
		const error = new TypeError("boom");
		expect(encodeFields({ a: 1, err: error }, undefined, "text")).toMatchObject({ members: '"a":1', error });
		expect(encodeFields({ err: "text" }, undefined, "text")).toMatchObject({
			members: '"err":"text"',
			error: undefined,
		});
		const kept = encodeFields({ err: error }, undefined, "json", true);
		expect(kept.error).toBeUndefined();
		expect(JSON.parse(`{${kept.members}}`)).toMatchObject({ err_: { type: "TypeError", message: "boom" } });
		const named = encodeFields({ error }, undefined, "json");
		expect(named.error).toBeUndefined();
		expect(JSON.parse(`{${named.members}}`)).toMatchObject({ error: { type: "TypeError", message: "boom" } });
	});

	it("never throws, and gives JSON without a key twice that is not the line's own", () => {
		fc.assert(
			fc.property(hostileFields, hostileFields, hostileFields, fc.constantFrom(...formats), (a, b, c, format) => {
				const bound = bindFields(bindFields(undefined, a(), format), b(), format);
				const own = encodeFields(c(), bound, format);
				const inherited = own.ownFieldsOnly || bound.members === "" ? "" : bound.members;
				const members = [inherited, own.members].filter((part) => part !== "").join(",");
				JSON.parse(`{${members}}`);
				const keys = topLevelKeys(members);
				expect(new Set(keys).size).toBe(keys.length);
				for (const key of keys) expect(format === "json" ? reservedKeys.has(key) : key === "late").toBe(false);
			}),
			{ numRuns: 500 },
		);
	});

	it("gives what JSON gives for plain data", () => {
		const plain = fc.dictionary(
			fc.string({ unit: "binary" }).filter((key) => key.length < 200 && key !== "late" && key !== "toJSON"),
			fc.jsonValue({ maxDepth: 5, stringUnit: "binary" }),
		);
		fc.assert(
			fc.property(plain, (fields) => {
				expect(`{${text(fields)}}`).toBe(JSON.stringify(fields));
			}),
		);
	});
});

describe("bound fields", () => {
	const bound = bindFields(undefined, { service: "api", region: "eu" }, "json");

	it("are encoded once, with their keys", () => {
		expect(bound.members).toBe('"service":"api","region":"eu"');
		expect([...bound.keys]).toEqual([
			["service", '"api"'],
			["region", '"eu"'],
		]);
	});

	it("stay out of a line's own members", () => {
		expect(encodeFields({ a: 1 }, bound, "json")).toMatchObject({ members: '"a":1', ownFieldsOnly: false });
	});

	it("are not repeated when the call says the same", () => {
		expect(encodeFields({ region: "eu", a: 1 }, bound, "json")).toMatchObject({
			members: '"a":1',
			ownFieldsOnly: false,
		});
	});

	it("move when the call says something else", () => {
		expect(encodeFields({ a: 1, region: "us" }, bound, "json")).toMatchObject({
			members: '"service":"api","region_":"eu","a":1,"region":"us"',
			ownFieldsOnly: true,
		});
		expect(json({ region: "us", region_: "x" }, bound)).toBe(
			'"service":"api","region__":"eu","region":"us","region_":"x"',
		);
		expect(json({ region: undefined }, bound)).toBe("");
		const similar = bindFields(undefined, { a: 1, a_: 2 }, "json");
		expect(json({ a: 3, a_: 4 }, similar)).toBe('"a__":1,"a___":2,"a":3,"a_":4');
	});

	it("of the same reserved key meet under the same name", () => {
		const child = bindFields(undefined, { msg: "bound" }, "json");
		expect(child.members).toBe('"msg_":"bound"');
		expect(json({ msg: "bound" }, child)).toBe("");
		expect(json({ msg: "own" }, child)).toBe('"msg__":"bound","msg_":"own"');
	});

	it("of parent and child follow the same rules", () => {
		const child = bindFields(bound, { region: "us", service: "api", extra: 1 }, "json");
		expect(child.members).toBe('"service":"api","region_":"eu","region":"us","extra":1');
		expect([...child.keys.keys()]).toEqual(["service", "region_", "region", "extra"]);
		const grandchild = bindFields(child, { region: "cn" }, "json");
		expect(grandchild.members).toBe('"service":"api","region_":"eu","extra":1,"region__":"us","region":"cn"');
	});

	it("keep an error as a field", () => {
		const child = bindFields(undefined, { err: new Error("x") }, "json");
		expect([...child.keys.keys()]).toEqual(["err_"]);
	});
});

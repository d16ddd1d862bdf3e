/** A draft holds what was written into it, whatever its length and characters. */
import fc from "fast-check";
import { expect, it } from "vitest";
import { cutEntry } from "../../src/spool/cut-entry.ts";
import { Definition } from "../../src/spool/definition.ts";
import { Draft, giveBackDraft, takeDraft } from "../../src/spool/draft.ts";
import { recordFlags } from "../../src/spool/log-record.ts";
import { testSeed } from "../test-seed.ts";

function written(act: (draft: Draft) => void): string {
	const draft = new Draft();
	draft.message("");
	act(draft);
	return draft.textFrom(0);
}

it("writes texts of any length and any characters", () => {
	const texts = fc.oneof(fc.string({ maxLength: 100 }), fc.string({ unit: "binary", maxLength: 100 }));
	fc.assert(
		fc.property(texts, texts, texts, (message, fields, error) => {
			const draft = new Draft();
			draft.message(message);
			draft.text(fields);
			draft.endFields();
			draft.text(error);
			const entry = draft.toEntry();
			const well = [message, fields, error].map((text) => Buffer.from(text).toString());
			expect([entry.message, entry.fields, entry.error]).toEqual(well);
			const other = new Draft();
			other.takeOver(entry);
			expect(other.toEntry()).toEqual(entry);
			expect(other.end).toBe(Buffer.byteLength(well.join("")));
		}),
		{ seed: testSeed() },
	);
});

it("grows with what is written and gives it back", () => {
	const long = "x".repeat(100_000);
	const draft = takeDraft();
	const usual = draft.bytes.length;
	draft.message("start ");
	for (let count = 0; count < 1000; count++) draft.integer(count % 10);
	draft.text(long);
	expect(draft.textFrom(0)).toBe(`start ${"0123456789".repeat(100)}${long}`);
	giveBackDraft(draft);
	expect(draft.bytes.length).toBe(usual);
});

it("never holds more of a message than a record may have", () => {
	const long = "é".repeat(20_000_000);
	const draft = new Draft();
	draft.message(long);
	expect(draft.bytes.length).toBeLessThan(32 * 1024 * 1024);
	const { message, flags } = draft.toEntry();
	const whole = { level: 30, timeMs: 0, flags: 0, definition: draft.definition, callSite: undefined };
	const cut = cutEntry({ ...whole, message: long, fields: "", error: "" });
	expect(message === cut.message).toBe(true);
	expect(flags).toBe(recordFlags.cut);
	expect(cut.flags).toBe(recordFlags.cut);
});

it.each([0, -0, 1, 9, 10, -10, 99, 100, 999_999_999, 1_000_000_000, 2 ** 31 - 1, -(2 ** 31)])(
	"writes %d as JSON does",
	(value) => {
		expect(written((draft) => draft.integer(value))).toBe(JSON.stringify(value));
	},
);

it("takes plain strings as JSON only", () => {
	for (const text of ["", "plain", "~ !#[]", "x".repeat(40)]) {
		expect(written((draft) => expect(draft.plainString(text)).toBe(true))).toBe(JSON.stringify(text));
	}
	for (const text of ['"', "a\\b", "tab\t", "\u007f\u0080", "ü", "\ud800", "x".repeat(41)]) {
		expect(written((draft) => expect(draft.plainString(text)).toBe(false))).toBe("");
	}
});

it("writes any text as JSON does", () => {
	const unit = fc.constantFrom(
		"a",
		"b",
		"c",
		"d",
		"\n",
		'"',
		"\\",
		"\u0001",
		"\u007f",
		"ü",
		"€",
		"\u{1f600}",
		"\ud800",
	);
	const texts = fc.oneof(
		fc.string({ unit, maxLength: 300 }),
		fc.string({ unit: "grapheme-ascii", maxLength: 300 }),
		fc.string({ unit: fc.constantFrom("x", "y", "z", "\n", "\t"), maxLength: 300 }),
		fc.string({ unit: "binary", maxLength: 100 }),
	);
	fc.assert(
		fc.property(fc.string({ maxLength: 7 }), texts, (before, text) => {
			const draft = new Draft();
			draft.message(before);
			const start = draft.end;
			const chars = draft.anyString(text);
			expect(draft.textFrom(start)).toBe(JSON.stringify(text));
			expect(chars).toBe(JSON.stringify(text).length);
			expect(draft.linesString(text)).toBe(chars);
			draft.text("after");
			expect(draft.textFrom(start)).toBe(`${JSON.stringify(text)}${JSON.stringify(text)}after`);
		}),
		{ seed: testSeed(), numRuns: 1000 },
	);
	const all = '"\\\n'.repeat(20_000);
	expect(written((draft) => draft.anyString(all)) === JSON.stringify(all)).toBe(true);
});

it("writes numbers as JSON does", () => {
	const check = (value: number): void => {
		expect(written((draft) => draft.number(value))).toBe(JSON.stringify(value));
	};
	const sizes = [2 ** 31, 2 ** 31 + 0.5, 4e9 + 0.125, 1e9, 1e9 - 0.1, 1e12 - 0.001, 1e15 - 1, 1e15, 2 ** 53, 1e21];
	for (const size of [...sizes, 0.1, 0.25, 0.001, 0.0005, 1.0005, 12.05, 59.9, 1e-7, Math.PI, 1_700_000_000_000]) {
		check(size);
		check(-size);
	}
	const doubles = fc.double({ noNaN: true, noDefaultInfinity: true });
	const short = fc.tuple(fc.integer(), fc.integer({ min: 0, max: 5 })).map(([digits, places]) => digits / 10 ** places);
	fc.assert(fc.property(fc.oneof(doubles, short), check), { seed: testSeed(), numRuns: 2000 });
});

it("has room for brackets without end", () => {
	const brackets = (draft: Draft): void => {
		for (let count = 0; count < 100_000; count++) draft.bracket(0x5b);
	};
	expect(written(brackets) === "[".repeat(100_000)).toBe(true);
});

it("belongs to one call at a time", () => {
	const outer = takeDraft();
	const inner = takeDraft();
	expect(inner).not.toBe(outer);
	giveBackDraft(inner);
	giveBackDraft(outer);
	expect(takeDraft()).toBe(outer);
	giveBackDraft(outer);
});

it("tells what a segment needs for the record and its definitions", () => {
	const draft = new Draft();
	draft.message("hi");
	draft.definition = Definition.ofCallSite("x".repeat(9));
	expect(draft.neededBytes).toBe(56 + 64 + 48);
});

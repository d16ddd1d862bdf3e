import fc from "fast-check";
import { expect, it } from "vitest";
import { Draft } from "../../src/spool/draft.ts";
import { testSeed } from "../test-seed.ts";

function bytesOf(draft: Draft): string {
	return draft.bytes.toString("latin1", 0, draft.end);
}

function expectWritten(draft: Draft, text: string): void {
	draft.end = 0;
	draft.message(text);
	expect(bytesOf(draft)).toBe(Buffer.from(text, "utf8").toString("latin1"));
	expect([draft.fieldsStart, draft.errorStart]).toEqual([draft.end, draft.end]);
	expect(draft.hasPercent(text)).toBe(text.includes("%"));
}

it("a message that comes again is written as it was the first time, whatever came in between", () => {
	const draft = new Draft();
	const text = fc.oneof(
		fc.string({ unit: "binary", maxLength: 140 }),
		fc.constantFrom("", "paid", "50 %", "größer als vorher"),
	);
	fc.assert(
		fc.property(fc.array(text, { maxLength: 20 }), fc.array(fc.nat(19), { maxLength: 60 }), (texts, order) => {
			for (const index of order) if (index < texts.length) expectWritten(draft, texts[index] as string);
		}),
		{ seed: testSeed() },
	);
});

it("half a pair of surrogates is written as Node writes it, also the third time", () => {
	const draft = new Draft();
	for (let time = 0; time < 5; time++) {
		expectWritten(draft, "broken \ud800");
		expectWritten(draft, "broken \ufffd");
	}
});

it("more texts than are kept, and texts that never come again, are written as well", () => {
	const draft = new Draft();
	for (let round = 0; round < 4; round++) {
		for (let index = 0; index < 400; index++) expectWritten(draft, `message number ${index}`);
		for (let index = 0; index < 5000; index++) expectWritten(draft, `once only ${round}-${index}`);
		for (let time = 0; time < 3000; time++) expectWritten(draft, "the same each time");
	}
});

it("fields behind a message that is known stand where they belong", () => {
	const draft = new Draft();
	for (let time = 0; time < 5; time++) {
		draft.end = 0;
		draft.message("known");
		draft.text('"a":1');
		draft.endFields();
		expect(bytesOf(draft)).toBe('known"a":1');
		expect([draft.fieldsStart, draft.errorStart]).toEqual([5, 10]);
	}
});

import * as fc from "fast-check";
import { expect, it } from "vitest";
import { writeDecimal } from "../../src/line/decimal.ts";
import { LineBuffer } from "../../src/line/line-buffer.ts";

function decimal(value: number): string {
	const out = new LineBuffer({ initialBytes: 1 });
	writeDecimal(value, out);
	return out.bytes.toString();
}

it("whole numbers up to 2^53 print like String", () => {
	fc.assert(
		fc.property(fc.oneof(fc.maxSafeNat(), fc.nat()), (value) => {
			expect(decimal(value)).toBe(String(value));
		}),
	);
	for (let power = 0; power <= 15; power++) {
		for (const value of [10 ** power - 1, 10 ** power, 10 ** power + 1]) expect(decimal(value)).toBe(String(value));
	}
	expect(decimal(Number.MAX_SAFE_INTEGER)).toBe("9007199254740991");
});

it("numbers that follow one another, or come in turns, print like String", () => {
	for (const start of [0, 85, 990, 99_990, 9_999_985, 99_999_990, 2 ** 31 - 20, 999_999_999_999_990]) {
		for (let value = start; value < start + 130; value++) {
			expect(decimal(value)).toBe(String(value));
			expect(decimal(value + 1_000_000)).toBe(String(value + 1_000_000));
		}
		for (let value = start + 130; value >= start; value--) expect(decimal(value)).toBe(String(value));
	}
});

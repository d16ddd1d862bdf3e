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

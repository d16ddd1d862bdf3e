import { expect, it } from "vitest";
import { TailMemory } from "../../../src/sinks/file/tail-memory.ts";

const besideBytes = 256;

function filled(length: number, byte: number): Buffer {
	return Buffer.alloc(length, byte);
}

it("copies have the bytes they are made of, of any length, whatever the memory held before", () => {
	const memory = new TailMemory(64 * 1024 * 1024);
	const lengths = [1, 100, 8191, 8192, 8193, 10_000, 65_536, 70_001, 2 ** 20, 2 ** 21 + 160];
	for (let round = 0; round < 3; round++) {
		const copies = lengths.map((length, index) => {
			const copy = memory.copy(filled(length, round * 16 + index), besideBytes);
			expect(copy?.length).toBe(length);
			return copy as Buffer;
		});
		copies.forEach((copy, index) => expect(copy.equals(filled(copy.length, round * 16 + index))).toBe(true));
		for (const copy of copies) memory.giveBack(copy, besideBytes, true);
	}
});

it("memory is used again when nobody reads it any more, and only then", () => {
	const memory = new TailMemory(64 * 1024 * 1024);
	const first = memory.copy(filled(100_000, 1), besideBytes) as Buffer;
	memory.giveBack(first, besideBytes, false);
	const second = memory.copy(filled(100_000, 2), besideBytes) as Buffer;
	expect(first.equals(filled(100_000, 1))).toBe(true);
	memory.giveBack(second, besideBytes, true);
	const third = memory.copy(filled(99_990, 3), besideBytes) as Buffer;
	expect(third.buffer).toBe(second.buffer);
	expect(first.equals(filled(100_000, 1))).toBe(true);
});

it("no more is taken than the limit, and what was given back counts as free", () => {
	const memory = new TailMemory(1024 * 1024);
	const taken: Buffer[] = [];
	for (let copy: Buffer | undefined; (copy = memory.copy(filled(100_000, 7), besideBytes)) !== undefined; ) {
		taken.push(copy);
	}
	expect(taken.length).toBeGreaterThan(7);
	expect(taken.length).toBeLessThan(11);
	expect(new Set(taken.map(({ buffer }) => buffer)).size).toBe(taken.length);
	for (const copy of taken) memory.giveBack(copy, besideBytes, true);
	// Of another size: what is kept free makes room for it.
	const other = memory.copy(filled(900_000, 9), besideBytes);
	expect(other?.equals(filled(900_000, 9))).toBe(true);
	expect(memory.copy(filled(200_000, 9), besideBytes)).toBeUndefined();
});

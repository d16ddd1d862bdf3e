import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
	isPlausibleLength,
	isRecord,
	recordBytes,
	recordChecksum,
	recordHeader,
	recordHeaderBytes,
} from "../../src/spool/record-codec.ts";

interface Parts {
	readonly messageBytes: number;
	readonly fieldsBytes: number;
	readonly errorBytes: number;
	readonly content: Uint8Array;
	readonly seed: number;
}

const anyParts = fc
	.record({
		messageBytes: fc.nat(60),
		fieldsBytes: fc.nat(30),
		errorBytes: fc.nat(20),
		content: fc.uint8Array({ minLength: 160, maxLength: 160 }),
		seed: fc.integer(),
	})
	.map((parts): Parts => parts);

/** A valid record at the start of memory that goes on behind it. */
function makeRecord({ messageBytes, fieldsBytes, errorBytes, content, seed }: Parts): {
	bytes: Buffer;
	length: number;
} {
	const bytes = Buffer.from(new ArrayBuffer(4096));
	const length = recordBytes(messageBytes + fieldsBytes + errorBytes);
	bytes.set(content.subarray(0, length - recordHeader.number), recordHeader.number);
	bytes.writeUInt32LE(length, recordHeader.length);
	bytes.writeUInt32LE(messageBytes, recordHeader.messageBytes);
	bytes.writeUInt32LE(fieldsBytes, recordHeader.fieldsBytes);
	bytes.writeUInt32LE(errorBytes, recordHeader.errorBytes);
	bytes.writeInt32LE(recordChecksum(wordsOf(bytes), 0, length, seed), recordHeader.checksum);
	return { bytes, length };
}

function wordsOf(bytes: Buffer): Int32Array {
	return new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
}

/** As a reader asks. */
function isValid(bytes: Buffer, seed: number): boolean {
	const length = wordsOf(bytes)[0] as number;
	return isPlausibleLength(length, 0, bytes.length) && isRecord(wordsOf(bytes), 0, length, seed);
}

describe("a record", () => {
	it("is valid as it was made, and no other single bit of it is", () => {
		fc.assert(
			fc.property(anyParts, (parts) => {
				const { bytes, length } = makeRecord(parts);
				expect(isValid(bytes, parts.seed)).toBe(true);
				for (let bit = 0; bit < length * 8; bit++) {
					const mask = 1 << (bit & 7);
					bytes[bit >>> 3] = (bytes[bit >>> 3] as number) ^ mask;
					if (isValid(bytes, parts.seed)) expect.unreachable(`bit ${bit} flipped went unseen`);
					bytes[bit >>> 3] = (bytes[bit >>> 3] as number) ^ mask;
				}
				expect(isValid(bytes, parts.seed)).toBe(true);
			}),
			{ numRuns: 60 },
		);
	});

	it("is valid in its own segment only", () => {
		fc.assert(
			fc.property(anyParts, fc.integer(), (parts, otherSeed) => {
				fc.pre(otherSeed !== parts.seed);
				expect(isValid(makeRecord(parts).bytes, otherSeed)).toBe(false);
			}),
		);
	});

	it("does not depend on what stands behind it", () => {
		fc.assert(
			fc.property(anyParts, fc.integer(), (parts, behind) => {
				const { bytes, length } = makeRecord(parts);
				bytes.writeInt32LE(behind, length);
				expect(isValid(bytes, parts.seed)).toBe(true);
			}),
		);
	});

	it("is invalid when its parts do not make up its length, whatever the checksum says", () => {
		const hostile = [
			{ messageBytes: -8, fieldsBytes: 16, errorBytes: 0 },
			{ messageBytes: 24, fieldsBytes: -16, errorBytes: 0 },
			{ messageBytes: 0, fieldsBytes: 16, errorBytes: -8 },
			// 2^32 more than there are: a sum in 32 bits would not see it.
			{ messageBytes: 0x7fff_ffff, fieldsBytes: 0x7fff_ffff, errorBytes: 10 },
			{ messageBytes: 0, fieldsBytes: 0, errorBytes: 9 },
			{ messageBytes: 0, fieldsBytes: 0, errorBytes: 0 },
		];
		for (const parts of hostile) {
			const length = recordBytes(8);
			const words = new Int32Array(64);
			words[recordHeader.messageBytes / 4] = parts.messageBytes;
			words[recordHeader.fieldsBytes / 4] = parts.fieldsBytes;
			words[recordHeader.errorBytes / 4] = parts.errorBytes;
			words[1] = recordChecksum(words, 0, length, 7);
			expect(isRecord(words, 0, length, 7), JSON.stringify(parts)).toBe(false);
		}
	});
});

describe("a length", () => {
	it("is plausible when it is aligned, holds a header and ends within the segment", () => {
		expect(isPlausibleLength(recordHeaderBytes, 64, 64 + recordHeaderBytes)).toBe(true);
		expect(isPlausibleLength(recordHeaderBytes, 72, 64 + recordHeaderBytes)).toBe(false);
		for (const length of [0, 8, 40, 49, 52, -48, -8, 0x7fff_fff8, -0x8000_0000]) {
			expect(isPlausibleLength(length, 64, 65_536), String(length)).toBe(false);
		}
	});

	it("of a record is that of its parts, rounded up to eight", () => {
		expect([0, 1, 8, 9].map(recordBytes)).toEqual([48, 56, 56, 64]);
	});
});

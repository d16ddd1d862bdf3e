import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { lanes } from "../../src/shared/lane.ts";
import {
	decodeSegmentHeader,
	encodeSegmentHeader,
	segmentHeader,
	segmentHeaderBytes,
	segmentSeed,
} from "../../src/spool/segment-header.ts";

const word = fc.integer({ min: 0, max: 0xffff_ffff });
const anyHeader = fc.record({
	producer: word,
	nonce: word,
	lane: fc.constantFrom(...lanes),
	index: word,
	sizeBytes: word,
});

describe("a segment header", () => {
	it("comes back as it was written", () => {
		fc.assert(
			fc.property(anyHeader, (header) => {
				const bytes = encodeSegmentHeader(header);
				expect(bytes).toHaveLength(segmentHeaderBytes);
				expect(decodeSegmentHeader(bytes)).toEqual(header);
			}),
		);
	});

	it("is invalid with any of its bits flipped", () => {
		fc.assert(
			fc.property(anyHeader, (header) => {
				const bytes = encodeSegmentHeader(header);
				for (let bit = 0; bit < (segmentHeader.checksum + 4) * 8; bit++) {
					const flipped = Buffer.from(bytes);
					flipped[bit >>> 3] = (flipped[bit >>> 3] as number) ^ (1 << (bit & 7));
					if (decodeSegmentHeader(flipped) !== undefined) expect.unreachable(`bit ${bit} flipped went unseen`);
				}
			}),
			{ numRuns: 50 },
		);
	});

	it("is invalid when it is cut short, empty or of zeros", () => {
		const bytes = encodeSegmentHeader({ producer: 1, nonce: 2, lane: "normal", index: 3, sizeBytes: 65_536 });
		for (let length = 0; length < segmentHeaderBytes; length++) {
			expect(decodeSegmentHeader(bytes.subarray(0, length))).toBeUndefined();
		}
		expect(decodeSegmentHeader(Buffer.alloc(segmentHeaderBytes))).toBeUndefined();
	});

	it("gives every index of a producer a seed of its own", () => {
		fc.assert(
			fc.property(word, word, word, (nonce, one, other) => {
				fc.pre(one !== other);
				expect(segmentSeed(nonce, one)).not.toBe(segmentSeed(nonce, other));
			}),
		);
	});
});

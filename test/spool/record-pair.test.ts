import { describe, expect, it } from "vitest";
import { isRecord, recordBytes, recordChecksum, recordHeader } from "../../src/spool/record-codec.ts";
import { checkPair } from "../../src/spool/record-pair.ts";
import { repeatableRandom } from "./spool-records.ts";

const random = repeatableRandom(20_26);
const seed = 77;

/** Puts a valid record at byte `at`. */
function putRecord(words: Int32Array, at: number, messageBytes: number): number {
	const length = recordBytes(messageBytes);
	const word = at >>> 2;
	for (let index = word; index < word + length / 4; index++) words[index] = random(2 ** 31);
	words[word] = length;
	words[word + recordHeader.messageBytes / 4] = messageBytes;
	words[word + recordHeader.fieldsBytes / 4] = 0;
	words[word + recordHeader.errorBytes / 4] = 0;
	words[word + 1] = recordChecksum(words, word, length, seed);
	return length;
}

describe("two records that are checked at once", () => {
	it("count as each does alone, whichever is longer, and with any bit changed", () => {
		for (let round = 0; round < 400; round++) {
			const words = new Int32Array(256);
			const at = random(4) * 8;
			const first = putRecord(words, at, random(200));
			const second = putRecord(words, at + first, random(200));
			expect(checkPair(words, at, first, second, seed)).toBe(3);
			const changed = (at >>> 2) + 1 + random((first + second) / 4 - 1);
			// A length that is another makes another pair.
			if (changed === (at + first) >>> 2) continue;
			words[changed] = (words[changed] as number) ^ (1 << random(32));
			const expected = (isRecord(words, at, first, seed) ? 1 : 0) | (isRecord(words, at + first, second, seed) ? 2 : 0);
			expect(checkPair(words, at, first, second, seed)).toBe(expected);
			expect(expected).not.toBe(3);
		}
	});
});

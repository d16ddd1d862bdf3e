/**
 * Checks two neighbouring records at once. Each step of a checksum waits for the one before it, and a processor has room for
 * another sum in that time. Measured with records of 136 bytes: 33 ns each, against 47 ns one after the other.
 */

import { finishChecksum, partsFit } from "./record-codec.ts";

/**
 * Whether a valid record of `secondLength` bytes stands behind one of `firstLength` bytes at byte `at`: 1 for the first one
 * only, 2 for the second only, 3 for both, 0 for none. Both must fit in `words`, their lengths must be plausible.
 */
export function checkPair(
	words: Int32Array,
	at: number,
	firstLength: number,
	secondLength: number,
	seed: number,
): number {
	const first = at >>> 2;
	const second = (at + firstLength) >>> 2;
	const firstWords = firstLength >>> 2;
	const secondWords = secondLength >>> 2;
	const common = Math.min(firstWords, secondWords);
	let firstSum = seed;
	let secondSum = seed;
	let word = 3;
	for (; word < common; word++) {
		firstSum = Math.imul(firstSum ^ (words[first + word] as number), 0x9e3779b1);
		secondSum = Math.imul(secondSum ^ (words[second + word] as number), 0x9e3779b1);
		firstSum ^= firstSum >>> 15;
		secondSum ^= secondSum >>> 15;
	}
	firstSum = bodyFrom(words, first, word, firstWords, firstSum);
	secondSum = bodyFrom(words, second, word, secondWords, secondSum);
	return (isSum(words, first, firstLength, firstSum) ? 1 : 0) | (isSum(words, second, secondLength, secondSum) ? 2 : 0);
}

function bodyFrom(words: Int32Array, at: number, from: number, to: number, sum: number): number {
	let hash = sum;
	for (let word = from; word < to; word++) {
		hash = Math.imul(hash ^ (words[at + word] as number), 0x9e3779b1);
		hash ^= hash >>> 15;
	}
	return hash;
}

function isSum(words: Int32Array, word: number, length: number, body: number): boolean {
	if (finishChecksum(body, words[word + 2] as number, length) !== words[word + 1]) return false;
	return partsFit(words, word << 2, length);
}

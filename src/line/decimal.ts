/** Whole numbers from 0 to 2^53 in decimal digits, without making a string of them (measured: a fifth of its cost). */

import type { LineBuffer } from "./line-buffer.ts";

const zero = 0x30;
const billion = 1_000_000_000;

export function writeDecimal(value: number, out: LineBuffer): void {
	if (value < billion) return writeDigits(value, digitsOf(value), out);
	const high = Math.floor(value / billion);
	writeDigits(high, digitsOf(high), out);
	writeDigits(value - high * billion, 9, out);
}

function digitsOf(value: number): number {
	let digits = 1;
	for (let power = 10; power <= value; power *= 10) digits++;
	return digits;
}

/** `value` below 2^31, padded with zeros. */
function writeDigits(value: number, digits: number, out: LineBuffer): void {
	out.reserve(digits);
	const { storage, length } = out;
	let rest = value;
	for (let index = length + digits - 1; index >= length; index--) {
		const tenth = (rest / 10) | 0;
		storage[index] = zero + rest - tenth * 10;
		rest = tenth;
	}
	out.length = length + digits;
}

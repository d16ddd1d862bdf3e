/**
 * Random numbers that tell things apart; no secrets. `node:crypto` takes milliseconds to load, which a short command would
 * pay. The clock is mixed in, so that numbers differ whatever an application has made of `Math.random`.
 */

/** 32 random bits, from 0 to 2^32 − 1. */
export function randomWord(): number {
	const [seconds, nanoseconds] = process.hrtime();
	const clock = Math.imul(seconds ^ 0x85ebca6b, 0x9e3779b1) ^ Math.imul(nanoseconds, 0xc2b2ae35);
	return (Math.floor(Math.random() * 0x1_0000_0000) ^ clock) >>> 0;
}

/** Eight random hexadecimal digits. */
export function randomDigits(): string {
	return randomWord().toString(16).padStart(8, "0");
}

/**
 * Counts the lines that are in a log file, each by the mark that its message holds once. Reads on where it stopped, and only
 * whole lines, so that it can be asked again and again while the file grows.
 */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { mark } from "./work.ts";

const chunkBytes = 1024 * 1024;
const newline = 10;
const markBytes: Buffer = Buffer.from(mark);
const lookIntervalMs = 1;
/** So long nothing may come before it is said that lines are missing. */
const patienceMs = 20_000;

export class LineCount implements Disposable {
	readonly #path: string;
	readonly #chunk: Buffer = Buffer.allocUnsafe(chunkBytes);
	#fd: number | undefined;
	#offset = 0;
	#lines = 0;
	#spentMs = 0;

	constructor(path: string) {
		this.#path = path;
	}

	/** Bytes of the file now; 0 while it is not there. */
	sizeBytes(): number {
		return this.#open() === undefined ? 0 : fstatSync(this.#fd as number).size;
	}

	/** Milliseconds that the counting itself took. */
	get spentMs(): number {
		return this.#spentMs;
	}

	/** Lines in the file now. */
	lines(): number {
		const sinceMs = performance.now();
		const fd = this.#open();
		while (fd !== undefined) {
			const bytesRead = readSync(fd, this.#chunk, 0, chunkBytes, this.#offset);
			const whole = this.#chunk.subarray(0, bytesRead).lastIndexOf(newline) + 1;
			if (whole === 0) break;
			this.#lines += marksIn(this.#chunk.subarray(0, whole));
			this.#offset += whole;
		}
		this.#spentMs += performance.now() - sinceMs;
		return this.#lines;
	}

	[Symbol.dispose](): void {
		if (this.#fd !== undefined) closeSync(this.#fd);
		this.#fd = undefined;
	}

	#open(): number | undefined {
		try {
			this.#fd ??= openSync(this.#path, "r");
		} catch {
			// Not made yet.
		}
		return this.#fd;
	}
}

/**
 * Waits until the files together hold `lines` lines and no more come. Counting is left until the files stand still, so that
 * it takes no time from the writing of them.
 *
 * @returns when the last bytes came, by `performance.now()`
 * @throws Error when lines are missing for long, or there are more
 */
export async function untilCounted(counts: readonly LineCount[], lines: number, who: string): Promise<number> {
	let sizeBytes = -1;
	let grownAtMs = performance.now();
	let found = -1;
	for (;;) {
		const nowBytes = counts.reduce((sum, count) => sum + count.sizeBytes(), 0);
		if (nowBytes !== sizeBytes) {
			sizeBytes = nowBytes;
			grownAtMs = performance.now();
			found = -1;
		} else if (found < 0) {
			found = counts.reduce((sum, count) => sum + count.lines(), 0);
			if (found === lines) return grownAtMs;
		}
		if (found > lines || performance.now() - grownAtMs > patienceMs) {
			throw new Error(`${who} wrote ${found} lines, and should have written ${lines}`);
		}
		await sleep(lookIntervalMs);
	}
}

function marksIn(bytes: Buffer): number {
	let marks = 0;
	for (let at = bytes.indexOf(markBytes); at >= 0; at = bytes.indexOf(markBytes, at + markBytes.length)) marks += 1;
	return marks;
}

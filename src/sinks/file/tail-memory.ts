/**
 * Memory for copies of what was appended and is not synced yet, within a limit for all files together.
 *
 * A flood fills and frees megabytes of it with every sync. Made anew each time, they cost page faults, and collections by
 * the dozen: memory outside of its heap makes the collector run (measured under a flood: both take 14 % of the logman's time,
 * and 4 % where what is given back is used again). It is let go only after a rest.
 *
 * Invariants: what is in use and what is kept free never pass the limit together; memory that is given back for reuse is
 * read by nobody any more.
 */

/** What is smaller costs little. */
const minReusedBytes = 8 * 1024;
/** Sizes differ by an eighth of a power of two: so much more than needed is taken at most, and few sizes are in use. */
const sizeSteps = 8;
/** What was not used for so long is let go. */
const restMs = 10_000;

export class TailMemory {
	readonly #maxBytes: number;
	#usedBytes = 0;
	#freeBytes = 0;
	/** By size. */
	readonly #free = new Map<number, Buffer[]>();
	#restTimer: NodeJS.Timeout | undefined;

	constructor(maxBytes: number) {
		this.#maxBytes = maxBytes;
	}

	/** A copy of `bytes`; `undefined` where there is no room for it. `besideBytes` more count as used with it. */
	copy(bytes: Buffer, besideBytes: number): Buffer | undefined {
		const sizeBytes = sizeFor(bytes.length);
		const neededBytes = sizeBytes + besideBytes;
		if (this.#usedBytes + neededBytes > this.#maxBytes) return undefined;
		this.#usedBytes += neededBytes;
		if (sizeBytes < minReusedBytes) return Buffer.from(bytes);
		const memory = this.#takeFree(sizeBytes) ?? this.#make(sizeBytes);
		memory.set(bytes);
		return memory.subarray(0, bytes.length);
	}

	/**
	 * Gives a copy back.
	 *
	 * @param isUnread Whether nobody reads it any more, not even a call that did not answer: only then it is used again.
	 */
	giveBack(copy: Buffer, besideBytes: number, isUnread: boolean): void {
		const sizeBytes = sizeFor(copy.length);
		this.#usedBytes -= sizeBytes + besideBytes;
		if (!isUnread || sizeBytes < minReusedBytes) return;
		const free = this.#free.get(sizeBytes) ?? [];
		free.push(Buffer.from(copy.buffer, copy.byteOffset, sizeBytes));
		this.#free.set(sizeBytes, free);
		this.#freeBytes += sizeBytes;
		this.#restTimer ??= setTimeout(() => this.#letGo(), restMs).unref();
		this.#restTimer.refresh();
	}

	#takeFree(sizeBytes: number): Buffer | undefined {
		const memory = this.#free.get(sizeBytes)?.pop();
		if (memory !== undefined) this.#freeBytes -= sizeBytes;
		return memory;
	}

	#make(sizeBytes: number): Buffer {
		if (this.#usedBytes + this.#freeBytes > this.#maxBytes) this.#letGo();
		return Buffer.allocUnsafeSlow(sizeBytes);
	}

	#letGo(): void {
		this.#free.clear();
		this.#freeBytes = 0;
	}
}

function sizeFor(bytes: number): number {
	if (bytes < minReusedBytes) return bytes;
	const step = 2 ** Math.floor(Math.log2(bytes)) / sizeSteps;
	return Math.ceil(bytes / step) * step;
}

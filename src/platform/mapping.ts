/**
 * A file mapped into memory, with the views the spool needs.
 *
 * Invariant: whoever holds a `Mapping` reads its views through it and keeps no copy of them, so that after
 * {@link Mapping.unmap} every access meets an empty array instead of memory that is gone. The file must be reserved
 * (see `reserve.ts`) over the whole size before it is mapped: a store into a hole on a full disk is a SIGBUS.
 */

import { type Address, mmapSharedAt, populate } from "./libc.ts";
import { Region } from "./region.ts";
import { isMainThread } from "./thread.ts";

/**
 * A buffer with Node's own `utf8Write`, which its types leave out: `Buffer#write` without the look at its arguments,
 * a third cheaper for a short text.
 */
export interface MappedBytes extends Buffer {
	utf8Write(text: string, offset: number): number;
}

const noBytes = Buffer.alloc(0) as unknown as MappedBytes;
const noWords = new Int32Array(0);
const noDoubles = new Float64Array(0);

export class Mapping {
	readonly sizeBytes: number;
	/** The mapping as bytes. */
	bytes: MappedBytes;
	/** The mapping as 32-bit words; what is shared with other processes goes through `Atomics` on these. */
	words: Int32Array;
	/** The mapping as doubles. */
	doubles: Float64Array;
	readonly #region: Region;
	readonly #start: number;

	private constructor(region: Region, start: number, sizeBytes: number) {
		const { buffer } = region;
		this.#region = region;
		this.#start = start;
		this.sizeBytes = sizeBytes;
		this.bytes = Buffer.from(buffer, start, sizeBytes) as unknown as MappedBytes;
		this.words = new Int32Array(buffer, start, sizeBytes >>> 2);
		this.doubles = new Float64Array(buffer, start, sizeBytes >>> 3);
	}

	/** Maps the first `sizeBytes` of an open file. The descriptor may be closed afterwards. */
	static map(fd: number, sizeBytes: number): Mapping {
		const { region, start } = Region.take(sizeBytes);
		try {
			mmapSharedAt(region.address + BigInt(start), fd, sizeBytes);
		} catch (error) {
			region.giveBack(start);
			throw error;
		}
		return new Mapping(region, start, sizeBytes);
	}

	/** Address of a 32-bit word, for a futex. */
	addressOf(wordIndex: number): Address {
		return this.#region.address + BigInt(this.#start + wordIndex * 4);
	}

	/**
	 * Has the pages of the mapping made ready for stores, in the background: the first store into a page costs ten
	 * microseconds otherwise. Not in worker threads, which may be terminated meanwhile.
	 */
	makeReady(): void {
		if (isMainThread && this.words.length > 0) populate(this.addressOf(0), this.sizeBytes);
	}

	/** Gives the mapping back to the kernel. Idempotent. */
	unmap(): void {
		if (this.words.length === 0) return;
		this.bytes = noBytes;
		this.words = noWords;
		this.doubles = noDoubles;
		this.#region.giveBack(this.#start);
	}
}

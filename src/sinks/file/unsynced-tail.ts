/**
 * What was appended to one file and is not known to be on disk.
 *
 * After a failed sync Linux may count pages as clean that never reached the disk, so a second sync that works proves
 * nothing: what the first one was about has to be written again (Rebello et al., "Can Applications Recover from fsync
 * Failures?", USENIX ATC 2020). So it is kept here until a sync has worked: the bytes themselves within a budget for all
 * files together, beyond it a checksum, by which they may be taken from the file again.
 */

import { crc32 } from "node:zlib";

/** Consecutive bytes of a file: themselves, or where there was no room for them in memory their CRC-32. */
export type TailChunk =
	| { readonly offset: number; readonly length: number; readonly bytes: Buffer }
	| { readonly offset: number; readonly length: number; readonly bytes: undefined; readonly crc: number };

/** What a chunk takes beside its bytes, about. */
const chunkOverheadBytes = 256;

/** Bytes that may be held in memory, for all files together. */
export class TailBudget {
	#freeBytes: number;

	constructor(maxBytes: number) {
		this.#freeBytes = maxBytes;
	}

	take(bytes: number): boolean {
		if (bytes > this.#freeBytes) return false;
		this.#freeBytes -= bytes;
		return true;
	}

	giveBack(bytes: number): void {
		this.#freeBytes += bytes;
	}
}

export class UnsyncedTail {
	/** The file that the bytes are in, whatever its name is by then. */
	readonly device: number;
	readonly inode: number;
	/** Whether everything that is not synced is noted here: not so for what a logman before this one wrote. */
	readonly isWhole: boolean;
	/** Whether a sync has failed, so that what is noted has to be written again. */
	isSuspect = false;
	readonly #budget: TailBudget;
	readonly #chunks: TailChunk[] = [];

	constructor(file: { readonly device: number; readonly inode: number }, budget: TailBudget, isWhole: boolean) {
		this.device = file.device;
		this.inode = file.inode;
		this.isWhole = isWhole;
		this.#budget = budget;
	}

	/** Chunks now: {@link take} and {@link forget} go by it when more have come. */
	get length(): number {
		return this.#chunks.length;
	}

	/** Notes an append. `bytes` must not change any more. */
	add(offset: number, bytes: Buffer): void {
		const { length } = bytes;
		if (length === 0) return;
		const last = this.#chunks.at(-1);
		if (this.#budget.take(length + chunkOverheadBytes)) {
			this.#chunks.push({ offset, length, bytes });
		} else if (last !== undefined && last.bytes === undefined && last.offset + last.length === offset) {
			const whole = { offset: last.offset, length: last.length + length, bytes: undefined };
			this.#chunks[this.#chunks.length - 1] = { ...whole, crc: crc32(bytes, last.crc) };
		} else {
			this.#chunks.push({ offset, length, bytes: undefined, crc: crc32(bytes) });
		}
	}

	/** The first `count` chunks. */
	first(count: number): readonly TailChunk[] {
		return this.#chunks.slice(0, count);
	}

	/** Forgets the first `count` chunks: they are on disk. */
	forget(count: number): void {
		for (const { bytes } of this.#chunks.splice(0, count)) {
			if (bytes !== undefined) this.#budget.giveBack(bytes.length + chunkOverheadBytes);
		}
	}
}

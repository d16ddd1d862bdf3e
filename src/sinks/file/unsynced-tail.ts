/**
 * What was appended to one file and is not known to be on disk.
 *
 * After a failed sync Linux may count pages as clean that never reached the disk, so a second sync that works proves
 * nothing: what the first one was about has to be written again (Rebello et al., "Can Applications Recover from fsync
 * Failures?", USENIX ATC 2020). So it is kept here until a sync has worked: the bytes themselves within a budget for all
 * files together, beyond it a checksum, by which they may be taken from the file again.
 */

import { crc32 } from "node:zlib";
import type { FileIdentity, OutputFile } from "./output-file.ts";
import type { TailMemory } from "./tail-memory.ts";

/** Consecutive bytes of a file: themselves, or where there was no room for them in memory their CRC-32. */
export type TailChunk =
	| { readonly offset: number; readonly length: number; readonly bytes: Buffer }
	| { readonly offset: number; readonly length: number; readonly bytes: undefined; readonly crc: number };

/** Chunks at a moment. */
export interface TailSnapshot {
	readonly chunks: readonly TailChunk[];
	/** For {@link UnsyncedTail.forget}, when more have come. */
	readonly upTo: number;
}

/** What a chunk takes beside its bytes, about. */
const chunkOverheadBytes = 256;
/** Longest chunk of which only the checksum is kept: it is read back at once. */
const maxSummedBytes = 8 * 1024 * 1024;

export class UnsyncedTail {
	/** The name of the file when it was written; it may have another one by now. */
	readonly path: string;
	readonly device: number;
	readonly inode: number;
	/** Whether everything that is not synced is noted here: not so for what a logman before this one wrote. */
	readonly isWhole: boolean;
	/** Whether a sync has failed, so that what is noted has to be written again. */
	isSuspect = false;
	/** Likewise what is not noted: the end of the file. */
	isEndSuspect = false;
	/** The file that was appended to last; it may be closed by now. */
	file: OutputFile | undefined;
	/** Whether a sync has failed at any time: somebody may still read the bytes of chunks, a call that did not answer as well. */
	hasFailed = false;
	/** The sync that is under way. */
	sync: Promise<boolean> | undefined;
	readonly #memory: TailMemory;
	readonly #chunks: TailChunk[] = [];
	#forgotten = 0;
	/** Chunks below it are in a snapshot, and stay as they are. */
	#sealed = 0;

	constructor(
		path: string,
		{ device, inode }: FileIdentity,
		options: { readonly memory: TailMemory; readonly isWhole: boolean },
	) {
		this.path = path;
		this.device = device;
		this.inode = inode;
		this.isWhole = options.isWhole;
		this.#memory = options.memory;
	}

	get isEmpty(): boolean {
		return this.#chunks.length === 0;
	}

	/** Whether the byte at `offset` is noted. */
	has(offset: number): boolean {
		return this.#chunks.some((chunk) => offset >= chunk.offset && offset < chunk.offset + chunk.length);
	}

	/** Notes an append. What is kept of `bytes` is a copy. */
	add(offset: number, bytes: Buffer): void {
		const { length } = bytes;
		if (length === 0) return;
		const last = this.#forgotten + this.#chunks.length > this.#sealed ? this.#chunks.at(-1) : undefined;
		const copy = this.#memory.copy(bytes, chunkOverheadBytes);
		if (copy !== undefined) {
			this.#chunks.push({ offset, length, bytes: copy });
		} else if (last !== undefined && last.bytes === undefined && isNext(last, offset, length)) {
			const whole = { offset: last.offset, length: last.length + length, bytes: undefined };
			this.#chunks[this.#chunks.length - 1] = { ...whole, crc: crc32(bytes, last.crc) };
		} else {
			this.#chunks.push({ offset, length, bytes: undefined, crc: crc32(bytes) });
		}
	}

	/** What is noted now. */
	snapshot(): TailSnapshot {
		this.#sealed = this.#forgotten + this.#chunks.length;
		return { chunks: [...this.#chunks], upTo: this.#sealed };
	}

	/**
	 * Forgets what a snapshot had: it is on disk, or nobody's business any more.
	 *
	 * @param isUnread Whether nobody was given the bytes of these chunks: their memory is used again then.
	 */
	forget(upTo: number, isUnread: boolean): void {
		const count = Math.max(0, upTo - this.#forgotten);
		this.#forgotten += count;
		for (const { bytes } of this.#chunks.splice(0, count)) {
			if (bytes !== undefined) this.#memory.giveBack(bytes, chunkOverheadBytes, isUnread);
		}
	}
}

function isNext(last: TailChunk, offset: number, length: number): boolean {
	return last.offset + last.length === offset && last.length + length <= maxSummedBytes;
}

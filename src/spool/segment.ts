/**
 * A segment as its producer has it: a mapped file of fixed size, and where the next record goes.
 *
 *     0      64                      offset                limit        size
 *     header | record | record | … | 0 (not yet written) | room for the end record
 *
 * Invariant: the word at `offset` is zero before the record in front of it is committed, so a reader that follows the
 * lengths always comes to a zero, also in a segment that is used again.
 */

import { closeSync, fstatSync, type Stats, statSync } from "node:fs";
import { remove, removeIfThere, truncate } from "../platform/durable-file.ts";
import { Mapping } from "../platform/mapping.ts";
import { openOwnedFile } from "../platform/owned-files.ts";
import { keepInPlace, reserve } from "../platform/reserve.ts";
import { announceStore } from "../platform/step.ts";
import { segmentTailBytes } from "./record-codec.ts";
import { encodeSegmentHeader, type SegmentHeader, segmentHeaderBytes, segmentSeed } from "./segment-header.ts";
import type { SpoolRoom } from "./spool-room.ts";

let serials = 0;

export class Segment {
	readonly place: number;
	readonly sizeBytes: number;
	readonly mapping: Mapping;
	readonly #path: string;
	readonly #inode: number;
	/** 0 until the segment is used for the first time. */
	index = 0;
	/** Another one in each life of each segment of this thread: what a definition remembers. */
	serial = 0;
	seed = 0;
	/** Byte offset of the next record. */
	offset: number = segmentHeaderBytes;
	/** Whether its pages were made ready for stores, or are being made so. */
	isReady = false;
	/** Records end at this byte at most. */
	readonly limit: number;

	private constructor(path: string, place: number, file: Stats, mapping: Mapping) {
		this.#path = path;
		this.#inode = file.ino;
		this.place = place;
		this.mapping = mapping;
		this.sizeBytes = mapping.sizeBytes;
		this.limit = mapping.sizeBytes - segmentTailBytes;
	}

	/**
	 * Makes the file of a segment, reserves it and maps it. `undefined` when limit or disk have no room for it.
	 *
	 * @throws the file system's error
	 */
	static create(path: string, place: number, sizeBytes: number, room: SpoolRoom, force: boolean): Segment | undefined {
		// What a call left that ended half way: the folder is this producer's alone, and the place is free.
		removeIfThere("segment.clear-place", path);
		const fd = openOwnedFile("segment.create", path, "exclusive");
		let segment: Segment | undefined;
		let isTaken = false;
		try {
			keepInPlace("segment.keep-in-place", fd);
			// The size first: by it others know after a death what this file takes of the limit.
			truncate("segment.size", fd, sizeBytes);
			isTaken = room.take(sizeBytes, force);
			if (isTaken && reserve("segment.reserve", fd, sizeBytes)) {
				segment = new Segment(path, place, fstatSync(fd), Mapping.map(fd, sizeBytes));
			}
			return segment;
		} finally {
			closeSync(fd);
			if (segment === undefined) {
				if (isTaken) room.giveBack(sizeBytes);
				removeIfThere("segment.give-up", path);
			}
		}
	}

	/**
	 * Whether the file is still what others find under its name, in its whole size. One system call. What is stored in a
	 * file that was removed reaches nobody, and in one that was cut short it would end this process.
	 */
	get isWhole(): boolean {
		const file = statSync(this.#path, { throwIfNoEntry: false });
		return file !== undefined && file.ino === this.#inode && file.size === this.sizeBytes;
	}

	/** Begins a new life of the segment. Nothing may refer to its old content any more. */
	begin(header: Omit<SegmentHeader, "sizeBytes">): void {
		this.index = header.index;
		serials += 1;
		this.serial = serials;
		this.seed = segmentSeed(header.nonce, header.index);
		this.offset = segmentHeaderBytes;
		announceStore("segment.empty");
		Atomics.store(this.mapping.words, segmentHeaderBytes >>> 2, 0);
		announceStore("segment.begin");
		encodeSegmentHeader({ ...header, sizeBytes: this.sizeBytes }).copy(this.mapping.bytes);
	}

	/** Has its pages made ready for stores, in the background. */
	makeReady(): void {
		this.isReady = true;
		this.mapping.makeReady();
	}

	/** Whether a record of `bytes` fits. */
	hasRoom(bytes: number): boolean {
		return this.offset + bytes <= this.limit;
	}

	/** Unmaps the segment, gives back the room it took, and removes its file. */
	discard(room: SpoolRoom): void {
		this.mapping.unmap();
		room.giveBack(this.sizeBytes);
		try {
			remove("segment.discard", this.#path);
		} catch {
			// Already gone with its folder: nothing is left to remove.
		}
	}

	/** Unmaps the segment; the file stays for the logman. */
	release(): void {
		this.mapping.unmap();
	}
}

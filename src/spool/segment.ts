/**
 * A segment as its producer has it: a mapped file of fixed size, and where the next record goes.
 *
 *     0      64                      offset                limit        size
 *     header | record | record | … | 0 (not yet written) | room for the end record
 *
 * Invariant: the word at `offset` is zero before the record in front of it is committed, so a reader that follows the
 * lengths always comes to a zero, also in a segment that is used again.
 */

import { closeSync } from "node:fs";
import { remove, removeIfThere } from "../platform/durable-file.ts";
import { Mapping } from "../platform/mapping.ts";
import { openOwnedFile } from "../platform/owned-files.ts";
import { reserve } from "../platform/reserve.ts";
import { announceStore } from "../platform/step.ts";
import { PylogError } from "../shared/errors.ts";
import { segmentTailBytes } from "./record-codec.ts";
import { encodeSegmentHeader, type SegmentHeader, segmentHeaderBytes, segmentSeed } from "./segment-header.ts";

let serials = 0;

export class Segment {
	readonly place: number;
	readonly sizeBytes: number;
	readonly mapping: Mapping;
	readonly #path: string;
	/** 0 until the segment is used for the first time. */
	index = 0;
	/** Another one in each life of each segment of this thread: what a definition remembers. */
	serial = 0;
	seed = 0;
	/** Byte offset of the next record. */
	offset: number = segmentHeaderBytes;
	/** Records end at this byte at most. */
	readonly limit: number;

	private constructor(path: string, place: number, mapping: Mapping) {
		this.#path = path;
		this.place = place;
		this.mapping = mapping;
		this.sizeBytes = mapping.sizeBytes;
		this.limit = mapping.sizeBytes - segmentTailBytes;
	}

	/**
	 * Makes the file of a segment, reserves it and maps it.
	 *
	 * @throws PylogError PYLOG_SPOOL_FULL when the disk has no room for it.
	 */
	static create(path: string, place: number, sizeBytes: number): Segment {
		// What a call left that ended half way: the folder is this producer's alone, and the place is free.
		removeIfThere("segment.clear-place", path);
		const fd = openOwnedFile("segment.create", path, "exclusive");
		try {
			if (!reserve("segment.reserve", fd, sizeBytes)) {
				throw new PylogError("PYLOG_SPOOL_FULL", `The disk has no room for ${path} (${sizeBytes} bytes).`);
			}
			return new Segment(path, place, Mapping.map(fd, sizeBytes));
		} catch (error) {
			removeIfThere("segment.give-up", path);
			throw error;
		} finally {
			closeSync(fd);
		}
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

	/** Whether a record of `bytes` fits. */
	hasRoom(bytes: number): boolean {
		return this.offset + bytes <= this.limit;
	}

	/** Unmaps the segment and removes its file. */
	discard(): void {
		this.mapping.unmap();
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

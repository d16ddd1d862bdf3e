/**
 * Searches an open file for bytes, chunk by chunk, in memory that does not grow with the file.
 *
 * Each chunk is searched together with the last `needle.length - 1` bytes of the one before, so that what lies over a
 * border is found and nothing is looked at twice.
 */

import { readSync } from "node:fs";
import { InvariantError } from "../shared/errors.ts";

export interface ChunkSearchOptions {
	/** Bytes read at a time. @default 65536 */
	readonly chunkBytes?: number;
	/** Where the search starts, in bytes from the start of the file. @default 0 */
	readonly from?: number;
}

/**
 * The offset of the first `needle` in the file at or after `from`, or -1.
 *
 * Blocks while it reads. The file's position is neither used nor moved.
 */
export function findInFile(fd: number, needle: Buffer, options: ChunkSearchOptions = {}): number {
	const { chunkBytes = 65_536, from = 0 } = options;
	if (needle.length === 0 || !(chunkBytes >= 1) || !(from >= 0)) {
		throw new InvariantError("a chunk search without needle, chunk or start", {
			needleBytes: needle.length,
			chunkBytes,
			from,
		});
	}
	const overlapBytes = needle.length - 1;
	const window = Buffer.allocUnsafe(chunkBytes + overlapBytes);
	let keptBytes = 0;
	let position = from;
	for (;;) {
		const readBytes = readSync(fd, window, keptBytes, window.length - keptBytes, position);
		if (readBytes === 0) return -1;
		const filledBytes = keptBytes + readBytes;
		const found = window.subarray(0, filledBytes).indexOf(needle);
		if (found !== -1) return position - keptBytes + found;
		position += readBytes;
		keptBytes = Math.min(overlapBytes, filledBytes);
		window.copyWithin(0, filledBytes - keptBytes, filledBytes);
	}
}

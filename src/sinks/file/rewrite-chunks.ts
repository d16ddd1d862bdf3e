/**
 * Writes bytes of a file again that a failed sync may have left only in memory, or not even there: at their place, so that
 * nothing is there twice.
 */

import { constants } from "node:fs";
import { dirname } from "node:path";
import { appendSoon, syncDataSoon, writeWholeSoon } from "../../platform/durable-file.ts";
import { closeSoon, fstatSoon } from "../../platform/file-calls.ts";
import { findByInode } from "./find-append.ts";
import { type FileIdentity, readRange } from "./output-file.ts";
import type { OutputPaths } from "./output-paths.ts";
import { syncNames } from "./sync-names.ts";

export interface WrittenChunk {
	readonly offset: number;
	readonly bytes: Buffer;
}

/**
 * Brings the chunks of a file to the disk, wherever the file is by now. Where somebody removed the file,
 * its lines are gone by his will, and nothing is to be done.
 *
 * @throws what the file system says; then it may be tried again. PYLOG_OUTPUT_REFUSED for a file that may not be written.
 */
export async function rewriteChunks(
	path: string,
	file: FileIdentity,
	chunks: readonly WrittenChunk[],
	paths: OutputPaths,
): Promise<void> {
	const there = await findByInode(path, file, paths);
	if (there === undefined) {
		// One that is refused is not found, and not removed either.
		await paths.look(path);
		return;
	}
	const fd = await paths.open(there.path, constants.O_WRONLY);
	try {
		for (const chunk of chunks) await rewrite(fd, there.path, chunk, paths);
		await syncDataSoon("output.sync-rewritten", fd);
	} finally {
		await closeSoon(fd);
	}
	await syncNames(dirname(there.path));
}

async function rewrite(fd: number, path: string, chunk: WrittenChunk, paths: OutputPaths): Promise<void> {
	const { offset, bytes } = chunk;
	const { size } = await fstatSoon(fd);
	// What can't be read is as lost as what reads as zeros.
	const found = await readRange(path, offset, offset + bytes.length, paths).catch(() => Buffer.alloc(0));
	if (size >= offset && isOursOrLost(found, bytes)) await writeWholeSoon("output.rewrite", fd, bytes, offset);
	else if (!(await isElsewhere(path, size, bytes, paths))) await appendAgain(path, bytes, paths);
}

/** Whether each byte is the one that was written, or zero: pages that never reached the disk read as zeros. */
function isOursOrLost(found: Buffer, bytes: Buffer): boolean {
	return found.equals(bytes) || found.every((byte, index) => byte === 0 || byte === bytes[index]);
}

const maxSearchBytes = 64 * 1024 * 1024;

/** Somebody else wrote to the file as well, or cut it: the lines may stand at another place, where they are theirs. */
async function isElsewhere(path: string, sizeBytes: number, bytes: Buffer, paths: OutputPaths): Promise<boolean> {
	return (await readRange(path, Math.max(0, sizeBytes - maxSearchBytes), sizeBytes, paths)).includes(bytes);
}

async function appendAgain(path: string, bytes: Buffer, paths: OutputPaths): Promise<void> {
	const fd = await paths.open(path, constants.O_WRONLY | constants.O_APPEND);
	try {
		for (let written = 0; written < bytes.length; ) {
			written += await appendSoon("output.append-again", fd, bytes.subarray(written));
		}
		await syncDataSoon("output.sync-again", fd);
	} finally {
		await closeSoon(fd);
	}
}

/**
 * Writes bytes of a file again that a failed sync may have left only in memory, or not even there: at their place, so that
 * nothing is there twice.
 */

import { constants } from "node:fs";
import { dirname } from "node:path";
import { appendSoon, syncDataSoon, writeWholeSoon } from "../../platform/durable-file.ts";
import { closeSoon, fstatSoon } from "../../platform/file-calls.ts";
import { findByInode, longestOverlap } from "./find-append.ts";
import { type FileIdentity, maxMoves, MovedError, openSame, readOpen } from "./output-file.ts";
import type { OutputPaths } from "./output-paths.ts";
import { syncNames } from "./sync-names.ts";

const maxSearchBytes = 64 * 1024 * 1024;
/** More than a logman writes in a sync interval. */
const maxEndBytes = 32 * 1024 * 1024;
const pieceBytes = 64 * 1024;
const newline = 0x0a;
const lineBreak: Buffer = Buffer.from("\n");

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
	await rewriteAll(path, file, paths, (fd, name) =>
		inPlace(fd, chunks, (bytes) => appendAgain(name, file, bytes, paths)),
	);
}

/**
 * Likewise for the end of a file, as it can be read now, where nobody knows what was written there: that it can be read does
 * not say that it is on disk.
 */
export async function rewriteEnd(path: string, file: FileIdentity, paths: OutputPaths): Promise<void> {
	await rewriteAll(path, file, paths, readEnd);
}

async function rewriteAll(
	path: string,
	file: FileIdentity,
	paths: OutputPaths,
	chunksOf: (fd: number, name: string) => AsyncIterable<WrittenChunk>,
): Promise<void> {
	for (let left = maxMoves; ; left--) {
		const there = await findByInode(path, file, paths);
		if (there === undefined) {
			// One that is refused is not found, and not removed either.
			await paths.look(path);
			return;
		}
		try {
			return await rewriteIn(there.path, file, paths, chunksOf);
		} catch (error) {
			if (!(error instanceof MovedError) || left === 0) throw error;
		}
	}
}

/** @throws MovedError when the file has another name by now; then nothing is written that has to be taken back */
async function rewriteIn(
	path: string,
	file: FileIdentity,
	paths: OutputPaths,
	chunksOf: (fd: number, name: string) => AsyncIterable<WrittenChunk>,
): Promise<void> {
	const fd = await openSame(path, constants.O_RDWR, file, paths);
	try {
		for await (const { offset, bytes } of chunksOf(fd, path)) {
			await writeWholeSoon("output.rewrite", fd, bytes, offset);
		}
		await syncDataSoon("output.sync-rewritten", fd);
	} finally {
		await closeSoon(fd);
	}
	await syncNames(dirname(path));
}

/** The chunks where they are to be written; those that have no place any more are appended instead. */
async function* inPlace(
	fd: number,
	chunks: readonly WrittenChunk[],
	append: (bytes: Buffer) => Promise<void>,
): AsyncGenerator<WrittenChunk> {
	for (const chunk of chunks) {
		const { bytes } = chunk;
		const offset = await placeOf(fd, chunk);
		if (offset !== undefined) {
			yield { offset, bytes };
			continue;
		}
		const { begun, isInLine, size } = await endOf(fd, bytes);
		if (begun > 0) yield { offset: size - begun, bytes: bytes.subarray(0, begun) };
		await append(isInLine ? Buffer.concat([lineBreak, bytes]) : bytes.subarray(begun));
	}
}

/**
 * How the file ends: with how many of the first bytes, for a death came while they were appended; or in the middle of
 * another line, which must not go on in these.
 */
async function endOf(
	fd: number,
	bytes: Buffer,
): Promise<{ readonly begun: number; readonly isInLine: boolean; readonly size: number }> {
	const { size } = await fstatSoon(fd);
	const end = await readOpen(fd, Math.max(0, size - bytes.length - 1), size);
	const overlap = longestOverlap(end, bytes);
	const before = end[end.length - overlap - 1];
	const begun = before === undefined || before === newline ? overlap : 0;
	return { begun, isInLine: begun === 0 && end.length > 0 && end.at(-1) !== newline, size };
}

async function* readEnd(fd: number): AsyncGenerator<WrittenChunk> {
	const { size } = await fstatSoon(fd);
	for (let offset = Math.max(0, size - maxEndBytes); offset < size; offset += pieceBytes) {
		const end = Math.min(size, offset + pieceBytes);
		// What can't be read is lost.
		const bytes = await readOpen(fd, offset, end).catch(() => undefined);
		// Cut by somebody: what is written there now would bring it back.
		if ((await fstatSoon(fd)).size < end) return;
		if (bytes !== undefined) yield { offset, bytes };
	}
}

/**
 * Where the bytes are to be: their place, or another one where they are found, for somebody else may have cut the file.
 * What is found is written again all the same: it may be in memory only, and no sync would bring it to the disk.
 */
async function placeOf(fd: number, { offset, bytes }: WrittenChunk): Promise<number | undefined> {
	const { size } = await fstatSoon(fd);
	// What can't be read is as lost as what reads as zeros.
	const found = await readOpen(fd, offset, offset + bytes.length).catch(() => Buffer.alloc(0));
	if (size >= offset && isOursOrLost(found, bytes)) return offset;
	const from = Math.max(0, size - maxSearchBytes);
	const at = (await readOpen(fd, from, size)).indexOf(bytes);
	return at === -1 ? undefined : from + at;
}

/** Whether each byte is the one that was written, or zero: pages that never reached the disk read as zeros. */
function isOursOrLost(found: Buffer, bytes: Buffer): boolean {
	return found.equals(bytes) || found.every((byte, index) => byte === 0 || byte === bytes[index]);
}

async function appendAgain(path: string, file: FileIdentity, bytes: Buffer, paths: OutputPaths): Promise<void> {
	const fd = await openSame(path, constants.O_WRONLY | constants.O_APPEND, file, paths);
	try {
		for (let written = 0; written < bytes.length; ) {
			written += await appendSoon("output.append-again", fd, bytes.subarray(written));
		}
		await syncDataSoon("output.sync-again", fd);
	} finally {
		await closeSoon(fd);
	}
}

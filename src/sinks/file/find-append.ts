/**
 * Finds out, after a death, how much of an append is in its file: the "compare" of render-and-compare.
 *
 * The file may have been appended to by others, truncated, replaced or renamed in the meantime. Nothing is changed here;
 * what can't be found counts as not written.
 */

import { readdirSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { type FileState, readRange, tailBefore } from "./output-file.ts";

export interface FoundAppend {
	/** The file that has the bytes, or should get them: another name of it, when it was renamed. */
	readonly path: string;
	/** How many of the bytes are in it, from their start. */
	readonly writtenBytes: number;
}

const newline = 0x0a;
/** So many lines from the end are looked for when an append is not to be found as a whole. */
const maxLinesTried = 64;
/** Most bytes looked through for an append that is not where it should be. */
const maxSearchBytes = 64 * 1024 * 1024;

/** @param before What the file was before the append was tried. */
export function findAppend(path: string, before: FileState, bytes: Buffer): FoundAppend {
	const stats = statSync(path, { throwIfNoEntry: false });
	if (stats !== undefined && !stats.isFile()) return { path, writtenBytes: 0 };
	if (stats?.ino === before.inode && stats.dev === before.device) {
		return { path, writtenBytes: countWritten(path, before, stats.size, bytes) };
	}
	// Rotated by somebody else: the file goes on under another name in its folder.
	const renamed = findByInode(dirname(path), before);
	if (renamed !== undefined) {
		const writtenBytes = countWritten(renamed, before, statSync(renamed).size, bytes);
		if (writtenBytes > 0) return { path: renamed, writtenBytes };
	}
	return { path, writtenBytes: 0 };
}

function findByInode(folder: string, { device, inode }: FileState): string | undefined {
	let names: string[] = [];
	try {
		names = readdirSync(folder);
	} catch {
		return undefined;
	}
	return names
		.map((name) => join(folder, name))
		.find((path) => {
			const stats = statSync(path, { throwIfNoEntry: false });
			return stats?.ino === inode && stats.dev === device && stats.isFile();
		});
}

function countWritten(path: string, before: FileState, sizeBytes: number, bytes: Buffer): number {
	const isSame = sizeBytes >= before.sizeBytes && tailBefore(path, before.sizeBytes) === before.tail;
	// Truncated or replaced under the same inode: the append may be anywhere in it.
	const from = isSame ? before.sizeBytes : Math.max(0, sizeBytes - maxSearchBytes);
	const found = readRange(path, from, Math.min(sizeBytes, from + maxSearchBytes));
	const common = isSame ? countCommon(found, bytes) : 0;
	if (common === found.length || common === bytes.length) return common;
	// Others wrote there too. An append is one write: whole somewhere among theirs, or half at the very end.
	if (found.includes(bytes)) return bytes.length;
	const atEnd = longestOverlap(found, bytes);
	if (atEnd > 0) return atEnd;
	// Where a record was damaged since, the bytes lack its line: they go on behind the last line that both have.
	const behindLast = isSame ? endOfLastLine(found, bytes) : 0;
	if (behindLast > 0) return behindLast;
	// A half with theirs behind it: its whole lines count, and the line that is cut short is written again.
	return common === 0 ? 0 : bytes.lastIndexOf(newline, common - 1) + 1;
}

/** Where the last line of `found` that is in `bytes` as well, and once only, ends there; 0 where none of its last lines is. */
function endOfLastLine(found: Buffer, bytes: Buffer): number {
	let end = found.length;
	for (let tried = 0; tried < maxLinesTried && end > 0; tried++) {
		// The very last one may be half a line.
		const from = end < 2 ? 0 : found.lastIndexOf(newline, end - 2) + 1;
		const behind = endOfOnly(found.subarray(from, end), bytes);
		if (behind > 0) return behind;
		end = from;
	}
	return 0;
}

/** Where a line ends in `bytes`; 0 where it is not in it, or more than once. */
function endOfOnly(line: Buffer, bytes: Buffer): number {
	let behind = 0;
	for (let at = bytes.indexOf(line); at !== -1; at = bytes.indexOf(line, at + 1)) {
		if (at > 0 && bytes[at - 1] !== newline) continue;
		if (behind > 0) return 0;
		behind = at + line.length;
	}
	return behind;
}

function countCommon(one: Buffer, other: Buffer): number {
	const most = Math.min(one.length, other.length);
	let count = 0;
	while (count < most && one[count] === other[count]) count += 1;
	return count;
}

/** How many of the first bytes of `bytes` stand at the very end of `found`. */
function longestOverlap(found: Buffer, bytes: Buffer): number {
	const end = found.subarray(-bytes.length);
	for (let at = end.indexOf(bytes[0] ?? 0); at !== -1; at = end.indexOf(bytes[0] ?? 0, at + 1)) {
		const rest = end.length - at;
		if (end.subarray(at).equals(bytes.subarray(0, rest))) return rest;
	}
	return 0;
}

/**
 * Finds out, after a death, how much of an append is in its file: the "compare" of render-and-compare.
 *
 * The file may have been appended to by others, truncated, replaced or renamed in the meantime. Nothing is changed here;
 * what can't be found counts as not written.
 */

import type { Stats } from "node:fs";
import { readdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { systemCode } from "../../shared/errors.ts";
import { isInCopy, rotatedNames } from "./find-copy.ts";
import { type FileIdentity, type FileState, readRange, tailBefore } from "./output-file.ts";
import { anyPath, type OutputPaths } from "./output-paths.ts";

export interface FoundAppend {
	/** The file that has the bytes, or should get them: another name of it, when it was renamed. */
	readonly path: string;
	/** How many of the bytes are in it, from their start. */
	readonly writtenBytes: number;
}

const newline = 0x0a;
/** So many lines from the end are looked for when an append is not to be found as a whole. */
const maxLinesTried = 64;

interface FoundFile {
	readonly path: string;
	readonly sizeBytes: number;
}

/** Most bytes looked through for an append that is not where it should be. */
const maxSearchBytes = 64 * 1024 * 1024;

/** What the file was before an append was tried, and when that was: not known of checkpoints of earlier versions. */
export type BeforeAppend = FileState & { readonly atMs?: number };

/**
 * @param before What the file was before the append was tried.
 * @param outputs Files that are no copies of this one: lines go to them as well.
 */
export async function findAppend(
	path: string,
	before: BeforeAppend,
	bytes: Buffer,
	outputs: ReadonlySet<string> = new Set(),
	paths: OutputPaths = anyPath,
): Promise<FoundAppend> {
	const stats = await statIfThere(path, paths).catch((problem: Error) => problem);
	// What can't be looked at may be found under another name all the same.
	const known = stats instanceof Error ? undefined : stats;
	if (known !== undefined && !known.isFile() && !known.isDirectory()) return { path, writtenBytes: 0 };
	const isHere = known?.isFile() === true && known.ino === before.inode && known.dev === before.device;
	// Rotated by somebody else: the file goes on under another name.
	const file = isHere ? { path, sizeBytes: known.size } : await findByInode(path, before, paths);
	if (file !== undefined) {
		const writtenBytes = await countWritten(file, before, bytes, paths);
		if (writtenBytes > 0) return { path: file.path, writtenBytes };
	}
	// Gone, cut, or empty as it was before.
	const mayBeCopied = file === undefined || before.sizeBytes === 0 || !(await isAsBefore(file, before, paths));
	const { atMs } = before;
	if (mayBeCopied && atMs !== undefined && (await isInCopy(path, before, bytes, { atMs, outputs, paths }))) {
		return { path, writtenBytes: bytes.length };
	}
	if (stats instanceof Error) throw stats;
	return { path, writtenBytes: 0 };
}

/** The file at `path`, or in its folder, or with a similar name in a folder there, that has this inode; and its size. */
export async function findByInode(
	path: string,
	{ device, inode }: FileIdentity,
	paths: OutputPaths = anyPath,
): Promise<FoundFile | undefined> {
	const folder = dirname(path);
	const names = (await readdir(folder).catch(() => [])).map((name) => join(folder, name));
	for (const candidate of new Set([path, ...names, ...(await rotatedNames(path))])) {
		const stats = await paths.look(candidate).catch(() => undefined);
		if (stats?.ino === inode && stats.dev === device && stats.isFile())
			return { path: candidate, sizeBytes: stats.size };
	}
	return undefined;
}

async function statIfThere(path: string, paths: OutputPaths): Promise<Stats | undefined> {
	try {
		return await paths.look(path);
	} catch (error) {
		if (systemCode(error) === "ENOTDIR") return undefined;
		throw error;
	}
}

async function isAsBefore({ path, sizeBytes }: FoundFile, before: FileState, paths: OutputPaths): Promise<boolean> {
	return sizeBytes >= before.sizeBytes && (await tailBefore(path, before.sizeBytes, paths)) === before.tail;
}

async function countWritten(file: FoundFile, before: FileState, bytes: Buffer, paths: OutputPaths): Promise<number> {
	const { path, sizeBytes } = file;
	const isSame = await isAsBefore(file, before, paths);
	// Truncated or replaced under the same inode: the append may be anywhere in it.
	const from = isSame ? before.sizeBytes : Math.max(0, sizeBytes - maxSearchBytes);
	const found = await readRange(path, from, Math.min(sizeBytes, from + maxSearchBytes), paths);
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

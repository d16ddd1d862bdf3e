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
import { endOfLastCommonLine } from "./last-common-line.ts";
import { type FileIdentity, type FileState, maxMoves, MovedError, readRange, tailBefore } from "./output-file.ts";
import { anyPath, type OutputPaths } from "./output-paths.ts";
import { isBeingPacked, UnsettledError } from "./packing.ts";

export interface FoundAppend {
	/** The file that has the bytes, or should get them: another name of it, when it was renamed. */
	readonly path: string;
	/** How many of the bytes are in it, from their start. */
	readonly writtenBytes: number;
	/** Where in it they are. */
	readonly offset?: number;
}

const newline = 0x0a;

interface FoundFile {
	readonly path: string;
	readonly sizeBytes: number;
}

/** Looks at names until it counts as gone. */
const maxLooks = 50_000;
/** Most bytes looked through for an append that is not where it should be. */
const maxSearchBytes = 64 * 1024 * 1024;

/** What the file was before an append was tried, and when that was: not known of checkpoints of earlier versions. */
export type BeforeAppend = FileState & { readonly atMs?: number };

/**
 * @throws UnsettledError when that can't be known yet; the file system's error
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
	for (let left = maxMoves; ; left--) {
		try {
			return await lookForAppend(path, before, bytes, outputs, paths);
		} catch (error) {
			if (!(error instanceof MovedError) || left === 0) throw error;
		}
	}
}

/** @throws MovedError when the file was renamed meanwhile */
async function lookForAppend(
	path: string,
	before: BeforeAppend,
	bytes: Buffer,
	outputs: ReadonlySet<string>,
	paths: OutputPaths,
): Promise<FoundAppend> {
	const stats = await statIfThere(path, paths).catch((problem: Error) => problem);
	// What can't be looked at may be found under another name all the same.
	const known = stats instanceof Error ? undefined : stats;
	const isHere = known?.ino === before.inode && known.dev === before.device;
	// A device or a FIFO tells nothing. What has come in place of a file does not keep that from being found.
	if (isHere && !known.isFile()) return { path, writtenBytes: 0 };
	// Rotated by somebody else: the file goes on under another name.
	const file = isHere ? { path, sizeBytes: known.size } : await findByInode(path, before, paths);
	if (file !== undefined) {
		const found = await findWritten(file, before, bytes, paths);
		if (found.writtenBytes > 0) {
			if (file.path !== path) await checkStays(file.path, before, paths);
			return { path: file.path, ...found };
		}
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

/**
 * The file at `path`, or in its folder, or with a similar name in a folder there, that has this inode; and its size. One that
 * is renamed meanwhile is found all the same.
 */
export async function findByInode(
	path: string,
	{ device, inode }: FileIdentity,
	paths: OutputPaths = anyPath,
): Promise<FoundFile | undefined> {
	const folder = dirname(path);
	let seenBefore: string | undefined;
	for (let left = maxLooks; left > 0; ) {
		const names = (await readdir(folder).catch(() => [])).map((name) => join(folder, name));
		let seen = "";
		for (const candidate of new Set([path, ...names, ...(await rotatedNames(path))])) {
			left -= 1;
			const stats = await paths.look(candidate).catch(() => undefined);
			if (stats?.ino === inode && stats.dev === device && stats.isFile())
				return { path: candidate, sizeBytes: stats.size };
			seen += `${candidate}\0${stats?.dev}\0${stats?.ino}\0`;
		}
		// Where names have changed it may have gone from one that was not looked at yet to one that was.
		if (seen === seenBefore) return undefined;
		seenBefore = seen;
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
	if (sizeBytes < before.sizeBytes) return false;
	return (await tailBefore(path, before.sizeBytes, { paths, wanted: before })) === before.tail;
}

/** @throws UnsettledError where the file may be gone in a moment; MovedError where it is */
async function checkStays(renamed: string, before: FileIdentity, paths: OutputPaths): Promise<void> {
	if (await isBeingPacked(renamed)) throw new UnsettledError(renamed);
	const stats = await statIfThere(renamed, paths);
	if (stats?.ino !== before.inode || stats.dev !== before.device) throw new MovedError(renamed);
}

async function findWritten(
	file: FoundFile,
	before: FileState,
	bytes: Buffer,
	paths: OutputPaths,
): Promise<{ readonly writtenBytes: number; readonly offset: number }> {
	const { path, sizeBytes } = file;
	const isSame = await isAsBefore(file, before, paths);
	// Truncated or replaced under the same inode: the append may be anywhere in it.
	const from = isSame ? before.sizeBytes : Math.max(0, sizeBytes - maxSearchBytes);
	const found = await readRange(path, from, Math.min(sizeBytes, from + maxSearchBytes), { paths, wanted: before });
	const common = isSame ? countCommon(found, bytes) : 0;
	if (common === found.length || common === bytes.length) return { writtenBytes: common, offset: from };
	// Others wrote there too. An append is one write: whole somewhere among theirs, or half at the very end.
	const at = found.indexOf(bytes);
	if (at !== -1) return { writtenBytes: bytes.length, offset: from + at };
	const atEnd = longestOverlap(found, bytes);
	if (atEnd > 0) return { writtenBytes: atEnd, offset: from + found.length - atEnd };
	// Where a record was damaged since, the bytes lack its line: they go on behind the last line that both have.
	const behindLast = isSame ? endOfLastCommonLine(found, bytes) : 0;
	if (behindLast > 0) return { writtenBytes: behindLast, offset: from };
	// A half with theirs behind it: its whole lines count, and the line that is cut short is written again.
	return { writtenBytes: common === 0 ? 0 : bytes.lastIndexOf(newline, common - 1) + 1, offset: from };
}

function countCommon(one: Buffer, other: Buffer): number {
	const most = Math.min(one.length, other.length);
	let count = 0;
	while (count < most && one[count] === other[count]) count += 1;
	return count;
}

/** How many of the first bytes of `bytes` stand at the very end of `found`. */
export function longestOverlap(found: Buffer, bytes: Buffer): number {
	const end = found.subarray(-bytes.length);
	for (let at = end.indexOf(bytes[0] ?? 0); at !== -1; at = end.indexOf(bytes[0] ?? 0, at + 1)) {
		const rest = end.length - at;
		if (end.subarray(at).equals(bytes.subarray(0, rest))) return rest;
	}
	return 0;
}

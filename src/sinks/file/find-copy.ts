/**
 * Finds out whether an append is in a copy of its file, as those make who rotate logs: one that copies a file and empties it
 * (`copytruncate`), or compresses it at once and removes it.
 *
 * Only what is there as a whole is found, behind the bytes that the file ended with, in a file with a name such as they get,
 * written since the append was tried. Where the file was empty before, nothing but the bytes themselves tells a copy from an
 * older file that ends in the same lines: such a one counts only if it was made since. What can't be found is written again:
 * better twice than never. Reads only, and only so much.
 */

import { constants, createReadStream } from "node:fs";
import { opendir } from "node:fs/promises";
import { basename, dirname, extname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { crc32, createGunzip } from "node:zlib";
import { type FileState, readRange, tailBefore, tailBytes } from "./output-file.ts";
import type { OutputPaths } from "./output-paths.ts";

/** Time stamps of files come from a clock that ticks less often. */
const clockSlackMs = 100;
/** Names looked at, in the folder and in all folders in it. */
const maxNames = 20_000;
const maxFolders = 64;
/** Copies looked into, the youngest first. */
const maxPlain = 16;
const maxPacked = 4;
const maxPackedBytes = 64 * 1024 * 1024;
/** Behind what the file was before. */
const maxUnpackedBytes = 64 * 1024 * 1024;

export interface Tried {
	/** When the append was tried, as `Date.now()` tells. */
	readonly atMs: number;
	/** Files that are no copies: lines go to them as well. */
	readonly outputs: ReadonlySet<string>;
	readonly paths: OutputPaths;
}

/** Whether a copy of the file at `path` has all the bytes behind what the file was before. */
export async function isInCopy(path: string, before: FileState, bytes: Buffer, tried: Tried): Promise<boolean> {
	const oldestMs = before.sizeBytes === 0 ? tried.atMs - clockSlackMs : 0;
	const copies = (await youngCopies(path, tried)).filter(({ madeAtMs }) => madeAtMs === 0 || madeAtMs >= oldestMs);
	for (const copy of copies.filter((each) => !each.isPacked).slice(0, maxPlain)) {
		if (await hasBytes(copy, before, bytes, tried.paths).catch(() => false)) return true;
	}
	for (const copy of copies.filter((each) => each.isPacked).slice(0, maxPacked)) {
		if (await hasPackedBytes(copy, before, bytes, tried.paths).catch(() => false)) return true;
	}
	return false;
}

interface Copy {
	readonly path: string;
	readonly isPacked: boolean;
	readonly sizeBytes: number;
	readonly changedAtMs: number;
	/** 0 where the file system does not tell. */
	readonly madeAtMs: number;
}

/** The youngest first. */
async function youngCopies(path: string, { atMs, outputs, paths }: Tried): Promise<readonly Copy[]> {
	const copies: Copy[] = [];
	for (const candidate of await rotatedNames(path)) {
		if (candidate === path || outputs.has(candidate)) continue;
		const stats = await paths.look(candidate).catch(() => undefined);
		if (stats?.isFile() !== true) continue;
		const isPacked = candidate.endsWith(".gz");
		// logrotate gives a compressed one the time at which the file was last written before.
		const changedAtMs = isPacked ? Math.max(stats.mtimeMs, stats.ctimeMs) : stats.mtimeMs;
		if (changedAtMs < atMs - clockSlackMs) continue;
		copies.push({ path: candidate, isPacked, sizeBytes: stats.size, changedAtMs, madeAtMs: stats.birthtimeMs });
	}
	return copies.toSorted((one, other) => other.changedAtMs - one.changedAtMs);
}

/** Files with a name such as a rotated file gets, in the folder of `path` or in one of the folders there. */
export async function rotatedNames(path: string): Promise<readonly string[]> {
	const folder = dirname(path);
	const name = basename(path);
	const stem = basename(path, extname(path));
	const isRotated = (each: string): boolean =>
		each.startsWith(name) || (each.startsWith(stem) && /^[-._]?\d/.test(each.slice(stem.length)));
	const found: string[] = [];
	const folders: string[] = [];
	let left = maxNames;
	for await (const entry of await entriesOf(folder)) {
		if (left-- === 0) break;
		if (entry.isDirectory() && folders.length < maxFolders) folders.push(join(folder, entry.name));
		else if (isRotated(entry.name)) found.push(join(folder, entry.name));
	}
	for (const each of folders) {
		for await (const entry of await entriesOf(each)) {
			if (left-- <= 0) return found;
			if (isRotated(entry.name)) found.push(join(each, entry.name));
		}
	}
	return found;
}

async function entriesOf(folder: string): Promise<AsyncIterable<{ name: string; isDirectory(): boolean }>> {
	return opendir(folder).catch(async function* () {});
}

type Placed = Pick<Copy, "path" | "sizeBytes">;

async function hasBytes(copy: Placed, before: FileState, bytes: Buffer, paths: OutputPaths): Promise<boolean> {
	const { path, sizeBytes } = copy;
	const { sizeBytes: from, tail } = before;
	if (sizeBytes < from + bytes.length || (await tailBefore(path, from, { paths })) !== tail) return false;
	// Others may have written there, too.
	return (await readRange(path, from, Math.min(sizeBytes, from + maxUnpackedBytes), { paths })).includes(bytes);
}

async function hasPackedBytes(copy: Placed, before: FileState, bytes: Buffer, paths: OutputPaths): Promise<boolean> {
	if (copy.sizeBytes > maxPackedBytes) return false;
	const { sizeBytes, tail } = before;
	const from = Math.max(0, sizeBytes - tailBytes);
	const kept: Buffer[] = [];
	const packed = createReadStream(copy.path, { fd: await paths.open(copy.path, constants.O_RDONLY) });
	await pipeline(packed, createGunzip(), async (unpacked: AsyncIterable<Buffer>) => {
		let at = 0;
		for await (const chunk of unpacked) {
			if (at + chunk.length > from) kept.push(chunk.subarray(Math.max(0, from - at)));
			at += chunk.length;
			if (at - from > maxUnpackedBytes) throw new Error(`${copy.path} has too much behind byte ${from}`);
		}
	});
	const end = Buffer.concat(kept);
	const isSame = crc32(end.subarray(0, sizeBytes - from)) === tail;
	const at = end.subarray(sizeBytes - from).indexOf(bytes);
	// It is always made since, also of an older file.
	return isSame && (sizeBytes === 0 ? at === 0 : at !== -1);
}

/**
 * What was written to log files and is not known to be on disk, and how it gets there: the bytes, and the names of new
 * files with them. One sync at a time for each file. A sync that fails hands over what it was about (`unsynced-tail.ts`).
 */

import { dirname } from "node:path";
import { crc32 } from "node:zlib";
import type { UnsyncedFile } from "../../spool/checkpoint.ts";
import { findByInode } from "./find-append.ts";
import { type FileIdentity, type OutputFile, readRange } from "./output-file.ts";
import { isRefused, type OutputPaths } from "./output-paths.ts";
import { rewriteChunks, rewriteEnd, type WrittenChunk } from "./rewrite-chunks.ts";
import { type Patience, type SlowCalls, threads } from "./slow-calls.ts";
import { syncClosed } from "./sync-closed.ts";
import { syncNames } from "./sync-names.ts";
import { Turns } from "./turns.ts";
import { TailMemory } from "./tail-memory.ts";
import { type TailChunk, UnsyncedTail } from "./unsynced-tail.ts";

/** Bytes that a sync did not bring to the disk. */
export interface FailedSync extends FileIdentity {
	readonly path: string;
	readonly chunks: readonly TailChunk[];
	/** Whether `chunks` is all of it: not so for what a logman before this one wrote. */
	readonly isWhole: boolean;
	readonly error: unknown;
}

/**
 * What has become of them. `"safe"`: they are on disk elsewhere, or nobody's business any more. `"owed"`: `chunks` are, and of
 * what is missing there nobody is told that it is safe; whoever waits for others need not wait for it. `"unsafe"`: everybody
 * has to wait.
 */
export type AfterFailedSync = "safe" | "owed" | "unsafe";

export interface OutputSyncsOptions {
	readonly patience: Patience;
	readonly maxTailBytes: number;
	readonly paths: OutputPaths;
	/** Does what can be done about what could not be synced; unless it is safe then, the sync is tried again. */
	readonly onFailedSync: (failed: FailedSync) => Promise<AfterFailedSync>;
}

/** Bytes of which only a checksum was kept, and which the file has no more. */
export class LostBytesError extends Error {
	override readonly name = "LostBytesError";

	constructor(path: string, offset: number, length: number) {
		super(`${length} bytes of ${path} at byte ${offset} did not reach the disk and can't be read back`);
	}
}

/**
 * Syncs at a time, of all files, and again of single ones: each takes one of the few threads that all calls share. A hundred
 * files may be renamed, or come back from `parked/`, at once, and a disk that does not answer must not get all threads.
 */
const syncsAtOnce = threads < 8 ? 1 : 2;

export class OutputSyncs {
	readonly #calls: SlowCalls;
	readonly #options: OutputSyncsOptions;
	readonly #memory: TailMemory;
	/** Of syncs of single files, and of what is written again. */
	readonly #turns = new Turns(syncsAtOnce);
	/** By device and inode. */
	readonly #tails = new Map<string, UnsyncedTail>();
	/** Folders in which the names of new files are not known to be on disk; with the sync that is under way for all of them. */
	readonly #newIn = new Map<string, Promise<void> | undefined>();
	/** Folders whose names have been synced once in this life: a file that was there may be from a life that did not come to it. */
	readonly #named = new Set<string>();

	constructor(calls: SlowCalls, options: OutputSyncsOptions) {
		this.#calls = calls;
		this.#options = options;
		this.#memory = new TailMemory(options.maxTailBytes);
	}

	/** Files with bytes that are not known to be on disk. */
	get unsynced(): readonly UnsyncedFile[] {
		return [...this.#tails.values()].map(({ path, device, inode }) => ({ path, device, inode }));
	}

	/** How many those are. */
	get count(): number {
		return this.#tails.size;
	}

	/** Notes files that a logman before this one wrote to and may not have synced. */
	mark(files: readonly UnsyncedFile[]): void {
		for (const file of files) {
			this.markNew([], file.path);
			const tail = new UnsyncedTail(file.path, file, { memory: this.#memory, isWhole: false });
			this.#tails.set(keyOf(file.path, file), tail);
		}
	}

	/** Notes the folders that got a new name with a file, and those above it that may have: it is not known who made them. */
	markNew(folders: readonly string[], path: string): void {
		const mayBe = foldersAbove(path).filter((folder) => !this.#named.has(folder) && !this.#newIn.has(folder));
		for (const folder of [...folders, ...mayBe]) this.#newIn.set(folder, undefined);
	}

	/** Notes bytes that are in a file, at `offset`. */
	note(path: string, identity: FileIdentity, offset: number, bytes: Buffer, file?: OutputFile): void {
		if (bytes.length === 0) return;
		const key = keyOf(path, identity);
		let tail = this.#tails.get(key);
		if (tail === undefined) {
			tail = new UnsyncedTail(path, identity, { memory: this.#memory, isWhole: true });
			this.#tails.set(key, tail);
		}
		tail.file = file ?? tail.file;
		if (file !== undefined || !tail.has(offset)) tail.add(offset, bytes);
	}

	/** Whether something that went to `path` is not known to be on disk. */
	owes(path: string): boolean {
		for (const tail of this.#tails.values()) if (tail.path === path) return true;
		return false;
	}

	/** Brings everything to the disk. Returns whether nobody has to wait any more. Never rejects. */
	async sync(): Promise<boolean> {
		const waiting = [...this.#tails.values()];
		let isSafe = true;
		const worker = async (): Promise<void> => {
			for (let tail = waiting.pop(); tail !== undefined; tail = waiting.pop()) {
				isSafe = (await this.#syncAfterOthers(tail)) && isSafe;
			}
		};
		await Promise.all(Array.from({ length: syncsAtOnce }, worker));
		return isSafe;
	}

	/** As {@link sync}, for what went to one path. */
	async syncPath(path: string): Promise<boolean> {
		const waiting = [...this.#tails.values()].filter((tail) => tail.path === path);
		let isSafe = true;
		for (const tail of waiting) isSafe = (await this.#turns.take(() => this.#syncAfterOthers(tail))) && isSafe;
		return isSafe;
	}

	/** Brings to the disk what went to a file that is no longer at its path. */
	async syncFile(file: OutputFile): Promise<void> {
		const tail = this.#tails.get(keyOf(file.path, file.state));
		if (tail !== undefined) await this.#turns.take(() => this.#syncAfterOthers(tail));
	}

	/** Bytes of a file as `chunks` tell of them: from memory, or from the file where they are still what they were. */
	async readBack(path: string, chunks: readonly TailChunk[]): Promise<readonly WrittenChunk[]> {
		const found: WrittenChunk[] = [];
		for (const chunk of chunks) {
			const { offset, length } = chunk;
			const read = (): Promise<Buffer> =>
				readRange(path, offset, offset + length, { paths: this.#options.paths }).catch((error: unknown) => {
					throw isRefused(error) ? new LostBytesError(path, offset, length) : error;
				});
			const bytes = chunk.bytes ?? (await this.#calls.within(path, this.#options.patience, read));
			if (chunk.bytes === undefined && crc32(bytes) !== chunk.crc) throw new LostBytesError(path, offset, length);
			found.push({ offset, bytes });
		}
		return found;
	}

	/** Writes bytes again at their place, and brings them to the disk. @throws what the file system says */
	rewrite(path: string, file: FileIdentity, chunks: readonly WrittenChunk[]): Promise<void> {
		return this.#turns.take(() => this.#rewrite(path, file, chunks));
	}

	async #rewrite(path: string, file: FileIdentity, chunks: readonly WrittenChunk[]): Promise<void> {
		const { patience, paths } = this.#options;
		await this.#calls.within(path, patience, () => rewriteChunks(path, file, chunks, paths));
	}

	/** Forgets a file that is to be removed. */
	forget(path: string): void {
		for (const [key, tail] of this.#tails) {
			if (tail.path !== path) continue;
			tail.forget(tail.snapshot().upTo, false);
			this.#tails.delete(key);
		}
	}

	async #syncAfterOthers(tail: UnsyncedTail): Promise<boolean> {
		while (tail.sync !== undefined) await tail.sync;
		if (this.#tails.get(keyOf(tail.path, tail)) !== tail) return true;
		tail.sync = this.#syncTail(tail);
		try {
			return await tail.sync;
		} finally {
			tail.sync = undefined;
		}
	}

	async #syncTail(tail: UnsyncedTail): Promise<boolean> {
		const { chunks, upTo } = tail.snapshot();
		try {
			if (tail.isEndSuspect) {
				const { patience, paths } = this.#options;
				await this.#calls.within(tail.path, patience, () => rewriteEnd(tail.path, tail, paths));
			}
			if (tail.isSuspect) await this.#rewrite(tail.path, tail, await this.readBack(tail.path, chunks));
			else await this.#calls.within(tail.path, this.#options.patience, () => syncTail(tail, this.#options.paths));
			for (const folder of foldersAbove(tail.path)) await this.#syncFolder(folder);
		} catch (error) {
			const { path, device, inode, isWhole } = tail;
			tail.hasFailed = true;
			const outcome = await this.#options.onFailedSync({ path, device, inode, chunks, isWhole, error });
			// Of which file it is nothing is known in notes of earlier versions.
			tail.isEndSuspect = !isWhole && inode !== 0;
			if (outcome === "owed") tail.forget(upTo, false);
			else if (outcome === "unsafe") tail.isSuspect = inode !== 0;
			if (outcome !== "safe") return outcome === "owed";
		}
		tail.isEndSuspect = false;
		tail.forget(upTo, !tail.hasFailed);
		// A file that got more meanwhile stays unsynced.
		if (tail.isEmpty) this.#tails.delete(keyOf(tail.path, tail));
		return true;
	}

	async #syncFolder(folder: string): Promise<void> {
		if (!this.#newIn.has(folder)) return;
		const work = this.#newIn.get(folder) ?? this.#calls.within(folder, this.#options.patience, () => syncNames(folder));
		this.#newIn.set(folder, work);
		try {
			await work;
			this.#named.add(folder);
			if (this.#newIn.get(folder) === work) this.#newIn.delete(folder);
		} catch (error) {
			if (this.#newIn.get(folder) === work) this.#newIn.set(folder, undefined);
			throw error;
		}
	}
}

/** By its open descriptor, or else whatever name it has by now. */
async function syncTail({ path, file, device, inode }: UnsyncedTail, paths: OutputPaths): Promise<void> {
	if (file !== undefined && !file.isClosed) return file.sync();
	let refusal: Error | undefined;
	try {
		if (await syncClosed(path, { device, inode }, paths)) return;
	} catch (error) {
		if (!isRefused(error)) throw error;
		refusal = error;
	}
	const renamed = await findByInode(path, { device, inode }, paths);
	if (renamed !== undefined) await syncClosed(renamed.path, { device, inode }, paths);
	else if (refusal !== undefined) throw refusal;
}

/** Where the inode is not known, as in notes of earlier versions, the name stands for it. */
function keyOf(path: string, { device, inode }: FileIdentity): string {
	return inode === 0 ? path : `${device}:${inode}`;
}

/** All folders that a path goes through, the nearest first. */
function foldersAbove(path: string): string[] {
	const folders = [dirname(path)];
	for (let folder = dirname(path); folder !== dirname(folder); folder = dirname(folder)) folders.push(dirname(folder));
	return folders;
}

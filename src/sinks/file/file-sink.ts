/**
 * All log files of a logman. Descriptors stay bounded however many files there are: the ones used longest ago are
 * closed, and opened again when they are needed.
 *
 * No call blocks, and none takes longer than its time limit: a file that does not answer is told of by a
 * {@link StalledError}, and holds up no other. What was appended is kept until a sync has worked (`unsynced-tail.ts`).
 */

import { dirname } from "node:path";
import { crc32 } from "node:zlib";
import { syncFolderSoon } from "../../platform/durable-file.ts";
import { systemCode } from "../../shared/errors.ts";
import type { UnsyncedFile } from "../../spool/checkpoint.ts";
import { findAppend, findByInode, type FoundAppend } from "./find-append.ts";
import { type FileIdentity, type FileState, OutputFile, readRange } from "./output-file.ts";
import { rewriteChunks, type WrittenChunk } from "./rewrite-chunks.ts";
import { SlowCalls, StalledError } from "./slow-calls.ts";
import { syncClosed } from "./sync-closed.ts";
import { TailBudget, type TailChunk, UnsyncedTail } from "./unsynced-tail.ts";

/** Bytes that a sync did not bring to the disk. */
export interface FailedSync {
	readonly path: string;
	readonly device: number;
	readonly inode: number;
	readonly chunks: readonly TailChunk[];
	/** Whether `chunks` is all of it: not so for what a logman before this one wrote. */
	readonly isWhole: boolean;
	readonly error: unknown;
}

/** Bytes of which only a checksum was kept, and which the file has no more. */
class LostBytesError extends Error {
	override readonly name = "LostBytesError";

	constructor(path: string, offset: number, length: number) {
		super(`${length} bytes of ${path} at byte ${offset} did not reach the disk and can't be read back`);
	}
}

export interface FileSinkOptions {
	/** How long a file may take to be opened, looked at or written. `Infinity` waits for ever. @default 3000 */
	readonly stallMs?: number;
	/** How long a sync may take. @default 10000 */
	readonly syncStallMs?: number;
	/** Memory for bytes that are not synced, for all files together. @default 33554432 */
	readonly maxTailBytes?: number;
	/** Gets what could not be synced, and tells whether that is safe elsewhere now; otherwise it is tried again. */
	readonly onFailedSync: (failed: FailedSync) => Promise<boolean>;
}

const maxOpenFiles = 128;
/** Syncs at a time: each takes one of the few threads that all calls share. */
const syncsAtOnce = 2;
/** After which errors the sync of a folder is tried again; others say that it can't be synced: no right, no such thing. */
const passingErrors: ReadonlySet<string | undefined> = new Set([
	"EIO",
	"ENOSPC",
	"EDQUOT",
	"ETIMEDOUT",
	"EMFILE",
	"ENFILE",
]);

export class FileSink {
	/** Open files by path, the least recently used first. */
	readonly #open = new Map<string, OutputFile>();
	/** Files with bytes that are not known to be on disk. */
	readonly #unsynced = new Map<string, UnsyncedTail>();
	/** Folders in which the names of new files are not known to be on disk. */
	readonly #newIn = new Set<string>();
	readonly #calls = new SlowCalls();
	readonly #budget: TailBudget;
	readonly #stallMs: number;
	readonly #syncStallMs: number;
	readonly #onFailedSync: FileSinkOptions["onFailedSync"];
	/** Files that a sync is under way for: they are closed when it has ended. */
	readonly #syncing = new Map<OutputFile, "keep" | "close">();

	constructor(options: FileSinkOptions) {
		this.#stallMs = options.stallMs ?? 3000;
		this.#syncStallMs = options.syncStallMs ?? 10_000;
		this.#budget = new TailBudget(options.maxTailBytes ?? 32 * 1024 * 1024);
		this.#onFailedSync = options.onFailedSync;
	}

	/** Descriptors held. */
	get openCount(): number {
		return this.#open.size;
	}

	/** Files with bytes that are not known to be on disk. */
	get unsynced(): readonly UnsyncedFile[] {
		return [...this.#unsynced].map(([path, { device, inode }]) => ({ path, device, inode }));
	}

	/** How many those are. */
	get unsyncedCount(): number {
		return this.#unsynced.size;
	}

	/** Whether every byte appended so far is on disk. */
	get isSynced(): boolean {
		return this.#unsynced.size === 0;
	}

	/** Whether a call for this path would not be made, because one is under way that does not answer. */
	isStuck(path: string): boolean {
		return this.#calls.isStuck(path);
	}

	/** How many calls are under way that did not answer in time. */
	get stuckCount(): number {
		return this.#calls.stuckCount;
	}

	/** Resolves when no such call is left. */
	untilSettled(): Promise<void> {
		return this.#calls.untilSettled();
	}

	/** Notes files that a logman before this one wrote to and may not have synced. */
	markUnsynced(files: readonly UnsyncedFile[]): void {
		for (const file of files) {
			this.#unsynced.set(file.path, new UnsyncedTail(file, this.#budget, false));
			this.#newIn.add(dirname(file.path));
		}
	}

	/** The file at `path` as it is now, made where it is missing. @throws the file system's error, {@link StalledError} */
	async file(path: string): Promise<OutputFile> {
		const known = this.#open.get(path);
		if (known === undefined) return this.#openFile(path);
		this.#open.delete(path);
		let isSame: boolean;
		try {
			isSame = await this.#calls.within(path, this.#stallMs, () => known.refresh(), this.#closeWhenEnded(known));
		} catch (error) {
			if (!(error instanceof StalledError)) await this.#leave(known);
			throw error;
		}
		if (isSame) this.#open.set(path, known);
		else await this.#leave(known);
		return isSame ? known : this.#openFile(path);
	}

	/**
	 * Appends bytes to the file at `path`, which {@link FileSink.file} has just told of.
	 *
	 * @throws AppendError with the bytes that are in the file; {@link StalledError} when that can't be known yet.
	 */
	async append(path: string, bytes: Uint8Array): Promise<void> {
		const file = this.#open.get(path) ?? (await this.#openFile(path));
		const { state } = file;
		// A copy: the caller uses its memory again, and a write that is late reads it at any time.
		const copy = Buffer.from(bytes);
		const tail = this.#tailOf(path, state);
		try {
			await this.#calls.within(path, this.#stallMs, () => file.append(copy), this.#closeWhenEnded(file));
			if (file.isRegular) tail.add(state.sizeBytes, copy);
		} catch (error) {
			if (error instanceof StalledError) this.#open.delete(path);
			else if (file.isRegular) tail.add(state.sizeBytes, copy.subarray(0, file.state.sizeBytes - state.sizeBytes));
			throw error;
		}
	}

	/** Notes bytes that are in the file by a call that came late. */
	noteAppended(path: string, state: FileState, bytes: Buffer): void {
		this.#tailOf(path, state).add(state.sizeBytes, bytes);
	}

	/**
	 * Brings everything appended so far to the disk, the names of new files as well. Returns whether all of it is safe now.
	 * Never rejects.
	 */
	async sync(paths: Iterable<string> = this.#unsynced.keys()): Promise<boolean> {
		const waiting = [...paths];
		let isSafe = true;
		const worker = async (): Promise<void> => {
			for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
				isSafe = (await this.#syncPath(path)) && isSafe;
			}
		};
		await Promise.all(Array.from({ length: syncsAtOnce }, worker));
		// A copy: one whose sync fails comes back into the set.
		const folders = Array.from(this.#newIn);
		for (const folder of folders) await this.#syncFolder(folder);
		return isSafe;
	}

	/** How much of an append that was tried before is in its file; see `findAppend`. */
	find(state: FileState, path: string, bytes: Buffer): Promise<FoundAppend> {
		return this.#calls.within(
			path,
			this.#stallMs,
			() => findAppend(path, state, bytes),
			() => undefined,
		);
	}

	/** Bytes of a file as `chunks` tell of them: from memory, or from the file where they are still what they were. */
	async readBack(path: string, chunks: readonly TailChunk[]): Promise<readonly WrittenChunk[]> {
		const found: WrittenChunk[] = [];
		for (const chunk of chunks) {
			const { offset, length } = chunk;
			const read = (): Promise<Buffer> => readRange(path, offset, offset + length);
			const bytes = chunk.bytes ?? (await this.#calls.within(path, this.#stallMs, read, () => undefined));
			if (chunk.bytes === undefined && crc32(bytes) !== chunk.crc) throw new LostBytesError(path, offset, length);
			found.push({ offset, bytes });
		}
		return found;
	}

	/** Writes bytes again at their place, and brings them to the disk. @throws what the file system says */
	async rewrite(path: string, file: FileIdentity, chunks: readonly WrittenChunk[]): Promise<void> {
		const work = (): Promise<void> => rewriteChunks(path, file, chunks);
		await this.#calls.within(path, this.#syncStallMs, work, () => undefined);
	}

	/** Closes a file, as before it is removed. */
	forget(path: string): void {
		const file = this.#open.get(path);
		if (file !== undefined) this.#closeFile(file);
		const tail = this.#unsynced.get(path);
		if (tail !== undefined) this.#drop(path, tail, tail.length);
	}

	close(): void {
		for (const file of this.#open.values()) this.#closeFile(file);
	}

	async #openFile(path: string): Promise<OutputFile> {
		for (const file of this.#open.values()) {
			if (this.#open.size < maxOpenFiles) break;
			this.#closeFile(file);
		}
		const open = (): Promise<OutputFile> => OutputFile.open(path);
		const closeLate = (work: Promise<OutputFile>): void => {
			void work.then((late) => late.close()).catch(() => undefined);
		};
		const file = await this.#calls.within(path, this.#stallMs, open, closeLate);
		this.#open.set(path, file);
		for (const folder of file.newIn) this.#newIn.add(folder);
		return file;
	}

	/** Before a file goes out of reach: what went to it must be on disk when a flush says so. */
	async #leave(file: OutputFile): Promise<void> {
		const { path } = file;
		if (this.#unsynced.has(path)) {
			this.#open.set(path, file);
			await this.#syncPath(path);
		}
		this.#closeFile(file);
	}

	#closeFile(file: OutputFile): void {
		if (this.#open.get(file.path) === file) this.#open.delete(file.path);
		if (this.#syncing.has(file)) this.#syncing.set(file, "close");
		else void file.close().catch(() => undefined);
	}

	/** The tail of the file that is at `path` now. */
	#tailOf(path: string, file: FileState): UnsyncedTail {
		let tail = this.#unsynced.get(path);
		if (tail === undefined || tail.inode !== file.inode || tail.device !== file.device) {
			tail = new UnsyncedTail(file, this.#budget, true);
			this.#unsynced.set(path, tail);
		}
		return tail;
	}

	async #syncPath(path: string): Promise<boolean> {
		const tail = this.#unsynced.get(path);
		if (tail === undefined) return true;
		const chunks = tail.first(tail.length);
		const file = this.#open.get(path);
		try {
			if (tail.isSuspect) await this.rewrite(path, tail, await this.readBack(path, chunks));
			else if (file === undefined) await this.#syncClosed(path, tail);
			else await this.#syncOpen(file);
		} catch (error) {
			const { device, inode, isWhole } = tail;
			if (!(await this.#onFailedSync({ path, device, inode, chunks, isWhole, error }))) {
				tail.isSuspect = isWhole;
				return false;
			}
		}
		this.#drop(path, tail, chunks.length);
		return true;
	}

	async #syncOpen(file: OutputFile): Promise<void> {
		this.#syncing.set(file, "keep");
		const whenEnded = (): void => {
			const isWanted = this.#syncing.get(file) === "keep";
			this.#syncing.delete(file);
			if (!isWanted) void file.close().catch(() => undefined);
		};
		const late = (work: Promise<void>): void => void work.then(whenEnded, whenEnded);
		try {
			await this.#calls.within(file.path, this.#syncStallMs, () => file.sync(), late);
		} catch (error) {
			if (error instanceof StalledError) {
				this.#closeFile(file);
				throw error;
			}
			whenEnded();
			throw error;
		}
		whenEnded();
	}

	/** A file that was closed for others: it may have another name by now, or none. */
	async #syncClosed(path: string, file: UnsyncedTail): Promise<void> {
		const sync = async (): Promise<void> => {
			if (await syncClosed(path, file)) return;
			const renamed = await findByInode(dirname(path), file);
			if (renamed !== undefined) await syncClosed(renamed.path, file);
		};
		await this.#calls.within(path, this.#syncStallMs, sync, () => undefined);
	}

	#closeWhenEnded(file: OutputFile): (work: Promise<unknown>) => void {
		const close = (): void => this.#closeFile(file);
		return (work) => void work.then(close, close);
	}

	/** Forgets what is safe; a file that got more meanwhile stays unsynced. */
	#drop(path: string, tail: UnsyncedTail, count: number): void {
		tail.forget(count);
		if (tail.length === 0 && this.#unsynced.get(path) === tail) this.#unsynced.delete(path);
	}

	async #syncFolder(folder: string): Promise<void> {
		this.#newIn.delete(folder);
		const sync = (): Promise<void> => syncFolderSoon("output.sync-folder", folder);
		try {
			await this.#calls.within(folder, this.#syncStallMs, sync, () => undefined);
		} catch (error) {
			if (passingErrors.has(systemCode(error))) this.#newIn.add(folder);
		}
	}
}

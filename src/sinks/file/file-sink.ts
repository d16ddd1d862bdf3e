/**
 * All log files of a logman. Descriptors stay bounded however many files there are: the ones used longest ago are
 * closed, and opened again when they are needed.
 *
 * No call blocks, and none takes longer than its time limit: a file that does not answer is told of by a
 * {@link StalledError}, and holds up no other. What was appended is kept until a sync has worked (`output-syncs.ts`).
 */

import type { UnsyncedFile } from "../../spool/checkpoint.ts";
import { type BeforeAppend, findAppend, type FoundAppend } from "./find-append.ts";
import { MadeAgain } from "./made-again.ts";
import { AppendError, type FileIdentity, OutputFile, type Place } from "./output-file.ts";
import { type OutputPaths, outputPaths } from "./output-paths.ts";
import { type AfterFailedSync, type FailedSync, OutputSyncs } from "./output-syncs.ts";
import { UnsettledError } from "./packing.ts";
import type { WrittenChunk } from "./rewrite-chunks.ts";
import { type Patience, SlowCalls, StalledError } from "./slow-calls.ts";
import type { TailChunk } from "./unsynced-tail.ts";

export interface FileSinkOptions {
	/** How long a file may take to be opened, looked at or written. `Infinity` waits for ever. @default 3000 */
	readonly stallMs?: number;
	/** How long a sync may take. @default 10000 */
	readonly syncStallMs?: number;
	/** Whether others may rename, compress and remove the files. @default true */
	readonly areRotated?: boolean;
	/** Memory for bytes that are not synced, for all files together. @default 33554432 */
	readonly maxTailBytes?: number;
	/** Directories; nothing that is not below one of them is opened: PYLOG_OUTPUT_REFUSED. @default any file */
	readonly roots?: readonly string[] | undefined;
	/** Does what can be done about bytes that could not be synced. */
	readonly onFailedSync: (failed: FailedSync) => Promise<AfterFailedSync>;
}

/** Another file is at the path than the one that was to be appended to. */
export class OtherFileError extends Error {
	override readonly name = "OtherFileError";
}

const maxOpenFiles = 128;
/** Files that are no longer at their path, and are kept open until they are synced. All may be rotated at the same time. */
const maxLeaving = 128;
/** How long it is waited for somebody who compresses a file that was just written, and how often it is looked. */
const settleMs = 100;
const settleStepMs = 5;
/** How long a file may take that did not answer lately. */
const afterStallMs = 250;

export class FileSink {
	/** Open files by path, the least recently used first. */
	readonly #open = new Map<string, OutputFile>();
	readonly #leaving = new Set<OutputFile>();
	readonly #calls = new SlowCalls();
	/** Memory of appends that did not answer in time. */
	readonly #beingRead = new Set<ArrayBufferLike>();
	readonly #madeAgain = new MadeAgain();
	readonly #syncs: OutputSyncs;
	readonly #paths: OutputPaths;
	readonly #patience: Patience;
	readonly #syncPatience: Patience;
	readonly #areRotated: boolean;

	constructor({
		stallMs = 3000,
		syncStallMs = 10_000,
		areRotated = true,
		maxTailBytes = 32 * 1024 * 1024,
		roots,
		onFailedSync,
	}: FileSinkOptions) {
		this.#patience = { limitMs: stallMs, afterStallMs: Math.min(stallMs, afterStallMs) };
		this.#syncPatience = { limitMs: syncStallMs };
		this.#areRotated = areRotated;
		this.#paths = outputPaths(roots);
		const options = { patience: this.#syncPatience, maxTailBytes, paths: this.#paths, onFailedSync };
		this.#syncs = new OutputSyncs(this.#calls, options);
	}

	/** Descriptors held. */
	get openCount(): number {
		return this.#open.size + this.#leaving.size;
	}

	/** Files that are open. */
	openPaths(): Iterable<string> {
		return this.#open.keys();
	}

	/** Files with bytes that are not known to be on disk. */
	get unsynced(): readonly UnsyncedFile[] {
		return this.#syncs.unsynced;
	}

	/** How many those are. */
	get unsyncedCount(): number {
		return this.#syncs.count;
	}

	/** Whether every byte appended so far is on disk. */
	get isSynced(): boolean {
		return this.#syncs.count === 0;
	}

	/** Whether a call for this path would not be made, because one is under way that does not answer. */
	isStuck(path: string): boolean {
		return this.#calls.isStuck(path);
	}

	/** Whether something that went to this path is not known to be on disk. */
	owes(path: string): boolean {
		return this.#syncs.owes(path);
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
		this.#syncs.mark(files);
	}

	/** The file at `path` as it is now, made where it is missing. @throws the file system's error, {@link StalledError} */
	async file(path: string): Promise<OutputFile> {
		const known = this.#open.get(path);
		if (known === undefined) return this.#openFile(path);
		this.#open.delete(path);
		let isSame: boolean;
		try {
			isSame = await this.#calls.within(path, this.#patience, () => known.refresh());
		} catch (error) {
			if (error instanceof StalledError) this.#close(known);
			else this.#leave(known);
			throw error;
		}
		if (isSame) {
			this.#open.set(path, known);
			return known;
		}
		this.#leave(known);
		if (this.#areRotated) await this.#calls.within(path, this.#patience, () => this.#madeAgain.wait(path));
		return this.#openFile(path);
	}

	/**
	 * Appends bytes to the file at `path`. They must not change meanwhile, nor as long as {@link FileSink.isReading} says so.
	 *
	 * @param wanted Which file that must be, where {@link FileSink.file} has told of it.
	 * @throws AppendError with the bytes that are in the file; {@link StalledError} when that can't be known yet;
	 *   {@link OtherFileError}, and then nothing is written, or it is gone with the file.
	 */
	async append(path: string, bytes: Buffer, wanted?: FileIdentity): Promise<void> {
		const file = this.#open.get(path) ?? (await this.#openFile(path));
		const { state, isRegular } = file;
		if (wanted !== undefined && (state.inode !== wanted.inode || state.device !== wanted.device)) {
			throw new OtherFileError(`${path} was replaced`);
		}
		const noteLate = (work: Promise<unknown>): void => this.#noteLate(work, bytes.buffer);
		try {
			const atMs = Date.now();
			const { places, isAtPath } = await this.#calls.within(path, this.#patience, () => file.append(bytes), noteLate);
			if (!isAtPath && this.#areRotated && !(await this.#stays(file, { ...state, atMs }, bytes)))
				throw new OtherFileError(`${path} is gone`);
			if (isRegular) this.#note(file, state, bytes, places);
		} catch (error) {
			if (error instanceof StalledError) {
				this.#open.delete(path);
				this.#close(file);
			} else if (isRegular && error instanceof AppendError) this.#note(file, state, bytes, error.places);
			throw error;
		}
	}

	/** Whether an append that did not answer in time may still read this memory: it must not be used again. */
	isReading(memory: ArrayBufferLike): boolean {
		return this.#beingRead.has(memory);
	}

	/** Notes bytes that are in the file, at `offset`, by a call that came late. */
	noteAppended(path: string, file: FileIdentity, offset: number, bytes: Buffer): void {
		this.#syncs.note(path, file, offset, bytes);
	}

	/**
	 * Brings everything appended so far to the disk, the names of new files as well; or what went to one path. Returns
	 * whether nobody has to wait for it any more. Never rejects.
	 */
	sync(path?: string): Promise<boolean> {
		return path === undefined ? this.#syncs.sync() : this.#syncs.syncPath(path);
	}

	/** How much of an append that was tried before is in its file; see `findAppend`. */
	find(path: string, before: BeforeAppend, bytes: Buffer, outputs: ReadonlySet<string>): Promise<FoundAppend> {
		return this.#calls.within(path, this.#syncPatience, () => findAppend(path, before, bytes, outputs, this.#paths));
	}

	/** Bytes of a file as `chunks` tell of them: from memory, or from the file where they are still what they were. */
	readBack(path: string, chunks: readonly TailChunk[]): Promise<readonly WrittenChunk[]> {
		return this.#syncs.readBack(path, chunks);
	}

	/** Writes bytes again at their place, and brings them to the disk. @throws what the file system says */
	rewrite(path: string, file: FileIdentity, chunks: readonly WrittenChunk[]): Promise<void> {
		return this.#syncs.rewrite(path, file, chunks);
	}

	/** Closes a file, as before it is removed. */
	forget(path: string): void {
		const file = this.#open.get(path);
		this.#open.delete(path);
		if (file !== undefined) this.#close(file);
		this.#syncs.forget(path);
	}

	close(): void {
		for (const file of [...this.#open.values(), ...this.#leaving]) this.#close(file);
		this.#open.clear();
	}

	/**
	 * Whether bytes stay in a file that somebody renamed or removed while they were written.
	 *
	 * @throws StalledError when that can't be known yet
	 */
	async #stays(file: OutputFile, before: BeforeAppend, bytes: Buffer): Promise<boolean> {
		const { path } = file;
		const outputs = new Set(this.openPaths());
		for (let leftMs = settleMs; ; leftMs -= settleStepMs) {
			try {
				return await this.#calls.within(path, this.#patience, async () => {
					const { writtenBytes } = await findAppend(path, before, bytes, outputs, this.#paths).catch(
						notFoundUnlessUnsettled,
					);
					// One that was moved out of sight has its lines all the same.
					return writtenBytes === bytes.length || file.hasName();
				});
			} catch (error) {
				// The write itself was made.
				if (!(error instanceof UnsettledError)) throw new StalledError(String(error), true);
				if (leftMs <= 0) throw error;
				await new Promise((resolve) => setTimeout(resolve, settleStepMs));
			}
		}
	}

	#note(file: OutputFile, identity: FileIdentity, bytes: Buffer, places: readonly Place[]): void {
		let at = 0;
		for (const { offset, length } of places) {
			this.#syncs.note(file.path, identity, offset, bytes.subarray(at, (at += length)), file);
		}
	}

	#noteLate(work: Promise<unknown>, memory: ArrayBufferLike): void {
		this.#beingRead.add(memory);
		const forget = (): void => void this.#beingRead.delete(memory);
		work.then(forget, forget);
	}

	async #openFile(path: string): Promise<OutputFile> {
		for (const file of this.#open.values()) {
			if (this.#open.size < maxOpenFiles) break;
			this.#open.delete(file.path);
			this.#close(file);
		}
		const closeLate = (work: Promise<OutputFile>): void => {
			void work.then((late) => this.#close(late)).catch(() => undefined);
		};
		const file = await this.#calls.within(path, this.#patience, () => OutputFile.open(path, this.#paths), closeLate);
		this.#open.set(path, file);
		this.#syncs.markNew(file.newIn, path);
		return file;
	}

	/**
	 * Before a file goes out of reach: it is closed when what went to it is on disk, and nobody waits for that. Of more than
	 * that many, the next sync looks for the name that each has by then.
	 */
	#leave(file: OutputFile): void {
		if (this.#leaving.size >= maxLeaving) {
			this.#close(file);
			return;
		}
		this.#leaving.add(file);
		void this.#syncs.syncFile(file).finally(() => {
			this.#leaving.delete(file);
			this.#close(file);
		});
	}

	/** Even that may take for ever. Nobody waits for it. */
	#close(file: OutputFile): void {
		void this.#closeWhenAnswered(file).catch(() => undefined);
	}

	async #closeWhenAnswered(file: OutputFile): Promise<void> {
		await file.close(async (close) => {
			for (;;) {
				await this.#calls.untilAnswered(file.path);
				try {
					return await this.#calls.within(file.path, this.#patience, close);
				} catch (error) {
					if (!(error instanceof StalledError) || error.isUnderWay) throw error;
					await new Promise((resolve) => setTimeout(resolve, afterStallMs).unref());
				}
			}
		});
	}
}

function notFoundUnlessUnsettled(error: unknown): Pick<FoundAppend, "writtenBytes"> {
	if (error instanceof UnsettledError) throw error;
	return { writtenBytes: 0 };
}

/**
 * All log files of a logman. Descriptors stay bounded however many files there are: the ones used longest ago are
 * closed, and opened again when they are needed.
 */

import { closeSync, constants, fstatSync, openSync } from "node:fs";
import { syncData } from "../../platform/durable-file.ts";
import { systemCode } from "../../shared/errors.ts";
import { OutputFile } from "./output-file.ts";

const maxOpenFiles = 128;
const lineBreak: Buffer = Buffer.from("\n");

export class FileSink {
	/** Open files by path, the least recently used first. */
	readonly #open = new Map<string, OutputFile>();
	/** Paths of files with bytes that are not known to be on disk. */
	readonly #unsynced = new Set<string>();

	/** Descriptors held. */
	get openCount(): number {
		return this.#open.size;
	}

	/** Files with bytes that are not known to be on disk. */
	get unsynced(): readonly string[] {
		return [...this.#unsynced];
	}

	/** How many those are. */
	get unsyncedCount(): number {
		return this.#unsynced.size;
	}

	/** Notes files that a logman before this one wrote to and may not have synced. */
	markUnsynced(paths: readonly string[]): void {
		for (const path of paths) this.#unsynced.add(path);
	}

	/** Whether every byte appended so far is on disk. */
	get isSynced(): boolean {
		return this.#unsynced.size === 0;
	}

	/** The file at `path` as it is now. @throws the file system's error. */
	file(path: string): OutputFile {
		const known = this.#open.get(path);
		if (known === undefined) {
			this.#makeRoom();
			const file = OutputFile.open(path);
			this.#open.set(path, file);
			return file;
		}
		this.#open.delete(path);
		try {
			known.refresh();
		} catch (error) {
			this.#syncLast(path, known);
			known.close();
			throw error;
		}
		this.#open.set(path, known);
		return known;
	}

	/** Appends bytes to the file at `path`, which {@link FileSink.file} has just given. @throws AppendError */
	append(path: string, bytes: Uint8Array): void {
		this.#unsynced.add(path);
		(this.#open.get(path) ?? this.file(path)).append(bytes);
	}

	/** As {@link append}, for bytes that begin a line: half a line at the end of the file must not run on into it. */
	appendLines(path: string, bytes: Uint8Array): void {
		if ((this.#open.get(path) ?? this.file(path)).isOpenEnded) this.append(path, lineBreak);
		this.append(path, bytes);
	}

	/**
	 * Brings everything appended so far to the disk. `onError` gets each file that could not be; one that can't even be
	 * opened any more is given up with that, so that it does not hold up what others wait for. Blocks.
	 */
	sync(onError: (path: string, error: unknown) => void): void {
		for (const path of this.#unsynced) {
			try {
				const file = this.#open.get(path);
				if (file === undefined) syncClosed(path, onError);
				else file.sync();
				this.#unsynced.delete(path);
			} catch (error) {
				onError(path, error);
			}
		}
	}

	/** Closes a file, as before it is removed. */
	forget(path: string): void {
		this.#open.get(path)?.close();
		this.#open.delete(path);
		this.#unsynced.delete(path);
	}

	close(): void {
		for (const file of this.#open.values()) file.close();
		this.#open.clear();
	}

	/** Before a file goes out of reach: if that fails, the next `sync` says so. */
	#syncLast(path: string, file: OutputFile): void {
		try {
			file.sync();
			this.#unsynced.delete(path);
		} catch {
			// It stays unsynced.
		}
	}

	#makeRoom(): void {
		for (const [path, file] of this.#open) {
			if (this.#open.size < maxOpenFiles) return;
			file.close();
			this.#open.delete(path);
		}
	}
}

/** Brings a file to the disk that is not open for writing; one that is gone needs no sync. @throws what `fdatasync` says */
function syncClosed(path: string, onError: (path: string, error: unknown) => void): void {
	let fd: number;
	try {
		fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
	} catch (error) {
		if (systemCode(error) !== "ENOENT") onError(path, error);
		return;
	}
	try {
		if (fstatSync(fd).isFile()) syncData("output.sync-closed", fd);
	} finally {
		closeSync(fd);
	}
}

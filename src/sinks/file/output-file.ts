/**
 * One log file as the logman writes it: opened for appending, made with its folders where it is missing.
 *
 * Invariants: one `write` per call as far as the kernel takes it; nothing is ever truncated; `state` tells what the file
 * was before the next append well enough to find out afterwards whether that append happened. No method blocks; each may
 * take as long as the file system does. The descriptor is given back when no call is under way: its number may be another
 * file's a moment later.
 */

import { constants, read, type Stats } from "node:fs";
import { crc32 } from "node:zlib";
import { appendSoon, syncDataSoon } from "../../platform/durable-file.ts";
import { closeSoon, fstatSoon } from "../../platform/file-calls.ts";
import { filePosition } from "../../platform/file-position.ts";
import { systemCode } from "../../shared/errors.ts";
import { anyPath, type OpenedOutput, type OutputPaths } from "./output-paths.ts";

/** Which file it is, whatever its name. */
export interface FileIdentity {
	readonly device: number;
	readonly inode: number;
}

/** What a file is at a moment. */
export interface FileState extends FileIdentity {
	readonly sizeBytes: number;
	/** CRC-32 of the last bytes. */
	readonly tail: number;
}

/** Consecutive bytes in a file. */
export interface Place {
	readonly offset: number;
	readonly length: number;
}

export interface Landed {
	/** Where the bytes are, in their order: the kernel may take them in parts. */
	readonly places: readonly Place[];
	/** Whether the file still was what stands at its path when they were in it. */
	readonly isAtPath: boolean;
}

/** An append that failed part of the way. */
export class AppendError extends Error {
	override readonly name = "AppendError";
	/** Bytes that are in the file all the same. */
	readonly writtenBytes: number;
	/** Where they are, in their order. */
	readonly places: readonly Place[];

	constructor(cause: unknown, places: readonly Place[]) {
		super(cause instanceof Error ? cause.message : String(cause), { cause });
		this.places = places;
		this.writtenBytes = sumOf(places);
	}
}

/** Another file is at the path than the one that was to be read, or none: it was renamed or removed in this moment. */
export class MovedError extends Error {
	override readonly name = "MovedError";
	readonly code = "ESTALE";

	constructor(path: string) {
		super(`${path} was renamed or removed while it was looked at`);
	}
}

export const tailBytes = 64;
/** Files renamed in the moment in which they are opened, one after the other; more are not logrotate's doing. */
export const maxMoves = 100;

export class OutputFile {
	readonly path: string;
	/** Folders that got a new name when the file was made: the file is only safe when they are on disk as well. */
	readonly newIn: readonly string[];
	readonly #fd: number;
	readonly #paths: OutputPaths;
	#device = 0;
	#inode = 0;
	#sizeBytes = 0;
	#isRegular = false;
	/** The last bytes of the file, as far as they are known. */
	#tail: Buffer = Buffer.alloc(0);
	#isClosed = false;
	/** Calls under way; and what the last one calls when it ends, once it is to be closed. */
	#calls = 0;
	#onIdle: (() => void) | undefined;

	private constructor(path: string, { fd, newIn }: OpenedOutput, paths: OutputPaths) {
		this.path = path;
		this.#paths = paths;
		this.#fd = fd;
		this.newIn = newIn;
	}

	/** @throws the file system's error, when the file can't be opened or made; PYLOG_OUTPUT_REFUSED. */
	static async open(path: string, paths: OutputPaths = anyPath): Promise<OutputFile> {
		for (let left = maxMoves; ; left--) {
			const file = new OutputFile(path, await paths.openToAppend(path), paths);
			try {
				await file.#note(await fstatSoon(file.#fd));
				return file;
			} catch (error) {
				await file.close();
				if (!(error instanceof MovedError) || left === 0) throw error;
			}
		}
	}

	/**
	 * Looks at the file as it is now, and notes what others appended. Returns whether it still is what stands at its path;
	 * if not, it was rotated or removed, and another one has to be opened.
	 */
	refresh(): Promise<boolean> {
		return this.#during(() => this.#refresh());
	}

	get state(): FileState {
		return { device: this.#device, inode: this.#inode, sizeBytes: this.#sizeBytes, tail: crc32(this.#tail) };
	}

	/** Whether its last line has no end: what is appended would go on in it. */
	get endsInLine(): boolean {
		return this.#tail.length > 0 && this.#tail.at(-1) !== 0x0a;
	}

	/** Whether it keeps what is written: no FIFO, terminal or device. */
	get isRegular(): boolean {
		return this.#isRegular;
	}

	/**
	 * Appends bytes, which must not change meanwhile. Then they survive the death of this process, not yet a power failure.
	 * Returns where they are: others may have written to the file, or renamed it, between the last look and this.
	 *
	 * @throws AppendError telling how many bytes are in the file.
	 */
	append(bytes: Uint8Array): Promise<Landed> {
		return this.#during(() => this.#append(bytes));
	}

	/** Whether it has a name, wherever. */
	async hasName(): Promise<boolean> {
		return (await this.#during(() => fstatSoon(this.#fd))).nlink > 0;
	}

	/** Brings the content of the file to the disk. */
	async sync(): Promise<void> {
		if (this.#isRegular) await this.#during(() => syncDataSoon("output.sync", this.#fd));
	}

	/** Whether {@link close} was called: no other call may be made. */
	get isClosed(): boolean {
		return this.#isClosed;
	}

	/**
	 * Gives the descriptor back as soon as no other call is under way.
	 *
	 * @param through Calls the given function when it is time.
	 */
	async close(through: (giveBack: () => Promise<void>) => Promise<void> = (giveBack) => giveBack()): Promise<void> {
		if (this.#isClosed) return;
		this.#isClosed = true;
		if (this.#calls > 0) await new Promise<void>((resolve) => (this.#onIdle = resolve));
		await through(() => closeSoon(this.#fd));
	}

	async #during<Result>(call: () => Promise<Result>): Promise<Result> {
		this.#calls += 1;
		try {
			return await call();
		} finally {
			this.#calls -= 1;
			if (this.#calls === 0) this.#onIdle?.();
		}
	}

	async #refresh(): Promise<boolean> {
		const stats = await this.#paths.look(this.path);
		if (stats === undefined || stats.dev !== this.#device || stats.ino !== this.#inode) return false;
		try {
			if (this.#isRegular && stats.size !== this.#sizeBytes) await this.#note(stats);
			return true;
		} catch (error) {
			if (error instanceof MovedError) return false;
			throw error;
		}
	}

	async #append(bytes: Uint8Array): Promise<Landed> {
		const parts: Place[] = [];
		const from = this.#sizeBytes;
		try {
			for (let written = 0; written < bytes.length; ) {
				const length = await appendSoon("output.append", this.#fd, bytes.subarray(written));
				if (length < bytes.length) parts.push({ offset: this.#offsetOfLast(length, from + written), length });
				written += length;
			}
		} catch (error) {
			this.#noteAppended(bytes.subarray(0, sumOf(parts)));
			throw new AppendError(error, parts);
		}
		this.#noteAppended(bytes);
		const { isAtPath, sizeBytes } = await this.#lookAfterAppend();
		if (parts.length > 0) return { places: parts, isAtPath };
		const { length } = bytes;
		const offset = sizeBytes === from + length ? from : this.#offsetOfLast(length, from);
		return { places: [{ offset, length }], isAtPath };
	}

	async #lookAfterAppend(): Promise<{ readonly isAtPath: boolean; readonly sizeBytes?: number }> {
		if (!this.#isRegular) return { isAtPath: true };
		const stats = await this.#paths.look(this.path).catch(() => undefined);
		if (stats?.ino !== this.#inode || stats.dev !== this.#device) return { isAtPath: false };
		return { isAtPath: true, sizeBytes: stats.size };
	}

	/** The kernel puts each append at the end, and the descriptor behind it. */
	#offsetOfLast(length: number, expected: number): number {
		const end = this.#isRegular ? filePosition(this.#fd) : undefined;
		return end === undefined ? expected : end - length;
	}

	/** @throws MovedError */
	async #note(stats: Stats): Promise<void> {
		this.#device = stats.dev;
		this.#inode = stats.ino;
		this.#isRegular = stats.isFile();
		this.#sizeBytes = this.#isRegular ? stats.size : 0;
		const from = Math.max(0, this.#sizeBytes - tailBytes);
		this.#tail = this.#isRegular ? await readRange(this.path, from, this.#sizeBytes, this.#asWanted) : Buffer.alloc(0);
	}

	get #asWanted(): Reading {
		return { paths: this.#paths, wanted: { device: this.#device, inode: this.#inode } };
	}

	#noteAppended(bytes: Uint8Array): void {
		if (!this.#isRegular || bytes.length === 0) return;
		this.#sizeBytes += bytes.length;
		this.#tail = Buffer.concat([this.#tail, bytes.subarray(-tailBytes)]).subarray(-tailBytes);
	}
}

/** How a file is read. */
export interface Reading {
	/** How it is reached. @default every path */
	readonly paths?: OutputPaths;
	/** Which file it must be: with another one there, or none, it is a MovedError. */
	readonly wanted?: FileIdentity;
}

/** CRC-32 of the last bytes before `sizeBytes` of a file, as in {@link FileState}. @throws as {@link readRange} */
export async function tailBefore(path: string, sizeBytes: number, how: Reading = {}): Promise<number> {
	return crc32(await readRange(path, Math.max(0, sizeBytes - tailBytes), sizeBytes, how));
}

/** The bytes of a file from `from` to `to`, fewer where it ends before. @throws MovedError; the file system's error */
export async function readRange(path: string, from: number, to: number, how: Reading = {}): Promise<Buffer> {
	const { paths = anyPath, wanted } = how;
	const fd = await (wanted === undefined
		? paths.open(path, constants.O_RDONLY)
		: openSame(path, constants.O_RDONLY, wanted, paths));
	try {
		return await readOpen(fd, from, to);
	} finally {
		await closeSoon(fd);
	}
}

/** As {@link readRange}, of an open file. */
export async function readOpen(fd: number, from: number, to: number): Promise<Buffer> {
	// What a damaged checkpoint asks for must not be allocated: there is no more than the file has.
	const { size } = await fstatSoon(fd);
	const bytes = Buffer.alloc(Math.max(0, Math.min(to, size) - from));
	let filled = 0;
	while (filled < bytes.length) {
		const count = await readSoon(fd, bytes.subarray(filled), from + filled);
		if (count === 0) break;
		filled += count;
	}
	return bytes.subarray(0, filled);
}

/** Opens the file at `path` if it is the one that is wanted. @throws MovedError where it is not; the file system's error */
export async function openSame(path: string, flags: number, wanted: FileIdentity, paths: OutputPaths): Promise<number> {
	const fd = await paths.open(path, flags).catch((error: unknown) => {
		throw systemCode(error) === "ENOENT" ? new MovedError(path) : error;
	});
	try {
		const { dev, ino } = await fstatSoon(fd);
		if (dev !== wanted.device || ino !== wanted.inode) throw new MovedError(path);
		return fd;
	} catch (error) {
		await closeSoon(fd);
		throw error;
	}
}

function readSoon(fd: number, into: Buffer, position: number): Promise<number> {
	return new Promise((resolve, reject) => {
		read(fd, into, 0, into.length, position, (error, count) => (error === null ? resolve(count) : reject(error)));
	});
}

function sumOf(places: readonly Place[]): number {
	return places.reduce((sum, { length }) => sum + length, 0);
}

/**
 * One log file as the logman writes it: opened for appending, made with its folders where it is missing, opened again
 * when somebody rotated or removed it.
 *
 * Invariants: one `write` per call as far as the kernel takes it; nothing is ever truncated; `state` tells what the file
 * was before the next append well enough to find out afterwards whether that append happened.
 */

import { closeSync, constants, fstatSync, openSync, readSync, type Stats, statSync } from "node:fs";
import { dirname } from "node:path";
import { crc32 } from "node:zlib";
import { makeFolder, syncData, writeSome } from "../../platform/durable-file.ts";
import { systemCode } from "../../shared/errors.ts";

/** What a file is at a moment. */
export interface FileState {
	readonly device: number;
	readonly inode: number;
	readonly sizeBytes: number;
	/** CRC-32 of the last bytes. */
	readonly tail: number;
}

/** An append that failed part of the way. */
export class AppendError extends Error {
	override readonly name = "AppendError";
	/** Bytes that are in the file all the same. */
	readonly writtenBytes: number;

	constructor(cause: unknown, writtenBytes: number) {
		super(cause instanceof Error ? cause.message : String(cause), { cause });
		this.writtenBytes = writtenBytes;
	}
}

export const tailBytes = 64;
const newline = 0x0a;
const fileMode = 0o640;
const folderMode = 0o750;

export class OutputFile {
	readonly path: string;
	#fd: number;
	#device: number;
	#inode: number;
	#sizeBytes: number;
	#isRegular: boolean;
	/** The last bytes of the file, as far as they are known. */
	#tail: Buffer;

	private constructor(path: string, fd: number) {
		const stats = fstatSync(fd);
		this.path = path;
		this.#fd = fd;
		this.#device = stats.dev;
		this.#inode = stats.ino;
		this.#isRegular = stats.isFile();
		this.#sizeBytes = this.#isRegular ? stats.size : 0;
		this.#tail = this.#readTail();
	}

	/** @throws the file system's error, when the file can't be opened or made. */
	static open(path: string): OutputFile {
		const fd = openForAppending(path);
		try {
			return new OutputFile(path, fd);
		} catch (error) {
			closeSync(fd);
			throw error;
		}
	}

	/** Looks at the file as it is now: opens it again when it was replaced, notes what others appended. */
	refresh(): void {
		const stats = statSync(this.path, { throwIfNoEntry: false });
		if (stats === undefined || stats.dev !== this.#device || stats.ino !== this.#inode) this.#reopen();
		else if (this.#isRegular && stats.size !== this.#sizeBytes) this.#note(stats);
	}

	/** Whether the file ends in the middle of a line. */
	get isOpenEnded(): boolean {
		return this.#tail.length > 0 && this.#tail.at(-1) !== newline;
	}

	get state(): FileState {
		return { device: this.#device, inode: this.#inode, sizeBytes: this.#sizeBytes, tail: crc32(this.#tail) };
	}

	/**
	 * Appends bytes. On return they survive the death of this process, not yet a power failure.
	 *
	 * @throws AppendError telling how many bytes are in the file.
	 */
	append(bytes: Uint8Array): void {
		let written = 0;
		try {
			while (written < bytes.length) written += writeSome("output.append", this.#fd, bytes.subarray(written));
		} catch (error) {
			this.#noteAppended(bytes.subarray(0, written));
			throw new AppendError(error, written);
		}
		this.#noteAppended(bytes);
	}

	/** Brings the file to the disk. Blocks. */
	sync(): void {
		if (!this.#isRegular) return;
		syncData("output.sync", this.#fd);
	}

	close(): void {
		closeSync(this.#fd);
	}

	#reopen(): void {
		// The old file is out of reach after this: what went to it must be on disk when a flush says so.
		this.sync();
		const fd = openForAppending(this.path);
		closeSync(this.#fd);
		this.#fd = fd;
		this.#note(fstatSync(fd));
	}

	#note(stats: Stats): void {
		this.#device = stats.dev;
		this.#inode = stats.ino;
		this.#isRegular = stats.isFile();
		this.#sizeBytes = this.#isRegular ? stats.size : 0;
		this.#tail = this.#readTail();
	}

	#noteAppended(bytes: Uint8Array): void {
		if (!this.#isRegular || bytes.length === 0) return;
		this.#sizeBytes += bytes.length;
		this.#tail = Buffer.concat([this.#tail, bytes.subarray(-tailBytes)]).subarray(-tailBytes);
	}

	#readTail(): Buffer {
		if (!this.#isRegular) return Buffer.alloc(0);
		return readRange(this.path, Math.max(0, this.#sizeBytes - tailBytes), this.#sizeBytes);
	}
}

/** CRC-32 of the last bytes before `sizeBytes` of a file, as in {@link FileState}. */
export function tailBefore(path: string, sizeBytes: number): number {
	return crc32(readRange(path, Math.max(0, sizeBytes - tailBytes), sizeBytes));
}

/** The bytes of a file from `from` to `to`, fewer where it ends before. */
export function readRange(path: string, from: number, to: number): Buffer {
	const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
	try {
		// What a damaged checkpoint asks for must not be allocated: there is no more than the file has.
		const bytes = Buffer.alloc(Math.max(0, Math.min(to, fstatSync(fd).size) - from));
		let read = 0;
		while (read < bytes.length) {
			const count = readSync(fd, bytes, read, bytes.length - read, from + read);
			if (count === 0) break;
			read += count;
		}
		return bytes.subarray(0, read);
	} finally {
		closeSync(fd);
	}
}

/** Never waits: a FIFO without a reader is an error, not a stop. */
function openForAppending(path: string): number {
	const flags = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NONBLOCK;
	try {
		return openSync(path, flags, fileMode);
	} catch (error) {
		if (systemCode(error) !== "ENOENT") throw error;
		makeFolder("output.folder", dirname(path), folderMode, true);
		return openSync(path, flags, fileMode);
	}
}

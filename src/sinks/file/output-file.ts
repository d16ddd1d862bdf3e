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
		const file = new OutputFile(path, await paths.openToAppend(path), paths);
		try {
			await file.#note(await fstatSoon(file.#fd));
			return file;
		} catch (error) {
			await file.close();
			throw error;
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
	 *
	 * @throws AppendError telling how many bytes are in the file.
	 */
	append(bytes: Uint8Array): Promise<void> {
		return this.#during(() => this.#append(bytes));
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
		if (this.#isRegular && stats.size !== this.#sizeBytes) await this.#note(stats);
		return true;
	}

	async #append(bytes: Uint8Array): Promise<void> {
		let written = 0;
		try {
			while (written < bytes.length) written += await appendSoon("output.append", this.#fd, bytes.subarray(written));
		} catch (error) {
			this.#noteAppended(bytes.subarray(0, written));
			throw new AppendError(error, written);
		}
		this.#noteAppended(bytes);
	}

	async #note(stats: Stats): Promise<void> {
		this.#device = stats.dev;
		this.#inode = stats.ino;
		this.#isRegular = stats.isFile();
		this.#sizeBytes = this.#isRegular ? stats.size : 0;
		const from = Math.max(0, this.#sizeBytes - tailBytes);
		this.#tail = this.#isRegular ? await readRange(this.path, from, this.#sizeBytes, this.#paths) : Buffer.alloc(0);
	}

	#noteAppended(bytes: Uint8Array): void {
		if (!this.#isRegular || bytes.length === 0) return;
		this.#sizeBytes += bytes.length;
		this.#tail = Buffer.concat([this.#tail, bytes.subarray(-tailBytes)]).subarray(-tailBytes);
	}
}

/** CRC-32 of the last bytes before `sizeBytes` of a file, as in {@link FileState}. */
export async function tailBefore(path: string, sizeBytes: number, paths: OutputPaths = anyPath): Promise<number> {
	return crc32(await readRange(path, Math.max(0, sizeBytes - tailBytes), sizeBytes, paths));
}

/** The bytes of a file from `from` to `to`, fewer where it ends before. */
export async function readRange(path: string, from: number, to: number, paths: OutputPaths = anyPath): Promise<Buffer> {
	const fd = await paths.open(path, constants.O_RDONLY);
	try {
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
	} finally {
		await closeSoon(fd);
	}
}

function readSoon(fd: number, into: Buffer, position: number): Promise<number> {
	return new Promise((resolve, reject) => {
		read(fd, into, 0, into.length, position, (error, count) => (error === null ? resolve(count) : reject(error)));
	});
}

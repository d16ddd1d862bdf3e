/**
 * The descriptor of a segment that is read. There may be thousands of segments to read at once; descriptors are bounded:
 * the one used longest ago is closed, and opened again when it is needed. Where the process has none left, all others
 * are closed first.
 */

import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { systemCode } from "../shared/errors.ts";

const maxOpen = 256;
/** What opening says of a file that is not there for us; anything else, such as too many open files, is no answer. */
const noFile: ReadonlySet<string | undefined> = new Set(["ENOENT", "ENOTDIR", "ELOOP", "ENXIO", "EACCES", "EPERM"]);
const noDescriptor: ReadonlySet<string | undefined> = new Set(["EMFILE", "ENFILE"]);

/** The least recently used first. */
const openOnes = new Set<SegmentDescriptor>();

export class SegmentDescriptor {
	readonly path: string;
	readonly #inode: number;
	#fd: number;

	private constructor(path: string, fd: number, inode: number) {
		this.path = path;
		this.#fd = fd;
		this.#inode = inode;
		this.#use();
	}

	/** Opens a file for reading, without following a link or waiting; `undefined` when there is none for us. */
	static open(path: string): SegmentDescriptor | undefined {
		const fd = tryOpen(path);
		if (fd === undefined) return undefined;
		const stats = fstatSync(fd);
		if (stats.isFile()) return new SegmentDescriptor(path, fd, stats.ino);
		closeSync(fd);
		return undefined;
	}

	/** Size of the file, 0 when it is gone. */
	get sizeBytes(): number {
		const fd = this.#openAgain();
		return fd === undefined ? 0 : fstatSync(fd).size;
	}

	/** Reads bytes from `offset` on and returns how many; a file that is gone, or another one by now, has none. */
	read(bytes: Uint8Array, offset: number): number {
		const fd = this.#openAgain();
		return fd === undefined ? 0 : readSync(fd, bytes, 0, bytes.length, offset);
	}

	#openAgain(): number | undefined {
		if (this.#fd < 0) {
			const fd = tryOpen(this.path);
			if (fd === undefined) return undefined;
			if (fstatSync(fd).ino !== this.#inode) {
				closeSync(fd);
				return undefined;
			}
			this.#fd = fd;
		}
		this.#use();
		return this.#fd;
	}

	close(): void {
		openOnes.delete(this);
		if (this.#fd < 0) return;
		closeSync(this.#fd);
		this.#fd = -1;
	}

	#use(): void {
		openOnes.delete(this);
		openOnes.add(this);
		for (const oldest of openOnes) {
			if (openOnes.size <= maxOpen) return;
			oldest.close();
		}
	}
}

function tryOpen(path: string): number | undefined {
	try {
		return openForReading(path);
	} catch (error) {
		if (noFile.has(systemCode(error))) return undefined;
		throw error;
	}
}

function openForReading(path: string): number {
	const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
	try {
		return openSync(path, flags);
	} catch (error) {
		if (!noDescriptor.has(systemCode(error)) || openOnes.size === 0) throw error;
		for (const other of openOnes) other.close();
		return openSync(path, flags);
	}
}

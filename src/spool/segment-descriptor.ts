/**
 * The descriptor of a segment that is read. There may be thousands of segments to read at once; descriptors are bounded:
 * the one used longest ago is closed, and opened again when it is needed. Where the process has none left, all others
 * are closed first.
 */

import { closeSync, constants, fstatSync, openSync } from "node:fs";
import { PylogError, systemCode } from "../shared/errors.ts";

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
		let fd: number;
		try {
			fd = openForReading(path);
		} catch (error) {
			if (noFile.has(systemCode(error))) return undefined;
			throw error;
		}
		const stats = fstatSync(fd);
		if (stats.isFile()) return new SegmentDescriptor(path, fd, stats.ino);
		closeSync(fd);
		return undefined;
	}

	/** An open descriptor. @throws the file system's error, when the file is gone or another one by now. */
	get fd(): number {
		if (this.#fd < 0) {
			const fd = openForReading(this.path);
			if (fstatSync(fd).ino !== this.#inode) {
				closeSync(fd);
				throw new PylogError("PYLOG_SPOOL_DAMAGED", `The segment ${this.path} was replaced while it was read.`);
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

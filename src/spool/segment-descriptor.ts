/**
 * The descriptor of a segment that is read. There may be thousands of segments to read at once; descriptors are bounded:
 * the one used longest ago is closed, and opened again when it is needed. Where the process has none left, all others
 * are closed first.
 */

import { closeSync, fstatSync, readSync } from "node:fs";
import { descriptorLimit } from "../platform/descriptor-limit.ts";
import { systemCode } from "../shared/errors.ts";
import { type FileLook, openRegularFile } from "./regular-file.ts";

/** At most, and this share of what the process may have: log files need some as well. */
const mostOpen = 2048;
const share = 1 / 4;
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
		const look = lookAt(path);
		return look.kind === "file" ? new SegmentDescriptor(path, look.fd, look.inode) : undefined;
	}

	/** Size of the file, 0 when it is gone. */
	get sizeBytes(): number {
		const fd = this.#openAgain();
		return fd === undefined ? 0 : fstatSync(fd).size;
	}

	/** Reads bytes from `offset` on and returns how many; a file that is gone, or another one by now, has none. */
	read(bytes: Uint8Array, offset: number, length: number = bytes.length): number {
		const fd = this.#openAgain();
		return fd === undefined ? 0 : readSync(fd, bytes, 0, length, offset);
	}

	#openAgain(): number | undefined {
		if (this.#fd < 0) {
			const look = lookAt(this.path);
			if (look.kind !== "file") return undefined;
			if (look.inode !== this.#inode) {
				closeSync(look.fd);
				return undefined;
			}
			this.#fd = look.fd;
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
			if (openOnes.size <= maxOpen()) return;
			oldest.close();
		}
	}
}

let knownMaxOpen: number | undefined;

function maxOpen(): number {
	knownMaxOpen ??= Math.min(mostOpen, Math.floor(descriptorLimit() * share));
	return knownMaxOpen;
}

function lookAt(path: string): FileLook {
	try {
		return openRegularFile(path);
	} catch (error) {
		if (!noDescriptor.has(systemCode(error)) || openOnes.size === 0) throw error;
		for (const other of openOnes) other.close();
		return openRegularFile(path);
	}
}

/**
 * Lines that a sync did not bring to the disk: they are kept in `parked/` until they have been written to their file again
 * and that has been synced. As soon as one is saved, its lines are on disk, though not yet surely in their file.
 *
 *     parked/<random>.tail   a line of JSON: { path, device, inode, chunks: [[offset, length] …] }, then the bytes
 */

import { randomBytes } from "node:crypto";
import { closeSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { removeIfThere, rename, syncFolder } from "../platform/durable-file.ts";
import { openPlainFile } from "../platform/owned-files.ts";
import type { FileIdentity } from "../sinks/file/output-file.ts";
import type { WrittenChunk } from "../sinks/file/rewrite-chunks.ts";
import { writeNewFile } from "../spool/new-file.ts";
import { Retry } from "./retry.ts";

export interface SavedTail {
	/** The output. */
	readonly path: string;
	readonly device: number;
	readonly inode: number;
	/** The file that has its lines. */
	readonly file: string;
	readonly retry: Retry;
	/** They are being written again until `hasWorked` is known. */
	rewriting: { readonly hasWorked: boolean | undefined; readonly error: unknown } | undefined;
}

const suffix = ".tail";

export class SavedTails {
	readonly #folder: string;
	readonly #tails = new Set<SavedTail>();

	constructor(folder: string) {
		this.#folder = folder;
	}

	get size(): number {
		return this.#tails.size;
	}

	/** Whether lines are being written again. */
	get isMoving(): boolean {
		return [...this.#tails].some(({ rewriting }) => rewriting !== undefined);
	}

	/** Whether some are saved of an output. */
	has(path: string): boolean {
		for (const tail of this.#tails) if (tail.path === path) return true;
		return false;
	}

	/**
	 * Finds what a logman before this one saved.
	 *
	 * @param onDamage Gets each file that can't be read; it is left where it is.
	 * @throws the file system's error, when the folder can't be read
	 */
	restore(onDamage: (file: string, error: unknown) => void): void {
		for (const name of readdirSync(this.#folder)) {
			const file = join(this.#folder, name);
			if (name.endsWith(`${suffix}.new`)) removeIfThere("parked.remove-tail-draft", file);
			if (!name.endsWith(suffix)) continue;
			try {
				const found = readTail(file);
				if (found === undefined) throw new Error(`${file} is no regular file`);
				const { path, device, inode } = found.about;
				this.#tails.add({ path, device, inode, file, retry: new Retry(), rewriting: undefined });
			} catch (error) {
				onDamage(file, error);
			}
		}
	}

	/** Saves bytes of a file. On return they are on disk. Blocks. @throws what the spool's own disk says */
	save(path: string, { device, inode }: FileIdentity, chunks: readonly WrittenChunk[]): void {
		const about = { path, device, inode, chunks: chunks.map(({ offset, bytes }) => [offset, bytes.length]) };
		const file = join(this.#folder, `${randomBytes(16).toString("hex")}${suffix}`);
		const head = Buffer.from(`${JSON.stringify(about)}\n`);
		writeNewFile("parked.tail", `${file}.new`, [head, ...chunks.map(({ bytes }) => bytes)], true);
		rename("parked.place-tail", `${file}.new`, file);
		syncFolder("parked.sync-tail", this.#folder);
		this.#tails.add({ path, device, inode, file, retry: new Retry(), rewriting: undefined });
	}

	/** Those whose pause is over, and those that have been written again, or not. */
	due(nowMs: number): readonly SavedTail[] {
		return [...this.#tails].filter(({ retry, rewriting }) =>
			rewriting === undefined ? retry.isDue(nowMs) : rewriting.hasWorked !== undefined,
		);
	}

	/** When the next one is due; `Infinity` when none is saved. */
	nextTryMs(): number {
		const waiting = [...this.#tails].filter(
			({ rewriting }) => rewriting === undefined || rewriting.hasWorked !== undefined,
		);
		return Math.min(...waiting.map(({ retry, rewriting }) => (rewriting === undefined ? retry.nextTryMs : 0)));
	}

	/** What is saved; nothing where somebody took the file away. @throws the file system's error */
	chunksOf({ file }: SavedTail): readonly WrittenChunk[] {
		const found = readTail(file);
		if (found === undefined) return [];
		const { about, bytes } = found;
		let at = 0;
		return about.chunks.map(([offset, length]) => ({ offset, bytes: bytes.subarray(at, (at += length)) }));
	}

	/** Notes that the lines are in their file, and on disk. */
	release(tail: SavedTail): void {
		removeIfThere("parked.remove-tail", tail.file);
		this.#tails.delete(tail);
	}
}

interface About {
	readonly path: string;
	readonly device: number;
	readonly inode: number;
	readonly chunks: readonly (readonly [offset: number, length: number])[];
}

/**
 * It was synced before it got its name, so it is whole, unless the disk has damaged it. `undefined` where no file is.
 *
 * @throws Error when it is damaged
 */
function readTail(file: string): { readonly about: About; readonly bytes: Buffer } | undefined {
	const content = readContent(file);
	if (content === undefined) return undefined;
	const end = content.indexOf(0x0a);
	const about = JSON.parse(content.toString("utf8", 0, end)) as About;
	const bytes = content.subarray(end + 1);
	const length = about.chunks.reduce((sum, chunk) => sum + chunk[1], 0);
	if (typeof about.path !== "string" || length !== bytes.length) throw new Error(`${file} is damaged`);
	return { about, bytes };
}

/** Never through a link, and without waiting for a FIFO. */
function readContent(file: string): Buffer | undefined {
	const fd = openPlainFile(file);
	if (fd === undefined) return undefined;
	try {
		return readFileSync(fd);
	} finally {
		closeSync(fd);
	}
}

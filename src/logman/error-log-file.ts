/**
 * The open file behind the error log: finds a report in it, appends one, counts one in place.
 *
 * Invariants: the file is this user's own regular file, mode 0600, never reached through a link; it has one writer, the
 * logman that holds the lease; a report that could not be written whole is taken back; a count is only written where
 * the report's marker still stands. Every method blocks, and throws what the system call says.
 */

import { closeSync, fstatSync, lstatSync, readSync } from "node:fs";
import { truncate, writeWhole } from "../platform/durable-file.ts";
import { openOwnedFile } from "../platform/owned-files.ts";
import { InvariantError } from "../shared/errors.ts";
import { findInFile } from "./chunk-search.ts";
import { countLineBytes, recountLine, reportMarker } from "./error-report.ts";

const fileHead = "Errors of Pylog's logman. Each error stands here once; the line under its report line counts it.\n";

export class ErrorLogFile {
	readonly path: string;
	#open: { readonly fd: number; readonly dev: number; readonly ino: number } | undefined;
	#sizeBytes = 0;

	constructor(path: string) {
		this.path = path;
	}

	get sizeBytes(): number {
		return this.#sizeBytes;
	}

	/**
	 * Makes sure that the file now at the path is the open one, creating it if it is missing.
	 *
	 * @returns Whether the places of reports known so far no longer hold: another file, or one that was shortened.
	 */
	refresh(): boolean {
		const there = lstatSync(this.path, { throwIfNoEntry: false });
		if (there !== undefined && this.#open?.ino === there.ino && this.#open.dev === there.dev) {
			const shortened = there.size < this.#sizeBytes;
			this.#sizeBytes = there.size;
			return shortened;
		}
		this.close();
		const fd = openOwnedFile("error-log.create", this.path, "missing");
		const { dev, ino, size } = fstatSync(fd);
		this.#open = { fd, dev, ino };
		this.#sizeBytes = size;
		return true;
	}

	/** The offset of the report with this identity, or -1. */
	find(identity: string): number {
		const marker = reportMarker(identity);
		let from = 0;
		for (;;) {
			const found = findInFile(this.#fd, marker, { from });
			if (found === -1 || this.#readCountLine(found, marker) !== undefined) return found;
			from = found + 1;
		}
	}

	/** Adds to the count of the report at `offset`. `false` if that report does not stand there. */
	addToCount(offset: number, identity: string, more: number, lastMs: number): boolean {
		const marker = reportMarker(identity);
		const line = this.#readCountLine(offset, marker);
		const recounted = line === undefined ? undefined : recountLine(line, more, lastMs);
		if (recounted === undefined) return false;
		writeWhole("error-log.count", this.#fd, Buffer.from(recounted), offset + marker.length);
		return true;
	}

	/** Appends a report, which begins with its marker, and returns its offset. */
	append(report: string): number {
		const start = this.#sizeBytes;
		const head = start === 0 ? fileHead : "";
		const bytes = Buffer.from(head + report);
		try {
			writeWhole("error-log.append", this.#fd, bytes, start);
		} catch (error) {
			truncate("error-log.take-back", this.#fd, start);
			throw error;
		}
		this.#sizeBytes = start + bytes.length;
		return start + head.length;
	}

	close(): void {
		const open = this.#open;
		this.#open = undefined;
		this.#sizeBytes = 0;
		if (open !== undefined) closeSync(open.fd);
	}

	get #fd(): number {
		if (this.#open === undefined) throw new InvariantError("the error log is used before it is open");
		return this.#open.fd;
	}

	/** The count line behind the marker at `offset`, if both stand there. */
	#readCountLine(offset: number, marker: Buffer): string | undefined {
		const bytes = Buffer.alloc(marker.length + countLineBytes);
		const readBytes = readSync(this.#fd, bytes, 0, bytes.length, offset);
		if (readBytes < bytes.length || !bytes.subarray(0, marker.length).equals(marker)) return undefined;
		const line = bytes.toString("latin1", marker.length);
		return recountLine(line, 0, 0) === undefined ? undefined : line;
	}
}

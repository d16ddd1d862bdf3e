/** Writing whole new files of our own, and what to say when that fails. */

import { closeSync, fdatasyncSync, rmSync, writeSync } from "node:fs";
import { openOwnedFile } from "../platform/owned-files.ts";
import { PylogError, systemCode } from "../shared/errors.ts";

/**
 * Writes a file of mode 0600 that did not exist. Blocks; when it fails, no half file stays.
 *
 * @param parts Written one after the other, each before the next is asked for.
 * @param sync Whether its bytes are on disk when this returns.
 */
export function writeNewFile(path: string, parts: Iterable<Uint8Array>, sync: boolean): void {
	const fd = openOwnedFile(path, "exclusive");
	let isWhole = false;
	try {
		for (const part of parts) writeAll(fd, part);
		if (sync) fdatasyncSync(fd);
		isWhole = true;
	} finally {
		closeSync(fd);
		if (!isWhole) rmSync(path, { force: true });
	}
}

function writeAll(fd: number, bytes: Uint8Array): void {
	for (let written = 0; written < bytes.length; ) written += writeSync(fd, bytes, written);
}

/** A failure of the file system as Pylog's own error; an error that is one already stays as it is. */
export function fileError(doing: string, path: string, cause: unknown): PylogError {
	if (cause instanceof PylogError) return cause;
	const errno = systemCode(cause) ?? "unknown";
	const isFull = errno === "ENOSPC" || errno === "EDQUOT";
	return new PylogError(
		isFull ? "PYLOG_SPOOL_FULL" : "PYLOG_SYSTEM_CALL",
		isFull
			? `${doing} ${path} failed with ${errno}: the disk is full. Remedy: make room; it is tried again.`
			: `${doing} ${path} failed with ${errno}.`,
		{ cause, details: { path, errno } },
	);
}

/** Writing whole new files of our own, and what to say when that fails. */

import { closeSync } from "node:fs";
import { removeIfThere, syncData, writeWhole } from "../platform/durable-file.ts";
import { openOwnedFile } from "../platform/owned-files.ts";
import type { StepName } from "../platform/step.ts";
import { PylogError, systemCode } from "../shared/errors.ts";

/**
 * Writes a file of mode 0600 that did not exist. Blocks; when it fails, no half file stays.
 *
 * @param name Of the step that makes the file; those that fill it are `<name>-content`, `-sync` and `-take-back`.
 * @param parts Written one after the other, each before the next is asked for.
 * @param sync Whether its bytes are on disk when this returns.
 */
export function writeNewFile(name: StepName, path: string, parts: Iterable<Uint8Array>, sync: boolean): void {
	const fd = openOwnedFile(name, path, "exclusive");
	let isWhole = false;
	try {
		for (const part of parts) writeWhole(`${name}-content`, fd, part);
		if (sync) syncData(`${name}-sync`, fd);
		isWhole = true;
	} finally {
		closeSync(fd);
		if (!isWhole) removeIfThere(`${name}-take-back`, path);
	}
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

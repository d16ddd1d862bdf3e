/**
 * Opening a file of the spool for a look. Invariants: no link is followed at its last name, a FIFO or device is never waited
 * for, what is no regular file is not read, nothing is changed.
 */

import { closeSync, constants, fstatSync, openSync } from "node:fs";
import { systemCode } from "../shared/errors.ts";

/** What stands at a path. */
export type FileLook =
	| { readonly kind: "file"; readonly fd: number; readonly inode: number; readonly sizeBytes: number }
	| { readonly kind: "missing" }
	/** Something that is no file for us, and what it is. */
	| { readonly kind: "other"; readonly what: string };

const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/**
 * Opens the file at a path; who gets a descriptor closes it. Blocks for some system calls.
 *
 * @throws the file system's error where it gives no answer, as with too many open files.
 */
export function openRegularFile(path: string): FileLook {
	let fd: number;
	try {
		fd = openSync(path, flags);
	} catch (error) {
		return failedLook(systemCode(error), error);
	}
	const stats = fstatSync(fd);
	if (stats.isFile()) return { kind: "file", fd, inode: stats.ino, sizeBytes: stats.size };
	closeSync(fd);
	return { kind: "other", what: stats.isDirectory() ? "it is a directory" : "it is no regular file" };
}

function failedLook(code: string | undefined, error: unknown): FileLook {
	switch (code) {
		case "ENOENT":
		case "ENOTDIR":
			return { kind: "missing" };
		case "ELOOP":
			return { kind: "other", what: "it is a symbolic link" };
		case "ENXIO":
			return { kind: "other", what: "it is no regular file" };
		case "EACCES":
		case "EPERM":
			return { kind: "other", what: `this process may not read it (${code})` };
		default:
			throw error;
	}
}

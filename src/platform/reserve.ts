/** Reserving space on the disk before it is mapped. */

import { fstatSync, writeSync } from "node:fs";
import { addFileFlags, posixFallocate, systemCallError } from "./libc.ts";
import { announce, isObserved, type StepName } from "./step.ts";

const ENOSPC = 28;
const EDQUOT = 122;
const EFBIG = 27;
const EOPNOTSUPP = 95;
const EINVAL = 22;
const EINTR = 4;
/** `FS_NOCOW_FL` */
const NO_COPY_ON_WRITE = 0x0080_0000;

/**
 * Asks the file system to store what is written to an open, still empty file always in the same blocks. On btrfs a store
 * into a mapped page takes new blocks otherwise, each time, and ends the process on a full disk, however well the file
 * was reserved. Others take no notice.
 */
export function keepInPlace(name: StepName, fd: number): void {
	if (isObserved()) announce({ name, call: "reserve", fd, sizeBytes: 0 });
	addFileFlags(fd, NO_COPY_ON_WRITE);
}

/**
 * Makes sure that every byte of `[0, sizeBytes)` of an open file has a block on the disk.
 * Returns `false` when disk or quota are full.
 *
 * @throws PylogError PYLOG_SYSTEM_CALL for any other failure.
 */
export function reserve(name: StepName, fd: number, sizeBytes: number): boolean {
	if (isObserved()) announce({ name, call: "reserve", fd, sizeBytes });
	let errno = posixFallocate(fd, 0, sizeBytes);
	while (errno === EINTR) errno = posixFallocate(fd, 0, sizeBytes);
	if (errno === 0) return true;
	if (errno === ENOSPC || errno === EDQUOT || errno === EFBIG) return false;
	// A libc without glibc's fallback (musl) on a file system without fallocate: write the zeros.
	if (errno === EOPNOTSUPP || errno === EINVAL) return writeZeros(fd, sizeBytes);
	throw systemCallError("posix_fallocate", errno, { fd, sizeBytes });
}

function writeZeros(fd: number, sizeBytes: number): boolean {
	const zeros = Buffer.alloc(64 * 1024);
	let at = fstatSync(fd).size;
	try {
		while (at < sizeBytes) at += writeSync(fd, zeros, 0, Math.min(zeros.length, sizeBytes - at), at);
		return true;
	} catch {
		return false;
	}
}

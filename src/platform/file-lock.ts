/**
 * Advisory locks by `flock`: held by an open file description, so two opens in one process exclude each other as two
 * processes do, and freed by the kernel on any death of the holder. Liveness in Pylog is such a lock, never a pid.
 */

import { closeSync, constants, fstatSync, openSync, statSync } from "node:fs";
import { systemCode } from "../shared/errors.ts";
import { flockRelease, flockTry, flockWait } from "./libc.ts";
import { openOwnedFile } from "./owned-files.ts";
import type { StepName } from "./step.ts";

export class FileLock {
	#fd: number;

	private constructor(fd: number) {
		this.#fd = fd;
	}

	/**
	 * Opens (creating it, 0600) and locks `path`; `undefined` when somebody else holds it. Never waits.
	 *
	 * @throws PylogError PYLOG_SPOOL_UNSAFE for what is no file of our own, or the file system's own error.
	 */
	static tryAcquire(name: StepName, path: string): FileLock | undefined {
		const fd = openOwnedFile(name, path, "missing");
		if (flockTry(fd, "exclusive")) return new FileLock(fd);
		closeSync(fd);
		return undefined;
	}

	/** As {@link FileLock.tryAcquire}, but waits for the holder; for short critical sections only. */
	static acquire(name: StepName, path: string): FileLock {
		const fd = openOwnedFile(name, path, "missing");
		flockWait(fd);
		return new FileLock(fd);
	}

	/** Locks a folder itself; `undefined` when somebody else has. Never waits. */
	static tryAcquireFolder(path: string): FileLock | undefined {
		const fd = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
		if (flockTry(fd, "exclusive")) return new FileLock(fd);
		closeSync(fd);
		return undefined;
	}

	/** The lock a parent process left to this one as an inherited descriptor. */
	static inherited(fd: number): FileLock {
		return new FileLock(fd);
	}

	/** Descriptor of the locked file: to write a text for people, or to leave the lock to a child process. */
	get fd(): number {
		return this.#fd;
	}

	/**
	 * Whether the locked file is still what is at `path`: nobody removed it, or moved the folder it is in. A process that
	 * may not look (it has given up its rights since) is told that it is: nothing says otherwise.
	 */
	isInPlace(path: string): boolean {
		if (this.#fd < 0) return false;
		try {
			const stats = statSync(path, { throwIfNoEntry: false });
			const own = fstatSync(this.#fd);
			return stats !== undefined && stats.ino === own.ino && stats.dev === own.dev;
		} catch {
			return true;
		}
	}

	/** Frees the lock for everyone who shares this open file, a child process included. Idempotent. */
	release(): void {
		if (this.#fd < 0) return;
		flockRelease(this.#fd);
		this.closeOnly();
	}

	/** Closes this process's descriptor; a child that inherited the open file keeps the lock. Idempotent. */
	closeOnly(): void {
		if (this.#fd < 0) return;
		closeSync(this.#fd);
		this.#fd = -1;
	}

	[Symbol.dispose](): void {
		this.release();
	}
}

/** What opening says where there is no file that anybody could have locked: nothing, a file in the way, a link, a socket. */
const noLockFile: ReadonlySet<string | undefined> = new Set(["ENOENT", "ENOTDIR", "ELOOP", "ENXIO"]);

/** Whether somebody holds the lock on `path`. A missing file is not held. Never waits. */
export function isLocked(path: string): boolean {
	let fd: number;
	try {
		fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
	} catch (error) {
		if (noLockFile.has(systemCode(error))) return false;
		throw error;
	}
	try {
		// A shared lock: two who ask at once do not see each other.
		const free = flockTry(fd, "shared");
		if (free) flockRelease(fd);
		return !free;
	} finally {
		closeSync(fd);
	}
}

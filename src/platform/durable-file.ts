/**
 * Changes to files and folders, each under the name of its step (`step.ts`). Nothing outside of `src/platform/` changes a
 * file by any other way; the linter sees to it.
 *
 * Those that return a promise do not block; the others block for the time of the system call. All fail with the file
 * system's own error.
 */

import {
	closeSync,
	constants,
	fdatasync,
	fdatasyncSync,
	fsyncSync,
	ftruncateSync,
	mkdirSync,
	open as openFile,
	openSync,
	renameSync,
	rmdirSync,
	rmSync,
	unlinkSync,
	write,
	writeSync,
} from "node:fs";
import { open } from "node:fs/promises";
import { dirname } from "node:path";
import { systemCode } from "../shared/errors.ts";
import { makeFolderChain, makeFolderChainSoon } from "./folder-chain.ts";
import { announce, isObserved, type StepName } from "./step.ts";

/** Writes all the bytes, at a position or where the descriptor stands. */
export function writeWhole(name: StepName, fd: number, bytes: Uint8Array, position?: number): void {
	if (isObserved()) announce({ name, call: "write", fd, bytes, position });
	for (let written = 0; written < bytes.length; ) {
		const at = position === undefined ? null : position + written;
		written += writeSync(fd, bytes, written, bytes.length - written, at);
	}
}

/** Appends as many of the bytes as the kernel takes at once, and resolves to their number. Does not block. */
export function appendSoon(name: StepName, fd: number, bytes: Uint8Array): Promise<number> {
	return new Promise((resolve, reject) => {
		if (isObserved()) announce({ name, call: "write", fd, bytes, position: undefined });
		write(fd, bytes, (error, count) => (error === null ? resolve(count) : reject(error)));
	});
}

/** Writes all the bytes at a position. Does not block. */
export async function writeWholeSoon(name: StepName, fd: number, bytes: Uint8Array, position: number): Promise<void> {
	if (isObserved()) announce({ name, call: "write", fd, bytes, position });
	for (let written = 0; written < bytes.length; ) {
		written += await new Promise<number>((resolve, reject) => {
			write(fd, bytes, written, bytes.length - written, position + written, (error, count) => {
				if (error === null) resolve(count);
				else reject(error);
			});
		});
	}
}

export function truncate(name: StepName, fd: number, sizeBytes: number): void {
	if (isObserved()) announce({ name, call: "truncate", fd, sizeBytes });
	ftruncateSync(fd, sizeBytes);
}

/** Brings the content of a file to the disk, and its size. */
export function syncData(name: StepName, fd: number): void {
	if (isObserved()) announce({ name, call: "sync", fd });
	fdatasyncSync(fd);
}

/** As {@link syncData}, without blocking. */
export function syncDataSoon(name: StepName, fd: number): Promise<void> {
	return new Promise((resolve, reject) => {
		if (isObserved()) announce({ name, call: "sync", fd });
		fdatasync(fd, (error) => (error === null ? resolve() : reject(error)));
	});
}

/** As {@link syncFolder}, without blocking. */
export async function syncFolderSoon(name: StepName, path: string): Promise<void> {
	if (isObserved()) announce({ name, call: "syncFolder", path });
	const folder = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
	try {
		await folder.sync();
	} finally {
		await folder.close();
	}
}

/** Opens a file as `flags` say, making it if it is missing. Does not block. */
export function createSoon(name: StepName, path: string, flags: number, mode: number): Promise<number> {
	return new Promise((resolve, reject) => {
		if (isObserved()) announce({ name, call: "create", path });
		openFile(path, flags | constants.O_CREAT, mode, (error, fd) => (error === null ? resolve(fd) : reject(error)));
	});
}

/** Makes a folder and those above it, and resolves to the first one made. Does not block. */
export async function makeFoldersSoon(name: StepName, path: string, mode: number): Promise<string | undefined> {
	if (isObserved()) announce({ name, call: "makeFolder", path });
	return makeFolderChainSoon(path, mode);
}

/** Brings the names in a folder to the disk: which files it has. */
export function syncFolder(name: StepName, path: string): void {
	if (isObserved()) announce({ name, call: "syncFolder", path });
	const fd = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
	try {
		fsyncSync(fd);
	} finally {
		closeSync(fd);
	}
}

export function rename(name: StepName, from: string | Buffer, to: string): void {
	if (isObserved()) announce({ name, call: "rename", from, to });
	renameSync(from, to);
}

export function remove(name: StepName, path: string): void {
	if (isObserved()) announce({ name, call: "remove", path });
	unlinkSync(path);
}

/** As {@link remove}; `false` where nothing was. */
export function removeIfThere(name: StepName, path: string): boolean {
	try {
		remove(name, path);
		return true;
	} catch (error) {
		if (systemCode(error) === "ENOENT") return false;
		throw error;
	}
}

/** Removes an empty folder. */
export function removeFolder(name: StepName, path: string): void {
	if (isObserved()) announce({ name, call: "remove", path });
	rmdirSync(path);
}

/** Removes a folder with all that is in it, or a file; nothing where nothing is. */
export function removeTree(name: StepName, path: string): void {
	if (isObserved()) announce({ name, call: "removeTree", path });
	rmSync(path, { recursive: true, force: true });
}

/** Makes a folder, and with `recursive` those above it. Returns the first one made, where there was one to make. */
export function makeFolder(name: StepName, path: string, mode: number, recursive = false): string | undefined {
	if (isObserved()) announce({ name, call: "makeFolder", path });
	if (recursive) return makeFolderChain(path, mode);
	mkdirSync(path, mode);
	return path;
}

/** Brings the names of new folders to the disk, from the first one made down to `path`. */
export function syncNewFolders(name: StepName, firstMade: string, path: string): void {
	for (let made = path; ; made = dirname(made)) {
		syncFolder(name, dirname(made));
		if (made.length <= firstMade.length) return;
	}
}

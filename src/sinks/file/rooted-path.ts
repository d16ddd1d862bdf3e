/**
 * Files below the roots of a logman that writes for others: a record's path is a wish, not a right.
 *
 * The way to a file is walked from its root, folder by folder, each held open while the next is looked up in it. So no
 * link, and nobody who renames things meanwhile, leads out of the root; a mount on the way is the administrator's
 * business. The file itself must be regular and have no other name: through a hard link its lines would stand in a file
 * elsewhere. What is refused is refused for good (PYLOG_OUTPUT_REFUSED); what is merely in the way, such as a missing
 * permission or a folder in the place of the file, fails with the file system's own error.
 */

import { constants, type Stats } from "node:fs";
import { closeSoon, fstatSoon } from "../../platform/file-calls.ts";
import { FolderHandle } from "../../platform/folder-handle.ts";
import { PylogError, systemCode } from "../../shared/errors.ts";

/** Of folders that are missing on the way. */
const folderMode = 0o750;

export interface OpenedBelowRoot {
	readonly fd: number;
	/** Folders that got a new name for it: only when they are on disk, the file is. */
	readonly newIn: readonly string[];
}

/** A file below a root: names of the folders on the way, and its own. */
interface Place {
	readonly root: string;
	readonly folders: readonly string[];
	readonly name: string;
}

/** Whether a path is below one of the roots by its text: absolute, without "..". Asks no file system. */
export function isBelowRoots(roots: readonly string[], path: string): boolean {
	return placeOf(roots, path) !== undefined;
}

/**
 * Opens a file below the roots; with O_CREAT it is made where it is missing, and its folders as well. Never waits for a
 * FIFO, and does not block.
 *
 * @param roots Absolute paths, which are trusted: links on the way to a root are followed.
 * @throws PylogError PYLOG_OUTPUT_REFUSED, or the file system's own error.
 */
export async function openWithinRoots(
	roots: readonly string[],
	path: string,
	flags: number,
	mode: number,
): Promise<OpenedBelowRoot> {
	const newIn: string[] = [];
	return inFolderOf(roots, path, (flags & constants.O_CREAT) !== 0 ? newIn : undefined, async (folder, name) => {
		const before = await folder.look(name);
		// Before it is opened: opening a device may do something by itself.
		if (before !== undefined) checkFile(path, before);
		else if ((flags & constants.O_CREAT) !== 0) newIn.push(folder.path);
		const fd = await folder.openFile("output.create-below-root", name, flags, mode).catch((error: unknown) => {
			throw systemCode(error) === "ELOOP" ? refused(path, "it is a symbolic link") : error;
		});
		try {
			checkFile(path, await fstatSoon(fd));
			return { fd, newIn };
		} catch (error) {
			await closeSoon(fd);
			throw error;
		}
	});
}

/**
 * What stands at a path below the roots; `undefined` for nothing. Does not block.
 *
 * @throws as {@link openWithinRoots}.
 */
export async function statWithinRoots(roots: readonly string[], path: string): Promise<Stats | undefined> {
	try {
		return await inFolderOf(roots, path, undefined, async (folder, name) => {
			const stats = await folder.look(name);
			if (stats !== undefined) checkFile(path, stats);
			return stats;
		});
	} catch (error) {
		if (systemCode(error) === "ENOENT") return undefined;
		throw error;
	}
}

/** Calls `work` with the folder that the file is in. @param newIn Gets the folders in which one was made; without it none is. */
async function inFolderOf<Result>(
	roots: readonly string[],
	path: string,
	newIn: string[] | undefined,
	work: (folder: FolderHandle, name: string) => Promise<Result>,
): Promise<Result> {
	const place = placeOf(roots, path);
	if (place === undefined) throw refused(path, "it is outside of the logman's roots");
	let folder = await FolderHandle.open(place.root);
	try {
		for (const name of place.folders) {
			const next = await enter(folder, name, path, newIn);
			await folder.close();
			folder = next;
		}
		return await work(folder, place.name);
	} finally {
		await folder.close();
	}
}

/** The next folder on the way, made where it is missing and may be. */
async function enter(
	folder: FolderHandle,
	name: string,
	path: string,
	newIn: string[] | undefined,
): Promise<FolderHandle> {
	const stats = await folder.look(name);
	if (stats?.isSymbolicLink() === true) throw refused(path, `the way leads through a symbolic link, ${name}`);
	if (
		stats === undefined &&
		newIn !== undefined &&
		(await folder.makeFolder("output.folder-below-root", name, folderMode))
	)
		newIn.push(folder.path);
	try {
		return await folder.openFolder(name);
	} catch (error) {
		throw systemCode(error) === "ELOOP" ? refused(path, `the way leads through a symbolic link, ${name}`) : error;
	}
}

/** `undefined` for a path that is not below any root. Of roots that lie in each other, the one first named counts. */
function placeOf(roots: readonly string[], path: string): Place | undefined {
	if (!path.startsWith("/") || path.endsWith("/") || path.includes("\0")) return undefined;
	const names = namesOf(path);
	if (names.includes("..") || path.endsWith("/.")) return undefined;
	for (const root of roots) {
		const above = namesOf(root);
		if (names.length <= above.length || above.some((name, index) => name !== names[index])) continue;
		return { root, folders: names.slice(above.length, -1), name: names.at(-1) as string };
	}
	return undefined;
}

function namesOf(path: string): string[] {
	return path.split("/").filter((name) => name !== "" && name !== ".");
}

/** A folder in the place of the file passes: opening it says so. */
function checkFile(path: string, stats: Stats): void {
	if (stats.isDirectory()) return;
	if (stats.isSymbolicLink()) throw refused(path, "it is a symbolic link");
	if (!stats.isFile()) throw refused(path, "it is no regular file");
	if (stats.nlink > 1) throw refused(path, `it has ${stats.nlink} names (hard links)`);
}

function refused(path: string, reason: string): PylogError {
	return new PylogError(
		"PYLOG_OUTPUT_REFUSED",
		`The logman does not write to ${path}: ${reason}. Remedy: name a file below its roots, or start it with another --root.`,
		{ details: { path, reason } },
	);
}

/**
 * Folders and files that must be this user's own: made private, never reached through a planted link, refused when
 * somebody else could have written them.
 */

import { chmodSync, closeSync, constants, fstatSync, lstatSync, openSync, readdirSync, type Stats } from "node:fs";
import { join } from "node:path";
import { PylogError, systemCode } from "../shared/errors.ts";
import { makeFolder } from "./durable-file.ts";
import { announce, isObserved, type StepName } from "./step.ts";

/**
 * Makes `path` (and its parents) a folder of mode 0700, or checks the one that is there. An empty folder of our own
 * that is open to others is closed to them; one that has content is refused, since they could have written it.
 *
 * @returns The first folder that was made, if one was: its name is not on the disk yet.
 */
export function ensureOwnedDirectory(name: StepName, path: string): string | undefined {
	const firstMade = makeFolder(name, path, 0o700, true);
	const stats = lstatSync(path);
	if (!stats.isDirectory()) throw unsafe(path, "it is not a directory", "remove it or choose another cacheDir");
	checkOwner(path, stats);
	if ((stats.mode & 0o077) === 0) return firstMade;
	if (readdirSync(path).length > 0) throw openToOthers(path, stats);
	chmodSync(path, 0o700);
	return firstMade;
}

/**
 * Opens a file of our own for reading and writing, creating it with mode 0600. Links are not followed.
 *
 * @param create "exclusive" fails when it exists; "missing" creates it if need be.
 */
export function openOwnedFile(name: StepName, path: string, create: "exclusive" | "missing"): number {
	let flags = constants.O_RDWR | constants.O_NOFOLLOW | constants.O_NONBLOCK | constants.O_CREAT;
	if (create === "exclusive") flags |= constants.O_EXCL;
	let fd: number;
	if (isObserved()) announce({ name, call: "create", path });
	try {
		fd = openSync(path, flags, 0o600);
	} catch (error) {
		if (systemCode(error) === "ELOOP") throw unsafe(path, "it is a symbolic link", "remove the link");
		if (systemCode(error) === "EISDIR") throw unsafe(path, "it is a directory", "move it away");
		if (systemCode(error) === "ENXIO") throw unsafe(path, "it is not a regular file", "remove it");
		throw error;
	}
	try {
		checkFile(path, fstatSync(fd));
		return fd;
	} catch (error) {
		closeSync(fd);
		throw error;
	}
}

function checkFile(path: string, stats: Stats): void {
	if (!stats.isFile()) throw unsafe(path, "it is not a regular file", "remove it");
	checkOwner(path, stats);
	if ((stats.mode & 0o077) !== 0) throw openToOthers(path, stats);
}

function checkOwner(path: string, stats: Stats): void {
	const uid = process.geteuid?.();
	if (uid !== undefined && stats.uid !== uid) {
		throw unsafe(path, `it belongs to user ${stats.uid}, this process runs as ${uid}`, "choose a cacheDir of your own");
	}
}

function openToOthers(path: string, stats: Stats): PylogError {
	const mode = (stats.mode & 0o777).toString(8);
	// Never advice to close a directory that others use, such as /tmp.
	const remedy = stats.isFile()
		? `run: chmod go-rwx '${path}'`
		: `name a directory in it, such as '${join(path, "pylog")}'`;
	return unsafe(path, `it is open to other users (mode ${mode})`, remedy);
}

function unsafe(path: string, why: string, remedy: string): PylogError {
	return new PylogError("PYLOG_SPOOL_UNSAFE", `Pylog does not use ${path}: ${why}. Remedy: ${remedy}.`, {
		details: { path },
	});
}

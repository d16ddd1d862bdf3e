/**
 * Folders and files that must be this user's own: made private, never reached through a planted link, refused when
 * somebody else could have written them.
 *
 * A file has one name: through a second one it would be changed where nobody expects it. What is refused is a
 * PYLOG_SPOOL_UNSAFE that names the path, what is wrong with it, and the remedy. Nothing here waits for a FIFO.
 */

import {
	chmodSync,
	closeSync,
	constants,
	fstatSync,
	lstatSync,
	openSync,
	readdirSync,
	readSync,
	type Stats,
} from "node:fs";
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
	let firstMade: string | undefined;
	// Nearly always it is there, and a call that fails costs more than a look. Who observes steps sees this one all the same.
	let stats = lstatSync(path, { throwIfNoEntry: false });
	if (stats === undefined || isObserved()) {
		firstMade = makeMissing(name, path);
		stats = lstatSync(path);
	}
	if (stats.isSymbolicLink()) throw unsafe(path, "it is a symbolic link", "remove it or choose another cacheDir");
	if (!stats.isDirectory()) throw unsafe(path, "it is not a directory", "remove it or choose another cacheDir");
	checkOwner(path, stats);
	if ((stats.mode & 0o077) === 0) return firstMade;
	if (readdirSync(path).length > 0) throw openToOthers(path, stats);
	chmodSync(path, 0o700);
	return firstMade;
}

function makeMissing(name: StepName, path: string): string | undefined {
	try {
		return makeFolder(name, path, 0o700, true);
	} catch (error) {
		// What somebody else has put there meanwhile is looked at like what was there before.
		if (lstatSync(path, { throwIfNoEntry: false }) === undefined) throw error;
		return undefined;
	}
}

/**
 * Opens a file of our own for reading and writing, creating it with mode 0600. Links are not followed.
 *
 * @param create "exclusive" fails when it exists; "missing" creates it if need be.
 * @throws PylogError PYLOG_SPOOL_UNSAFE, or the file system's own error.
 */
export function openOwnedFile(name: StepName, path: string, create: "exclusive" | "missing"): number {
	let flags = constants.O_RDWR | noFollow | constants.O_CREAT;
	if (create === "exclusive") flags |= constants.O_EXCL;
	if (isObserved()) announce({ name, call: "create", path });
	let fd: number;
	try {
		fd = openSync(path, flags, 0o600);
	} catch (error) {
		throw refusal(path, error);
	}
	try {
		checkFile(path, fstatSync(fd));
		return fd;
	} catch (error) {
		closeSync(fd);
		throw error;
	}
}

/**
 * Opens a regular file for reading, to look at what stands in a folder of our own; `undefined` where there is none:
 * nothing, a link, a FIFO, a device. Never waits.
 *
 * @throws the file system's own error for a file that is there and can't be opened.
 */
export function openPlainFile(path: string): number | undefined {
	let fd: number;
	try {
		fd = openSync(path, constants.O_RDONLY | noFollow);
	} catch (error) {
		if (noPlainFile.has(systemCode(error))) return undefined;
		throw error;
	}
	if (fstatSync(fd).isFile()) return fd;
	closeSync(fd);
	return undefined;
}

/** The text of a file as {@link openPlainFile} opens it, its first `maxBytes`. */
export function readPlainFile(path: string, maxBytes: number): string | undefined {
	const fd = openPlainFile(path);
	if (fd === undefined) return undefined;
	try {
		const bytes = Buffer.alloc(Math.min(fstatSync(fd).size, maxBytes));
		return bytes.toString("utf8", 0, readSync(fd, bytes, 0, bytes.length, 0));
	} finally {
		closeSync(fd);
	}
}

const noFollow = constants.O_NOFOLLOW | constants.O_NONBLOCK | constants.O_NOCTTY;
const noPlainFile: ReadonlySet<string | undefined> = new Set(["ENOENT", "ENOTDIR", "ELOOP", "ENXIO", "ENODEV"]);

/** What opening says of what is no file that could be written. */
const inTheWay: Readonly<Record<string, readonly [why: string, remedy: string]>> = {
	ELOOP: ["it is a symbolic link", "remove the link"],
	EISDIR: ["it is a directory", "remove it"],
	ENXIO: ["it is not a regular file", "remove it"],
	ENODEV: ["it is not a regular file", "remove it"],
	EACCES: ["this user may not open it", "remove it, or run as the user it belongs to"],
};

/** The error for a path that could not be opened: ours, where something else than a file of ours is in the way. */
function refusal(path: string, error: unknown): unknown {
	const [why, remedy] = inTheWay[systemCode(error) ?? ""] ?? [];
	if (why === undefined || remedy === undefined) return error;
	// No permission may also mean that for the folder.
	if (systemCode(error) === "EACCES" && lstatSync(path, { throwIfNoEntry: false }) === undefined) return error;
	return unsafe(path, why, remedy, error);
}

function checkFile(path: string, stats: Stats): void {
	if (!stats.isFile()) throw unsafe(path, "it is not a regular file", "remove it");
	checkOwner(path, stats);
	if ((stats.mode & 0o077) !== 0) throw openToOthers(path, stats);
	if (stats.nlink > 1) {
		throw unsafe(path, `it has ${stats.nlink} names (hard links)`, "remove this name; a new file is made in its place");
	}
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

function unsafe(path: string, why: string, remedy: string, cause?: unknown): PylogError {
	return new PylogError("PYLOG_SPOOL_UNSAFE", `Pylog does not use ${path}: ${why}. Remedy: ${remedy}.`, {
		cause,
		details: { path },
	});
}

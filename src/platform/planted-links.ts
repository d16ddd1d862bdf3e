/**
 * Links on the way to a folder: one that somebody else could plant would lead us to a place of their choice.
 *
 * The rule is that of Linux's `fs.protected_symlinks`, which is not switched on everywhere, and holds for every folder
 * that all may write to, sticky or not.
 */

import { lstatSync, readlinkSync, type Stats } from "node:fs";
import { isAbsolute, join } from "node:path";
import { PylogError } from "../shared/errors.ts";

/** As many as the kernel follows. */
const maxLinks = 40;
const writableByAll = 0o002;

/**
 * Looks at every link that `path` (absolute) leads through, as far as it exists.
 *
 * @throws PylogError PYLOG_SPOOL_UNSAFE for a link in a folder that all may write to, unless it belongs to this user or to
 *   the owner of that folder.
 */
export function refusePlantedLinks(path: string): void {
	let folder = "/";
	let names = split(path);
	for (let links = 0; names.length > 0 && links <= maxLinks; ) {
		const [name = "", ...rest] = names;
		const next = join(folder, name);
		const stats = lookAt(next);
		if (stats === undefined) return;
		names = rest;
		if (!stats.isSymbolicLink()) {
			folder = next;
			continue;
		}
		links += 1;
		checkLink(path, next, stats, folder);
		const target = readlinkSync(next);
		names = [...split(target), ...rest];
		if (isAbsolute(target)) folder = "/";
	}
}

function split(path: string): string[] {
	return path.split("/").filter((name) => name !== "");
}

/** What can't be looked at can't be opened either, and opening says why. */
function lookAt(path: string): Stats | undefined {
	try {
		return lstatSync(path, { throwIfNoEntry: false });
	} catch {
		return undefined;
	}
}

function checkLink(path: string, link: string, stats: Stats, folder: string): void {
	const holder = lookAt(folder);
	if (holder === undefined || (holder.mode & writableByAll) === 0) return;
	if (stats.uid === holder.uid || stats.uid === process.geteuid?.()) return;
	throw new PylogError(
		"PYLOG_SPOOL_UNSAFE",
		`Pylog does not use ${path}: the way leads through ${link}, a symbolic link that user ${stats.uid} made in ` +
			`${folder}, where all may write. Remedy: name the directory itself, or remove the link.`,
		{ details: { path, link, uid: stats.uid } },
	);
}

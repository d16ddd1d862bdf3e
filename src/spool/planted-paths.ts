/**
 * What stands in a cache directory in the place of something of ours: a link, a folder for a file, somebody else's file, one
 * with a second name. Loggers and logman refuse it where they meet it; here all of it is named at once. Reads only.
 */

import { lstatSync, readdirSync, type Stats } from "node:fs";
import { join } from "node:path";
import { lanes } from "../shared/lane.ts";
import { aliveFile, type SpoolPaths } from "./paths.ts";
import type { SpoolProblem } from "./spool-problem.ts";

/** What can't be used of a spool as it stands. */
export function findPlanted(paths: SpoolPaths): SpoolProblem[] {
	const { producers, inbox, parked, quarantine, starting } = paths;
	const { control, lease, checkpoint, syncedCheckpoint, errorLog, taken } = paths;
	const files = [control, lease, starting, `${starting}.said`, checkpoint, syncedCheckpoint, errorLog, taken];
	const inInbox = ["tmp", ...lanes].map((name) => join(inbox, name));
	const folders = [producers, inbox, ...inInbox, parked, quarantine];
	return [
		...files.flatMap((path) => problemOf(path, "file") ?? []),
		...folders.flatMap((path) => problemOf(path, "directory") ?? []),
		...entriesOf(producers).flatMap((path) => problemOf(path, "directory") ?? problemsIn(path)),
		...entriesOf(parked).flatMap((path) => problemOf(path, "file") ?? []),
	];
}

function entriesOf(folder: string): string[] {
	try {
		return readdirSync(folder).map((name) => join(folder, name));
	} catch {
		// It is not there, or no folder, which is told by itself.
		return [];
	}
}

/** Of a producer: its lock. Its segments are looked at one by one, see `lane-check.ts`. */
function problemsIn(folder: string): SpoolProblem[] {
	return [problemOf(aliveFile(folder), "file") ?? []].flat();
}

function problemOf(path: string, kind: "file" | "directory"): SpoolProblem | undefined {
	const stats = lookAt(path);
	const what = stats === undefined ? undefined : whatIsWrong(stats, kind);
	if (what === undefined) return undefined;
	return {
		kind: "unsafe",
		path,
		offset: undefined,
		what,
		meaning: "Loggers and logman do not use it, and say so where they need it.",
		remedy: `Find out who put it there, then move it away: mv '${path}' '${path}.aside'.`,
	};
}

function lookAt(path: string): Stats | undefined {
	try {
		return lstatSync(path, { throwIfNoEntry: false });
	} catch {
		// The folder it would be in is none, which is told by itself.
		return undefined;
	}
}

function whatIsWrong(stats: Stats, kind: "file" | "directory"): string | undefined {
	if (stats.isSymbolicLink()) return "it is a symbolic link";
	if (kind === "file" && !stats.isFile()) return stats.isDirectory() ? "it is a directory" : "it is no regular file";
	if (kind === "directory" && !stats.isDirectory()) return "it is not a directory";
	const uid = process.geteuid?.();
	if (uid !== undefined && stats.uid !== uid) return `it belongs to user ${stats.uid}, this process runs as ${uid}`;
	if ((stats.mode & 0o077) !== 0) return `it is open to other users (mode ${(stats.mode & 0o777).toString(8)})`;
	return kind === "file" && stats.nlink > 1 ? `it has ${stats.nlink} names (hard links)` : undefined;
}

/**
 * How the file sink reaches what stands at a path: by the path as it is, or, for a logman with roots, only below these
 * (`rooted-path.ts`). No call blocks, and none waits for a FIFO.
 */

import { constants, type Stats } from "node:fs";
import { stat } from "node:fs/promises";
import { dirname } from "node:path";
import { createSoon, makeFoldersSoon } from "../../platform/durable-file.ts";
import { openSoon } from "../../platform/file-calls.ts";
import { PylogError, systemCode } from "../../shared/errors.ts";
import { openWithinRoots, statWithinRoots } from "./rooted-path.ts";

export interface OpenedOutput {
	readonly fd: number;
	/** Folders that got a new name for it: only when they are on disk, the file is. */
	readonly newIn: readonly string[];
}

/** Each fails with the file system's own error, or a PylogError PYLOG_OUTPUT_REFUSED. */
export interface OutputPaths {
	/** Opens a file for appending, made with its folders where it is missing. */
	openToAppend(path: string): Promise<OpenedOutput>;
	/** Opens what is there. */
	open(path: string, flags: number): Promise<number>;
	/** What stands there; `undefined` for nothing. */
	look(path: string): Promise<Stats | undefined>;
}

const fileMode = 0o640;
const folderMode = 0o750;
const appendFlags = constants.O_WRONLY | constants.O_APPEND | constants.O_NONBLOCK;

/** Every path, through links as well. */
export const anyPath: OutputPaths = {
	openToAppend: openAnywhere,
	open: (path, flags) => openSoon(path, flags | constants.O_NONBLOCK),
	look: async (path) => {
		try {
			return await stat(path);
		} catch (error) {
			if (systemCode(error) === "ENOENT") return undefined;
			throw error;
		}
	},
};

/** Paths below the roots; every path where there are none. */
export function outputPaths(roots: readonly string[] | undefined): OutputPaths {
	if (roots === undefined) return anyPath;
	return {
		openToAppend: (path) => openWithinRoots(roots, path, appendFlags | constants.O_CREAT, fileMode),
		open: async (path, flags) => (await openWithinRoots(roots, path, flags, fileMode)).fd,
		look: (path) => statWithinRoots(roots, path),
	};
}

/** Whether a path was refused: it stays so, and its lines have to go elsewhere. */
export function isRefused(error: unknown): error is PylogError {
	return error instanceof PylogError && error.code === "PYLOG_OUTPUT_REFUSED";
}

/** A FIFO without a reader is an error, not a stop. */
async function openAnywhere(path: string): Promise<OpenedOutput> {
	try {
		return { fd: await openSoon(path, appendFlags), newIn: [] };
	} catch (error) {
		if (systemCode(error) !== "ENOENT") throw error;
	}
	try {
		return { fd: await createSoon("output.create", path, appendFlags, fileMode), newIn: [dirname(path)] };
	} catch (error) {
		if (systemCode(error) !== "ENOENT") throw error;
	}
	const folder = dirname(path);
	const first = await makeFoldersSoon("output.folder", folder, folderMode);
	const fd = await createSoon("output.create-in-folder", path, appendFlags, fileMode);
	return { fd, newIn: foldersUpTo(folder, first) };
}

/** `folder`, and those above it up to the one that `first`, which was made, is in. */
function foldersUpTo(folder: string, first: string | undefined): string[] {
	const folders = [folder];
	for (let each = folder; first !== undefined && each.length >= first.length; each = dirname(each)) {
		folders.push(dirname(each));
	}
	return folders;
}

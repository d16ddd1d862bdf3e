/**
 * Makes a folder and those above it that are missing.
 *
 * Node's own `recursive` never returns where the folder above is there and a new one is answered with ENOENT (`/proc`, some
 * automounts, a folder that was removed while it is open), and says ENOENT of a read-only disk.
 */

import { mkdirSync, statSync } from "node:fs";
import { mkdir, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { systemCode } from "../shared/errors.ts";

/** So often a folder above may go away meanwhile. */
const maxAttempts = 5;

/** @returns The first folder that was made, if one was. @throws the file system's own error */
export function makeFolderChain(path: string, mode: number): string | undefined {
	let first: string | undefined;
	for (let attempt = 1; ; attempt++) {
		try {
			mkdirSync(path, mode);
			return first ?? path;
		} catch (error) {
			if (systemCode(error) !== "ENOENT") {
				if (isFolder(path)) return first;
				throw error;
			}
			if (attempt === maxAttempts || dirname(path) === path) throw error;
		}
		first = makeFolderChain(dirname(path), mode) ?? first;
	}
}

/** As {@link makeFolderChain}; does not block. */
export async function makeFolderChainSoon(path: string, mode: number): Promise<string | undefined> {
	let first: string | undefined;
	for (let attempt = 1; ; attempt++) {
		try {
			await mkdir(path, mode);
			return first ?? path;
		} catch (error) {
			if (systemCode(error) !== "ENOENT") {
				if (await isFolderSoon(path)) return first;
				throw error;
			}
			if (attempt === maxAttempts || dirname(path) === path) throw error;
		}
		first = (await makeFolderChainSoon(dirname(path), mode)) ?? first;
	}
}

function isFolderSoon(path: string): Promise<boolean> {
	return stat(path).then(
		(stats) => stats.isDirectory(),
		() => false,
	);
}

function isFolder(path: string): boolean {
	try {
		return statSync(path).isDirectory();
	} catch {
		return false;
	}
}

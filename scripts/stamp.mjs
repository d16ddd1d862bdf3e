// @ts-check
// Stamps: what a step was last done for. A stamp is the hash of the step's inputs, kept under node_modules/.pylog, so
// that it goes when node_modules goes. Contents are compared, not times: a checkout gives files new times.

import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

/** The root of the checkout. */
export const root = fileURLToPath(new URL("..", import.meta.url)).replace(/\/$/, "");

/**
 * Hashes the names and contents of files, and of all files below directories. What does not exist counts as empty.
 *
 * @param {readonly string[]} inputs paths relative to the root
 * @returns {string}
 */
export function hashOf(inputs) {
	const hash = createHash("sha256");
	for (const path of inputs.flatMap((input) => filesBelow(join(root, input)))) {
		hash
			.update(`${relative(root, path)}\0`)
			.update(readFileSync(path))
			.update("\0");
	}
	return hash.digest("hex");
}

/**
 * All files at or below a path, sorted; none when it does not exist.
 *
 * @param {string} path
 * @returns {string[]}
 */
export function filesBelow(path) {
	try {
		return readdirSync(path, { recursive: true, withFileTypes: true })
			.filter((entry) => entry.isFile())
			.map((entry) => join(entry.parentPath, entry.name))
			.sort();
	} catch (error) {
		if (hasCode(error, "ENOTDIR")) return [path];
		if (hasCode(error, "ENOENT")) return [];
		throw error;
	}
}

/** @param {string} name */
export function readStamp(name) {
	try {
		return readFileSync(stampPath(name), "utf8");
	} catch (error) {
		if (hasCode(error, "ENOENT")) return undefined;
		throw error;
	}
}

/**
 * @param {string} name
 * @param {string} stamp
 */
export function writeStamp(name, stamp) {
	const path = stampPath(name);
	mkdirSync(dirname(path), { recursive: true });
	writeFileSync(`${path}.tmp`, stamp);
	renameSync(`${path}.tmp`, path);
}

/** @param {string} name */
export function removeStamp(name) {
	rmSync(stampPath(name), { force: true });
}

/** @param {string} name */
function stampPath(name) {
	return join(root, "node_modules", ".pylog", name);
}

/**
 * @param {unknown} error
 * @param {string} code
 */
function hasCode(error, code) {
	return error instanceof Error && "code" in error && error.code === code;
}

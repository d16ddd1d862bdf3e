// @ts-check
// The declarations that the package's types are made of. The others, of what no application can import, are left out.

import { readFileSync, rmSync } from "node:fs";
import { dirname, join, resolve } from "node:path";

import { filesBelow } from "./stamp.mjs";

/**
 * Removes the declarations in `folder` that `index.d.ts` does not lead to.
 *
 * @param {string} folder
 */
export function removeOtherDeclarations(folder) {
	const kept = reachableFrom(join(folder, "index.d.ts"));
	for (const path of filesBelow(folder)) {
		if (/\.d\.ts(?:\.map)?$/.test(path) && !kept.has(path.replace(/\.map$/, ""))) rmSync(path);
	}
}

/**
 * @param {string} start
 * @param {Set<string>} found
 */
function reachableFrom(start, found = new Set([start])) {
	const imports = readFileSync(start, "utf8").matchAll(
		/(?:\bfrom |\bimport )"(\.{1,2}\/[^"]+)\.ts"|\bimport\("([^"]+)\.ts"\)/g,
	);
	for (const [, from, used] of imports) {
		const target = `${resolve(dirname(start), from ?? used ?? "")}.d.ts`;
		if (found.has(target)) continue;
		found.add(target);
		reachableFrom(target, found);
	}
	return found;
}

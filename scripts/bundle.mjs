// @ts-check
// Puts the compiled modules into two files, which load in a fraction of the time of two hundred: `logger.js` has what an
// application needs that logs, `logman.js` the rest. Every module stays in its place as one that passes on what is in
// there, so that whoever imports one of them gets the same copy. Packages that Pylog depends on and that are not native
// go in as far as they are used, with their licenses.

import { copyFileSync, readFileSync, rmSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { rolldown } from "rolldown";

import { filesBelow, root } from "./stamp.mjs";

const included = ["valibot"];
const external = new Set(["koffi", "commander"]);
/** Parts of Node that take milliseconds to load, and that a call which logs does not need: loaded when they are used. */
const lazy = new Map([
	["node:child_process", ["spawn"]],
	["node:crypto", ["createHash", "randomBytes"]],
	["node:zlib", ["crc32", "createGunzip"]],
]);

/**
 * Bundles the modules in `folder`, in place.
 *
 * @param {string} folder
 * @returns {Promise<void>}
 */
export async function bundle(folder) {
	const modules = filesBelow(folder).filter((path) => path.endsWith(".js"));
	const needed = reachableFrom(join(folder, "index.js"));
	const build = await rolldown({
		cwd: folder,
		input: Object.fromEntries(modules.map((path) => [relative(folder, path).slice(0, -".js".length), path])),
		platform: "node",
		external: (id) => external.has(id) || (id.startsWith("node:") && !lazy.has(id)),
		preserveEntrySignatures: "strict",
		plugins: [
			{
				name: "compiled",
				resolveId: (id) => (lazy.has(id) ? `\0${id}` : undefined),
				load: (id) =>
					id.startsWith("\0node:") ? lazyModule(id.slice(1)) : id.startsWith(folder) ? compiled(id) : undefined,
			},
		],
	});
	await build.write({
		dir: folder,
		format: "esm",
		sourcemap: true,
		comments: { legal: true, annotation: false, jsdoc: false },
		chunkFileNames: "bundle/[name].js",
		codeSplitting: {
			groups: [
				{
					name: "logger",
					test: (id) => needed.has(id) || included.some((name) => id.includes(`/${name}/`)) || id.startsWith("\0node:"),
					priority: 2,
				},
				{ name: "logman", test: (id) => id.startsWith(folder) && !id.endsWith("/main.js"), priority: 1 },
			],
		},
	});
	await build.close();
	// What a module that passes on stands for is in the map of the file behind it.
	for (const path of modules) if (!path.endsWith("/main.js")) rmSync(`${path}.map`);
	for (const name of included) copyFileSync(licenseOf(name), join(folder, "bundle", `${name}.license.md`));
}

/**
 * @param {string} start
 * @param {Set<string>} found
 */
function reachableFrom(start, found = new Set([start])) {
	const imports = readFileSync(start, "utf8").matchAll(/^(?:import|export)\b[^;]*?"(\.{1,2}\/[^"]+)";$/gm);
	for (const [, path = ""] of imports) {
		const target = resolve(dirname(start), path);
		if (found.has(target)) continue;
		found.add(target);
		reachableFrom(target, found);
	}
	return found;
}

/** @param {string} path */
function compiled(path) {
	return {
		code: readFileSync(path, "utf8").replace(/^\/\/# sourceMappingURL=.*$/m, ""),
		map: readFileSync(`${path}.map`, "utf8"),
	};
}

/** @param {string} name */
function lazyModule(name) {
	const functions = (lazy.get(name) ?? []).map(
		(each) =>
			`export const ${each} = (...given) => (loaded ??= process.getBuiltinModule("${name}")).${each}(...given);`,
	);
	return { code: ["let loaded;", ...functions].join("\n") };
}

/** @param {string} name */
function licenseOf(name) {
	return join(root, "node_modules", name, "LICENSE.md");
}

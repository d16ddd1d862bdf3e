// @ts-check
// Puts the compiled modules into three files, which load in a fraction of the time of two hundred: `logger.js` has what an
// application needs that logs, `later-….cjs` what its other calls need, and `logman.js` the rest. Every module stays in
// its place as one that passes on what is in there, so that whoever imports one of them gets the same copy; `parts.js` and
// `later.js` stand between.
//
// Node takes 2 ms to read through 100 kB of functions, called or not. So what a logger does not need is loaded when it is
// called for the first time, and at once: that is what CommonJS is for. Its file is a function that is given what it takes
// from `logger.js`, so there is one copy of everything. No call that logs may need it: it reads a file.

import { readFileSync, rmSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { rolldown } from "rolldown";

import { finish, laterLoader, moduleCalledLater } from "./bundle-files.mjs";
import { filesBelow } from "./stamp.mjs";

const external = new Set(["koffi", "commander"]);
/** Parts of Node that take milliseconds to load, and that a call which logs does not need: loaded when they are used. */
const lazy = new Map([
	["node:child_process", ["spawn"]],
	["node:crypto", ["createHash", "randomBytes"]],
	["node:module", ["createRequire", "findSourceMap"]],
	["node:zlib", ["crc32", "createGunzip"]],
]);
/** Modules that a logger does not need, and of which `logger.js` has functions that load them when they are called. */
const calledLater = [
	"launch/start-logman.js",
	"logger/queue-contents.js",
	"logman/logman.js",
	"spool/control-preparation.js",
];

/**
 * Bundles the modules in `folder`, in place.
 *
 * @param {string} folder
 * @returns {Promise<void>}
 */
export async function bundle(folder) {
	const modules = filesBelow(folder).filter((path) => path.endsWith(".js"));
	const later = new Set(calledLater.map((name) => join(folder, name)));
	const needed = reachableFrom(join(folder, "index.js"), later);
	const neededLater = new Set(later);
	for (const path of later) reachableFrom(path, needed, neededLater);
	const build = await rolldown({
		cwd: folder,
		input: Object.fromEntries(modules.map((path) => [relative(folder, path).slice(0, -".js".length), path])),
		platform: "node",
		external: (id) => external.has(id) || (id.startsWith("node:") && !lazy.has(id)),
		preserveEntrySignatures: "strict",
		plugins: [
			{
				name: "compiled",
				resolveId: (id, importer = "") => {
					if (id.startsWith("\0") || lazy.has(id)) return id.startsWith("\0") ? id : `\0${id}`;
					const path = resolve(dirname(importer), id);
					return needed.has(importer) && later.has(path) ? `\0later:${relative(folder, path)}` : undefined;
				},
				load: (id) => {
					if (id.startsWith("\0node:")) return lazyModule(id.slice(1));
					if (id.startsWith("\0later:")) return moduleCalledLater(folder, id.slice("\0later:".length));
					if (id === "\0later") return { code: laterLoader };
					return id.startsWith(folder) ? compiled(id) : undefined;
				},
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
				{ name: "parts", test: (id) => needed.has(id) || id.startsWith("\0"), priority: 3 },
				{ name: "later", test: (id) => neededLater.has(id), priority: 2 },
				{ name: "logman", test: (id) => id.startsWith(folder) && !id.endsWith("/main.js"), priority: 1 },
			],
		},
	});
	await build.close();
	finish(folder, calledLater);
	// What a module that passes on stands for is in the map of the file behind it.
	for (const path of modules) if (!path.endsWith("/main.js")) rmSync(`${path}.map`);
}

/**
 * The modules that `start` imports, those that they import, and so on; none of `others`, nor what only they import.
 *
 * @param {string} start
 * @param {ReadonlySet<string>} others
 * @param {Set<string>} found
 */
function reachableFrom(start, others, found = new Set([start])) {
	const imports = readFileSync(start, "utf8").matchAll(/^(?:import|export)\b[^;]*?"(\.{1,2}\/[^"]+)";$/gm);
	for (const [, path = ""] of imports) {
		const target = resolve(dirname(start), path);
		if (found.has(target) || others.has(target)) continue;
		found.add(target);
		reachableFrom(target, others, found);
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

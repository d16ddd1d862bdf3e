// @ts-check
// Builds the package and the programs that run on it:
//
//   src           → dist               what is published
//   examples      → dist-examples      they import "pylog"
//   bench         → dist-bench
//   test/fixtures → test/fixtures-dist  the processes that the tests start
//
// Each target lies as deep as its source, so relative paths stay true. A program that imports ../src/…/x.ts runs with
// ../dist/…/x.js: the same copy that "pylog" is, and the files that ship. Files are put in place one by one by rename,
// so a process that runs while a build goes on finds every file whole.

import { spawnSync } from "node:child_process";
import {
	chmodSync,
	copyFileSync,
	existsSync,
	mkdirSync,
	readdirSync,
	readFileSync,
	renameSync,
	rmSync,
	writeFileSync,
} from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

import { bundle } from "./bundle.mjs";
import { removeOtherDeclarations } from "./declarations.mjs";
import { withLock } from "./lock.mjs";
import { filesBelow, hashOf, readStamp, removeStamp, root, writeStamp } from "./stamp.mjs";

const programs = [
	{ source: "examples", target: "dist-examples" },
	{ source: "bench", target: "dist-bench" },
	{ source: "test/fixtures", target: "test/fixtures-dist" },
];
const inputs = [
	"src",
	...programs.map((program) => program.source),
	"tsconfig.json",
	"tsconfig.programs.json",
	"package-lock.json",
	"scripts/bundle.mjs",
	"scripts/bundle-files.mjs",
	"scripts/declarations.mjs",
];
const temporaryPrefix = "build.tmp-";

/** Whether what is built belongs to the sources as they are now. */
export function isBuilt() {
	return existsSync(join(root, "dist")) && readStamp("build") === stampOfNow();
}

/**
 * Builds everything. The caller holds the lock. Files are emitted in spite of type errors.
 *
 * @returns {Promise<string[]>} the compiler's messages; none when all went well
 */
export async function build() {
	const stamp = stampOfNow();
	removeStamp("build");
	for (const name of readdirSync(root)) {
		if (name.startsWith(temporaryPrefix)) rmSync(join(root, name), { recursive: true, force: true });
	}
	const temporary = join(root, `${temporaryPrefix}${process.pid}`);
	try {
		const messages = [...new Set([...(await buildPackage(temporary)), ...buildPrograms(temporary)])];
		if (messages.length === 0) writeStamp("build", stamp);
		return messages;
	} finally {
		rmSync(temporary, { recursive: true, force: true });
	}
}

/** @param {string} temporary */
async function buildPackage(temporary) {
	const messages = compile("tsconfig.json", temporary);
	await bundle(temporary);
	removeOtherDeclarations(temporary);
	const command = join(temporary, "cli", "main.js");
	if (existsSync(command)) chmodSync(command, 0o755);
	replace(temporary, join(root, "dist"));
	return messages;
}

/** @param {string} temporary */
function buildPrograms(temporary) {
	const sources = programs.flatMap((program) => filesBelow(join(root, program.source)));
	const messages = sources.some((path) => path.endsWith(".ts")) ? compile("tsconfig.programs.json", temporary) : [];
	for (const { source, target } of programs) {
		const emitted = join(temporary, source);
		for (const path of filesBelow(emitted)) {
			if (path.endsWith(".js")) writeFileSync(path, runningOnDist(readFileSync(path, "utf8")));
		}
		copyOtherFiles(join(root, source), emitted);
		replace(emitted, join(root, target));
	}
	return messages;
}

/**
 * @param {string} project
 * @param {string} outDir
 * @returns {string[]} the compiler's messages
 */
function compile(project, outDir) {
	rmSync(outDir, { recursive: true, force: true });
	const compiler = join(root, "node_modules/typescript/bin/tsc");
	const { status, error, stdout, stderr } = spawnSync(
		process.execPath,
		[compiler, "-p", project, "--outDir", outDir, "--pretty", "false"],
		{ cwd: root, encoding: "utf8", maxBuffer: Infinity },
	);
	if (error) throw error;
	if (status === 0) return [];
	return `${stdout}${stderr}`.trim().split("\n");
}

/** @param {string} text */
function runningOnDist(text) {
	return text.replaceAll(/(\bfrom |\bimport |\bimport\(|\bnew URL\()"((?:\.\.\/)+)src\//g, '$1"$2dist/');
}

/**
 * @param {string} from
 * @param {string} to
 */
function copyOtherFiles(from, to) {
	for (const path of filesBelow(from)) {
		if (path.endsWith(".ts")) continue;
		const copy = join(to, relative(from, path));
		mkdirSync(dirname(copy), { recursive: true });
		copyFileSync(path, copy);
	}
}

/**
 * Makes `target` equal to `made`: moves every file into place, then removes what was there before and is no more.
 *
 * @param {string} made
 * @param {string} target
 */
function replace(made, target) {
	const names = new Set(filesBelow(made).map((path) => relative(made, path)));
	for (const name of names) {
		mkdirSync(dirname(join(target, name)), { recursive: true });
		renameSync(join(made, name), join(target, name));
	}
	for (const path of filesBelow(target)) {
		if (!names.has(relative(target, path))) rmSync(path);
	}
}

function stampOfNow() {
	return hashOf(inputs);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
	const messages = await withLock(root, async () => build());
	if (messages.length > 0) {
		process.stderr.write(`${messages.join("\n")}\n`);
		process.exitCode = 1;
	}
}

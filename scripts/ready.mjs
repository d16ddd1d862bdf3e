// @ts-check
// Makes a checkout ready to run: dependencies as package-lock.json says, and a build of the sources as they are.
// Says nothing when there is nothing to do. Needs nothing but Node and npm, and may be run by several processes at once.

import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { build, isBuilt } from "./build.mjs";
import { withLock } from "./lock.mjs";
import { root } from "./stamp.mjs";

const oldestNode = [20, 19];

/**
 * Installs and builds what is missing or out of date.
 *
 * @returns {Promise<string[]>} the compiler's messages, if it has any: the build is there all the same
 * @throws {Error} when Node is too old or the install failed; the message says what to do
 */
export async function ready() {
	checkNodeVersion();
	if (isInstalled() && isBuilt()) return [];
	return withLock(root, async () => {
		if (!isInstalled()) install();
		if (isBuilt()) return [];
		say("the build is missing or older than the sources: building");
		return build();
	});
}

function checkNodeVersion() {
	const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
	const [oldestMajor = 0, oldestMinor = 0] = oldestNode;
	if (major > oldestMajor || (major === oldestMajor && minor >= oldestMinor)) return;
	throw new Error(
		`Pylog needs Node ${oldestNode.join(".")} or newer, and this is ${process.version}: install a newer one.`,
	);
}

/** Whether node_modules holds what package-lock.json names; npm keeps a list of what it installed there. */
function isInstalled() {
	const wanted = readPackages("package-lock.json");
	const present = readPackages("node_modules/.package-lock.json");
	if (wanted === undefined || present === undefined) return false;
	return Object.entries(wanted).every(([path, { version, optional }]) => {
		if (path === "") return true;
		const installed = present[path];
		return installed === undefined ? optional === true : installed.version === version;
	});
}

/**
 * @param {string} lockFile
 * @returns {Record<string, { version: string; optional?: boolean }> | undefined}
 */
function readPackages(lockFile) {
	const path = join(root, lockFile);
	return existsSync(path) ? JSON.parse(readFileSync(path, "utf8")).packages : undefined;
}

function install() {
	say("dependencies are missing or not those of package-lock.json: running npm ci");
	const { status, error } = spawnSync("npm", ["ci", "--no-progress"], { cwd: root, stdio: ["ignore", 2, 2] });
	if (error) throw error;
	if (status !== 0) throw new Error("npm ci failed: its own message is above.");
}

/** @param {string} text */
function say(text) {
	process.stderr.write(`ready: ${text}\n`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
	try {
		const messages = await ready();
		if (messages.length > 0) throw new Error(`the sources do not compile:\n${messages.join("\n")}`);
	} catch (error) {
		say(error instanceof Error ? error.message : String(error));
		process.exitCode = 1;
	}
}

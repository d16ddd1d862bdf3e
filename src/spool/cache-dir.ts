/** Where the queue is when nobody says so. */

import { homedir, userInfo } from "node:os";
import { join, resolve } from "node:path";
import { environmentVariable } from "../shared/environment.ts";
import { PylogError } from "../shared/errors.ts";
import { shownValue } from "../shared/option-problems.ts";

/**
 * The absolute path of the cache directory: what is given, else `PYLOG_CACHE_DIR`, else `pylog` in the user's XDG state
 * directory, so that every process of a user shares one queue.
 *
 * @throws PylogError PYLOG_OPTION_INVALID for an empty path, one with NUL, and what is no text.
 */
export function resolveCacheDir(given?: string): string {
	const source = given === undefined ? "environment variable PYLOG_CACHE_DIR" : 'option "cacheDir"';
	const path: unknown = given ?? environmentVariable("PYLOG_CACHE_DIR");
	if (path === undefined) return join(stateDirectory(), "pylog");
	if (typeof path !== "string" || path === "" || path.includes("\0")) {
		throw new PylogError(
			"PYLOG_OPTION_INVALID",
			`${source} got ${shownValue(path)}; it takes the path of a directory.`,
		);
	}
	return resolve(path);
}

/** The XDG base directory specification: a relative path in the variable is to be ignored. */
function stateDirectory(): string {
	const directory = process.env["XDG_STATE_HOME"];
	return directory?.startsWith("/") ? directory : join(homedir() || userInfo().homedir, ".local", "state");
}

/**
 * Whether somebody is compressing a rotated file just now. He reads it to its end, and removes it when he is done: what
 * was written to it in the meantime may be gone with it, and nobody knows before.
 *
 * Whoever compresses makes the new file before he reads: where there is none yet, he will read all that is there by now.
 */

import { readdir, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { StalledError } from "./slow-calls.ts";

/** Whether bytes are in a file can't be known before it is compressed. */
export class UnsettledError extends StalledError {
	override readonly name = "UnsettledError";

	constructor(path: string) {
		super(`${path} is being compressed`, true);
	}
}

/** A file that has not grown for so long is nobody's work: he has died, or keeps what he compresses. */
const quietMs = 10_000;

/** Whether the file at `path` is. */
export async function isBeingPacked(path: string): Promise<boolean> {
	const folder = dirname(path);
	const stem = `${basename(path)}.`;
	for (const name of await readdir(folder)) {
		// "app.log.1.gz" for "app.log.1"; "app.log.1.2" may be anything.
		if (!name.startsWith(stem) || /^\d+$/.test(name.slice(stem.length))) continue;
		const stats = await stat(join(folder, name)).catch(() => undefined);
		if (stats?.isFile() === true && Math.abs(Date.now() - stats.ctimeMs) < quietMs) return true;
	}
	return false;
}

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

/** What compressed files are called, also while they are made. */
const packedName = /^(?:gz|Z|bz2|xz|lzma|lz|lz4|lzo|zst|br|zip|7z)(?:\..*)?$/;

/** Whether the file at `path` is. */
export async function isBeingPacked(path: string): Promise<boolean> {
	const folder = dirname(path);
	const stem = `${basename(path)}.`;
	for (const name of await readdir(folder).catch(() => [])) {
		if (!name.startsWith(stem) || !packedName.test(name.slice(stem.length))) continue;
		const stats = await stat(join(folder, name)).catch(() => undefined);
		if (stats?.isFile() === true && Math.abs(Date.now() - stats.ctimeMs) < quietMs) return true;
	}
	return false;
}

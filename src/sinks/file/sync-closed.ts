/** Brings a file to the disk that is not open for writing. */

import { constants } from "node:fs";
import { syncDataSoon } from "../../platform/durable-file.ts";
import { closeSoon, fstatSoon } from "../../platform/file-calls.ts";
import { systemCode } from "../../shared/errors.ts";
import type { FileIdentity } from "./output-file.ts";
import type { OutputPaths } from "./output-paths.ts";

/**
 * @param wanted Which file it must be; whatever it is, where its inode is 0.
 * @returns `false` where no file, or another one, is at `path`.
 * @throws what the file system says; PYLOG_OUTPUT_REFUSED
 */
export async function syncClosed(path: string, wanted: FileIdentity, paths: OutputPaths): Promise<boolean> {
	let fd: number;
	try {
		fd = await paths.open(path, constants.O_RDONLY);
	} catch (error) {
		if (systemCode(error) === "ENOENT") return false;
		throw error;
	}
	try {
		const stats = await fstatSoon(fd);
		if (wanted.inode !== 0 && (stats.ino !== wanted.inode || stats.dev !== wanted.device)) return false;
		if (stats.isFile()) await syncDataSoon("output.sync-closed", fd);
		return true;
	} finally {
		await closeSoon(fd);
	}
}

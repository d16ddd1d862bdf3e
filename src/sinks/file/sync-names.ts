/** Brings the names of the files in a folder to the disk. */

import { syncFolderSoon } from "../../platform/durable-file.ts";
import { systemCode } from "../../shared/errors.ts";

/** Errors that count as a failure; others say that the folder can't be synced at all: no right, no such thing. */
const passingErrors: ReadonlySet<string | undefined> = new Set(["EIO", "ENOSPC", "EDQUOT", "EMFILE", "ENFILE"]);

/** @throws the file system's error, where trying again makes sense */
export async function syncNames(folder: string): Promise<void> {
	try {
		await syncFolderSoon("output.sync-folder", folder);
	} catch (error) {
		if (passingErrors.has(systemCode(error))) throw error;
	}
}

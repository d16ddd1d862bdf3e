/**
 * Folders out of which files are removed once what was in them is elsewhere. A power failure may undo a removal that was
 * not synced; so it is synced before a state is that takes what was in the file for done.
 */

import { statSync } from "node:fs";
import { syncFolder } from "../platform/durable-file.ts";

/** Times of change are as coarse as the kernel's clock: a change so soon after a look may have the same. */
const clockStepMs = 20;

export class Removals {
	/** When each folder had changed last, as far as that is on the disk. */
	readonly #syncedMs: Map<string, number>;

	constructor(folders: readonly string[]) {
		this.#syncedMs = new Map(folders.map((folder) => [folder, Number.NEGATIVE_INFINITY]));
	}

	/** Syncs the folders that have changed since the last time. One that is not there has nothing to sync. Blocks. */
	sync(): void {
		for (const [folder, syncedMs] of this.#syncedMs) {
			const nowMs = Date.now();
			const changedMs = statSync(folder, { throwIfNoEntry: false })?.ctimeMs;
			if (changedMs === undefined || changedMs === syncedMs) continue;
			syncFolder("inbox.sync-removals", folder);
			this.#syncedMs.set(folder, nowMs - changedMs > clockStepMs ? changedMs : Number.NEGATIVE_INFINITY);
		}
	}
}

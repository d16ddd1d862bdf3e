/**
 * Leaves a moment to whoever moves a file away and makes a new one at its path. logrotate's `create` does so, and where it
 * finds one that somebody made faster, it moves that away too, to a name that nobody looks for (`app.log-2026112213.backup`).
 */

import { stat } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { systemCode } from "../../shared/errors.ts";

const limitMs = 100;
const stepMs = 2;
/** Others wait meanwhile, so this is how much of the time it may take: a folder with a thousand files may be removed. */
const share = 1 / 4;
const maxKnownPaths = 1000;

export class MadeAgain {
	/** Paths at which nobody makes a file but this process; the oldest first. */
	readonly #leftToUs = new Set<string>();
	#nextMs = 0;

	/** Resolves when something is at `path`, or has been waited for. */
	async wait(path: string): Promise<void> {
		const sinceMs = performance.now();
		if (this.#leftToUs.has(path) || sinceMs < this.#nextMs) return;
		let isStillMissing = await isMissing(path);
		while (isStillMissing && performance.now() - sinceMs < limitMs) {
			await sleep(stepMs);
			isStillMissing = await isMissing(path);
		}
		const nowMs = performance.now();
		this.#nextMs = nowMs + (nowMs - sinceMs) * (1 / share - 1);
		if (isStillMissing) this.#noteLeftToUs(path);
	}

	#noteLeftToUs(path: string): void {
		for (const known of this.#leftToUs) {
			if (this.#leftToUs.size < maxKnownPaths) break;
			this.#leftToUs.delete(known);
		}
		this.#leftToUs.add(path);
	}
}

async function isMissing(path: string): Promise<boolean> {
	try {
		await stat(path);
		return false;
	} catch (error) {
		return systemCode(error) === "ENOENT";
	}
}

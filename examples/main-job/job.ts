/** Where everything of one run is, and who logs in it. */

import { join } from "node:path";

export interface Job {
	/** The one file that all processes log to. */
	readonly logFile: string;
	/** Pylog's queue. Every process that logs names the same one. */
	readonly cacheDir: string;
	/** One file per thread: what it was told is logged. */
	readonly ledgers: string;
}

export function jobIn(directory: string): Job {
	return {
		logFile: join(directory, "app.log"),
		cacheDir: join(directory, "cache"),
		ledgers: join(directory, "ledgers"),
	};
}

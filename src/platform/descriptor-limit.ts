/** How many files this process may have open. */

import { readFileSync } from "node:fs";

/** What every system allows. */
const least = 256;

/** The limit as the kernel tells it; 256 where it does not. */
export function descriptorLimit(): number {
	try {
		const limit = /^Max open files\s+(\d+)/m.exec(readFileSync("/proc/self/limits", "utf8"))?.[1];
		return limit === undefined ? least : Math.max(least, Number(limit));
	} catch {
		return least;
	}
}

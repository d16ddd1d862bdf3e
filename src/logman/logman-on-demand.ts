/** The logman for applications: its code is loaded when it is called, so that those that only log pay nothing for it. */

import type { LogmanOptions } from "./logman-options.ts";

/**
 * Runs the logman of a cache directory in this process until it is told to leave or, with `idleExitMs`, has nothing to
 * do. Resolves when it has drained the queue and left.
 *
 * @throws PylogError as `logman()` in `logman.ts`
 */
export async function logman(options: LogmanOptions = {}): Promise<void> {
	const loaded = await import("./logman.ts");
	await loaded.logman(options);
}

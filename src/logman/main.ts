/**
 * Entry of a logman process. Its only argument is a `LogmanProcessOptions` as JSON.
 *
 * SIGTERM and SIGINT make it drain and leave; a second one makes it leave at once, and nothing is lost either way.
 */

import { FileLock } from "../platform/file-lock.ts";
import { type LogmanProcessOptions, startingLockFd } from "../launch/spawn-logman.ts";
import { PylogError } from "../shared/errors.ts";
import { logman } from "./logman.ts";
import { stopSignals } from "./stop-signals.ts";

const options = JSON.parse(process.argv[2] ?? "{}") as LogmanProcessOptions;
const starting = FileLock.inherited(startingLockFd);
process.title = `pylog logman ${options.cacheDir}`;

try {
	await logman({
		...options,
		signal: stopSignals(),
		onReady: () => starting.release(),
		// All is done but what a file that does not answer may still do: ending the process ends that as well.
		onStuck: () => process.exit(0),
	});
} catch (error) {
	// Another one was faster: that is what was wanted.
	if (!(error instanceof PylogError && error.code === "PYLOG_LEASE_HELD")) {
		process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
		process.exitCode = 1;
	}
}

/** A directory that is gone when the test that asked for it has finished, whatever became of the test. */
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";

export function temporaryDirectory(parent: string = tmpdir()): string {
	const directory = mkdtempSync(join(parent, "pylog-test-"));
	onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
	return directory;
}

/** The same in memory, where there is such a disk: for thousands of small changes and syncs that no test looks at. */
export function directoryInMemory(): string {
	return temporaryDirectory(existsSync("/dev/shm") ? "/dev/shm" : undefined);
}

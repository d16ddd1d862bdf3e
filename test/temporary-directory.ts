/** A directory that is gone when the test that asked for it has finished, whatever became of the test. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";

export function temporaryDirectory(): string {
	const directory = mkdtempSync(join(tmpdir(), "pylog-test-"));
	onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
	return directory;
}

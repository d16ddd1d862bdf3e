/** Lines whose file is refused, and that quarantine can't keep. */
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { spoolPaths } from "../../src/spool/paths.ts";
import { LineWriter } from "../line-writer.ts";
import { cacheDirectory, linesOf, runLogman, until } from "../running-logman.ts";
import { temporaryDirectory } from "../temporary-directory.ts";

// The error log said that they were in quarantine.
test("refused lines that can't be kept are told as lost, once for an output, with a count", async () => {
	const cacheDir = cacheDirectory();
	const { quarantine, errorLog } = spoolPaths(cacheDir);
	const root = temporaryDirectory();
	const outside = join(temporaryDirectory(), "app.log");
	const running = await runLogman(cacheDir, { roots: [root] });
	using writer = new LineWriter(cacheDir);
	rmSync(quarantine, { recursive: true, force: true });
	writeFileSync(quarantine, "a file in the way");
	for (let index = 0; index < 3; index++) {
		writer.write(outside, `refused ${index}`);
		writer.write(join(root, "app.log"), `taken ${index}`);
		await until(() => linesOf(join(root, "app.log")).length === index + 1);
	}
	await running.stop();
	const reports = readFileSync(errorLog, "utf8").split("\n= report ").slice(1);
	expect(reports).toHaveLength(1);
	expect(reports[0]).toContain("= count 000000000003 ");
	expect(reports[0]).toContain("they are lost");
	expect(reports[0]).toContain(`output: ${outside}`);
	expect(reports[0]).toContain("refused 0");
});

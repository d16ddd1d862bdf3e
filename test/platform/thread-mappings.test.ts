import { join } from "node:path";
import { expect, it } from "vitest";
import { startFixture } from "../fixture-process.ts";
import { cacheDirectory } from "../running-logman.ts";
import { temporaryDirectory } from "../temporary-directory.ts";

it("a worker thread that is terminated leaves no mapping and no open file of the spool in its process", async () => {
	const threads = startFixture(
		"terminated-threads",
		cacheDirectory(),
		join(temporaryDirectory(), "app.log"),
		"25",
		"log",
	);
	expect(JSON.parse(await threads.line())).toEqual({ mappings: 0, files: 0 });
	await threads.ended();
	expect(threads.process.exitCode).toBe(0);
});

it("a worker thread that is terminated in the middle of mapping a file does not end the process", async () => {
	const file = join(temporaryDirectory(), "mapped");
	const threads = startFixture("terminated-threads", temporaryDirectory(), file, "30", "map");
	expect(JSON.parse(await threads.line())).toEqual({ mappings: 0, files: 0 });
	await threads.ended();
	expect(threads.process.exitCode).toBe(0);
});

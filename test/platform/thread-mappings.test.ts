import { join } from "node:path";
import { expect, it } from "vitest";
import { startFixture } from "../fixture-process.ts";
import { cacheDirectory } from "../running-logman.ts";
import { temporaryDirectory } from "../temporary-directory.ts";

it("a worker thread that is terminated leaves no mapping and no open file of the spool in its process", async () => {
	const threads = startFixture("terminated-threads", cacheDirectory(), join(temporaryDirectory(), "app.log"), "25");
	expect(JSON.parse(await threads.line())).toEqual({ mappings: 0, files: 0 });
	await threads.ended();
	expect(threads.process.exitCode).toBe(0);
});

import { join } from "node:path";
import { expect, it } from "vitest";
import { startFixture } from "../fixture-process.ts";
import { cacheDirectory } from "../running-logman.ts";
import { temporaryDirectory } from "../temporary-directory.ts";

it.each([
	["terminated-threads", "25"],
	["late-threads", "25"],
	["late-threads", "1"],
])(
	"a worker thread that is terminated leaves no mapping and no open file of the spool in its process: %s, %s",
	async (fixture, count) => {
		const threads = startFixture(fixture, cacheDirectory(), join(temporaryDirectory(), "app.log"), count, "log");
		expect(JSON.parse(await threads.line())).toEqual({ mappings: 0, files: 0 });
		await threads.ended();
		expect(threads.process.exitCode).toBe(0);
	},
);

it("a worker thread that is terminated in the middle of mapping a file does not end the process", async () => {
	const file = join(temporaryDirectory(), "mapped");
	const threads = startFixture("terminated-threads", temporaryDirectory(), file, "30", "map");
	expect(JSON.parse(await threads.line())).toEqual({ mappings: 0, files: 0 });
	await threads.ended();
	expect(threads.process.exitCode).toBe(0);
});

/** Globals that an application, or its tests, replaces or takes away. */
import { join } from "node:path";
import { expect, it } from "vitest";
import { pylog } from "../../src/index.ts";
import { cacheDirectory, drain, linesOf } from "../running-logman.ts";

it("logs on through changes of segments while there is no performance", async () => {
	const cacheDir = cacheDirectory();
	const filename = join(cacheDir, "app.log");
	const logger = pylog({ cacheDir, filename, logman: "external", logform: "", callSite: false });
	const lines = Array.from({ length: 3000 }, (_, index) => `line ${index} ${"x".repeat(40)}`);
	const { performance } = globalThis;
	Object.defineProperty(globalThis, "performance", { value: undefined, configurable: true, writable: true });
	try {
		for (const line of lines) logger.info(line);
	} finally {
		Object.defineProperty(globalThis, "performance", { value: performance, configurable: true, writable: true });
	}
	logger.info("afterwards");
	await drain(cacheDir);
	expect(linesOf(filename)).toEqual([...lines, "afterwards"]);
});

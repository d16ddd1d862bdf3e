/** A call inside of another: reading fields runs code of the application, and that may log. */
import { join } from "node:path";
import { expect, it } from "vitest";
import { pylog } from "../../src/index.ts";
import { cacheDirectory, drain, linesOf } from "../running-logman.ts";

it("a getter and a toJSON that log cost neither their own line nor that of the call", async () => {
	const cacheDir = cacheDirectory();
	const filename = join(cacheDir, "app.log");
	const logger = pylog({ cacheDir, filename, logman: "external", logform: "", callSite: false });
	const converted = {
		toJSON(): string {
			logger.info("in toJSON", { n: 1 });
			return "deep";
		},
	};
	const fields = {
		first: "before",
		get second(): string {
			logger.info("in a getter", { deep: converted });
			return "middle";
		},
		third: "x".repeat(20_000),
	};
	logger.info("outer", fields);
	logger.error("after", new Error("e"), { n: 2 });
	await drain(cacheDir);
	const lines = linesOf(filename);
	expect(lines.slice(0, 3)).toEqual([
		'in toJSON {"n":1}',
		'in a getter {"deep":"deep"}',
		`outer {"first":"before","second":"middle","third":"${"x".repeat(20_000)}"}`,
	]);
	expect(lines[3]).toBe('after {"n":2}');
});

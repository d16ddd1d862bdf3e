/** The four steps. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { until } from "../running-logman.ts";
import { startExample } from "./example-process.ts";

test("the seed's four steps end with all lines in the file, the debug line first", async () => {
	const example = startExample("seed");
	expect([await example.ended, example.errors()]).toEqual([0, ""]);

	const file = join(example.directory(), "my_log.log");
	const text = readFileSync(file, "utf8");
	const lines = text.split("\n").filter((line) => /^[A-Z]/.test(line));
	const time = String.raw`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d`;
	const site = String.raw`dist-examples/seed/main\.js:\d+`;
	const expected = [
		["DEBUG", "This is a debug message."],
		["INFO", "This is an informational message."],
		["WARNING", "This is a warning message."],
		["ERROR", "This is an error message."],
		["ERROR", "An error occurred."],
	];
	expect(lines).toEqual(
		expected.map(([level, message]) =>
			expect.stringMatching(new RegExp(`^${level} - ${time} - ${site} \\| ${message}$`)),
		),
	);
	expect(text).toMatch(/An error occurred\.\n {4}SyntaxError: .*JSON.*\n {8}at JSON\.parse .*\n {8}at .*main\.js/);
	expect(example.output()).toContain(`${file}\n\n${text}`);
	await until(() => example.processes().length === 0);
});

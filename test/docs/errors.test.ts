import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { errorCodes } from "../../src/shared/errors.ts";

const root = new URL("../../", import.meta.url).pathname;
const rows = readFileSync(join(root, "docs/errors.md"), "utf8").matchAll(/^\| `(PYLOG_\w+)` \| (yes|no) \|/gm);
const documented = new Map(Array.from(rows, ([, code = "", retryable = ""]) => [code, retryable]));

test("every error code is in the document, and no other", () => {
	expect([...documented.keys()].sort()).toEqual(Object.keys(errorCodes).sort());
});

test("the document says of each code whether it is retryable, as the code does", () => {
	for (const [code, isRetryable] of Object.entries(errorCodes)) {
		expect([code, documented.get(code)]).toEqual([code, isRetryable ? "yes" : "no"]);
	}
});

test("every error code is raised somewhere", () => {
	const sources = readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" })
		.filter((path) => path.endsWith(".ts") && !path.endsWith("shared/errors.ts"))
		.map((path) => readFileSync(join(root, "src", path), "utf8"))
		.join("\n");
	for (const code of Object.keys(errorCodes)) expect([code, sources.includes(`"${code}"`)]).toEqual([code, true]);
});

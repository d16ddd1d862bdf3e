/** A process goes on logging when another version of the package, or none, has come into the place of the one it loaded. */
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { ControlFile } from "../../src/spool/control-file.ts";
import { cacheDirectory } from "../running-logman.ts";
import { temporaryDirectory } from "../temporary-directory.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** Logs, loses its package and its spool, and logs again. */
const application = `
import { rmSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
const [folder, cacheDir, filename] = process.argv.slice(1);
const { pylog } = await import(folder + "/dist/index.js");
const logger = pylog({ cacheDir, filename, logman: "external", callSite: false });
logger.info("before");
await sleep(1500);
rmSync(folder + "/dist", { recursive: true });
rmSync(cacheDir, { recursive: true });
for (const text of ["meanwhile", "after"]) {
	logger.error(new Error(text));
	await logger.flush().catch(({ code }) => console.log(code));
}
`;

test("a logger whose package is gone makes its spool again when that is removed", () => {
	const folder = temporaryDirectory();
	cpSync(join(root, "dist"), join(folder, "dist"), { recursive: true });
	cpSync(join(root, "package.json"), join(folder, "package.json"));
	symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
	const cacheDir = cacheDirectory();
	// It is there already when the application starts: what makes one is not loaded then.
	ControlFile.open(cacheDir).close();
	const { status, stdout, stderr } = spawnSync(
		process.execPath,
		["--no-warnings", "--input-type=module", "--eval", application, "--", folder, cacheDir, join(folder, "app.log")],
		{ encoding: "utf8" },
	);
	expect(stderr).toBe("");
	expect(status).toBe(0);
	expect(stdout).toBe("PYLOG_SPOOL_GONE\nPYLOG_NO_LOGMAN\n");
	expect(existsSync(join(cacheDir, "control"))).toBe(true);
	expect(readFileSync(join(cacheDir, "producers", "1", "normal-0.seg"), "latin1")).toContain("after");
});

/** Every durable step of the code has a name, and a process may die at each. */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { runFaults } from "./run-faults.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

test("the list of crash points is what the code says, and no name stands at two places", () => {
	const { status, stderr } = spawnSync(process.execPath, ["scripts/crash-points.mjs", "--check"], {
		cwd: root,
		encoding: "utf8",
	});
	expect(stderr).toBe("");
	expect(status).toBe(0);
});

test("a process may die at every step of the code: nothing is lost, repeated, disordered or left behind", async () => {
	const { line, failures } = await runFaults("points", { short: { short: "1" }, long: {} });
	expect(failures).toEqual([]);
	console.info(line);
}, 3_600_000);

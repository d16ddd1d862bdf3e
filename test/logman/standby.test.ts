/** A logman that waits for its turn has all its code: the package may be replaced before that comes. */
import { spawn } from "node:child_process";
import { cpSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import { cacheDirectory, runLogman } from "../running-logman.ts";
import { temporaryDirectory } from "../temporary-directory.ts";

const root = join(import.meta.dirname, "../..");
const program = `import { logman } from "./dist/index.js";
const stop = new AbortController();
process.on("SIGTERM", () => stop.abort());
console.log("waits");
await logman({ cacheDir: process.argv[2], wait: true, signal: stop.signal, onReady: () => console.log("took over") });`;

test("takes over with the code it was started with", async () => {
	const cacheDir = cacheDirectory();
	const folder = temporaryDirectory();
	cpSync(join(root, "dist"), join(folder, "dist"), { recursive: true });
	cpSync(join(root, "package.json"), join(folder, "package.json"));
	symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
	writeFileSync(join(folder, "standby.mjs"), program);
	const running = await runLogman(cacheDir);
	const standby = spawn(process.execPath, [join(folder, "standby.mjs"), cacheDir]);
	onTestFinished(() => void standby.kill("SIGKILL"));
	let said = "";
	for (const stream of [standby.stdout, standby.stderr]) stream.on("data", (text: Buffer) => (said += String(text)));
	await expect.poll(() => said, { timeout: 10_000 }).toBe("waits\n");
	await sleep(500);
	rmSync(join(folder, "dist"), { recursive: true });
	await running.stop();
	await expect.poll(() => said, { timeout: 10_000 }).toBe("waits\ntook over\n");
	const ended = new Promise((resolve) => standby.once("exit", resolve));
	standby.kill("SIGTERM");
	expect(await ended).toBe(0);
});

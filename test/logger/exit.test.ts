/** Scripts with ten lines and a logman that they start by themselves: what is in the file when they have ended. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { beforeEach, expect, onTestFinished, test } from "vitest";
import { fixturePath } from "../fixture-process.ts";
import { cacheDirectory, drain, linesOf, until, untilLogman } from "../running-logman.ts";
import { temporaryDirectory } from "../temporary-directory.ts";

let cacheDir: string;
let path: string;
const tenLines = Array.from({ length: 10 }, (_, index) => `INFO | line ${index + 1}`);

beforeEach(() => {
	cacheDir = cacheDirectory();
	path = join(temporaryDirectory(), "app.log");
});

/** Runs a script to its end. Returns its exit code or signal. */
async function run(ending: string): Promise<number | string> {
	const child = spawn(process.execPath, [fixturePath("logman-ten-lines"), cacheDir, path, ending], { stdio: "ignore" });
	onTestFinished(() => void child.kill("SIGKILL"));
	const [code, signal] = (await once(child, "exit")) as [number | null, string | null];
	return code ?? (signal as string);
}

test.each([
	["that ends by itself", "return", 0],
	["that calls process.exit", "exit", 3],
	["that dies of an error", "throw", 1],
	["that dies of a rejection", "reject", 1],
	["whose thread logs and ends", "thread", 0],
])("a script %s finds its lines in the file right after its end", async (_, ending, code) => {
	expect(await run(ending)).toBe(code);
	expect(linesOf(path)).toEqual(tenLines);
});

test("of a script that is killed right after the call the lines are there as soon as a logman is", async () => {
	expect(await run("kill")).toBe("SIGKILL");
	await untilLogman(cacheDir);
	await until(() => linesOf(path).length === 10);
	expect(linesOf(path)).toEqual(tenLines);
});

test("SIGTERM ends a script as if it did not log, and the lines are there soon", async () => {
	expect(await run("terminate")).toBe("SIGTERM");
	await until(() => linesOf(path).length === 10);
});

test("many scripts at once end up with one logman, and every line is there when the last has ended", async () => {
	expect(await Promise.all(Array.from({ length: 8 }, () => run("return")))).toEqual(Array.from({ length: 8 }, () => 0));
	await until(() => linesOf(path).length >= 80);
	expect(linesOf(path).toSorted()).toEqual(
		tenLines.flatMap((line) => Array.from({ length: 8 }, () => line)).toSorted(),
	);
});

test("scripts one after the other use the same logman", async () => {
	await run("return");
	const pid = await untilLogman(cacheDir);
	await run("return");
	expect(await untilLogman(cacheDir)).toBe(pid);
	expect(linesOf(path)).toEqual([...tenLines, ...tenLines]);
});

test("a script that ends while its logman is stopped waits a second, not longer, and loses nothing", async () => {
	await run("return");
	const pid = await untilLogman(cacheDir);
	process.kill(pid, "SIGSTOP");
	const startMs = performance.now();
	await run("return");
	expect(performance.now() - startMs).toBeGreaterThan(900);
	// Its start takes its time on a busy machine; without a limit it would wait for ever.
	expect(performance.now() - startMs).toBeLessThan(30_000);
	process.kill(pid, "SIGKILL");
	await until(() => linesOf(path).length === 10);
	await drain(cacheDir);
	expect(linesOf(path)).toEqual([...tenLines, ...tenLines]);
});

// It looked for a logman once, and saw the one that was leaving.
test("a script whose logman dies while it waits at its end gets another one", async () => {
	await run("return");
	const pid = await untilLogman(cacheDir);
	process.kill(pid, "SIGSTOP");
	const ended = run("return");
	setTimeout(() => process.kill(pid, "SIGKILL"), 500);
	await ended;
	expect(await untilLogman(cacheDir)).not.toBe(pid);
	await until(() => linesOf(path).length === 20);
});

import { mkdirSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { beforeEach, expect, test } from "vitest";
import { logman } from "../../src/logman/logman.ts";
import { type FixtureProcess, startFixture } from "../fixture-process.ts";
import { LineWriter } from "../line-writer.ts";
import { cacheDirectory, drain, linesOf, logmanPid, runLogman, until, untilLogman } from "../running-logman.ts";
import { temporaryDirectory } from "../temporary-directory.ts";

let cacheDir: string;
let path: string;

beforeEach(() => {
	cacheDir = cacheDirectory();
	path = join(temporaryDirectory(), "app.log");
});

interface ToldLogger {
	/** Tells it something and returns its answer. */
	ask(command: string): Promise<string>;
	readonly fixture: FixtureProcess;
}

async function startLogger(options: object = {}): Promise<ToldLogger> {
	const defaults = { cacheDir, filename: path, logform: "", logman: "external" };
	const fixture = startFixture("logman-logger", JSON.stringify({ ...defaults, ...options }));
	expect(await fixture.line()).toBe("ready");
	return {
		fixture,
		ask: (command) => {
			fixture.tell(command);
			return fixture.line();
		},
	};
}

test("a flush resolves when the lines are in their file, however many", async () => {
	const running = await runLogman(cacheDir);
	const { ask } = await startLogger();
	let logged = 0;
	for (const count of [1, 1, 100, 20_000, 1]) {
		await ask(`log ${count} line`);
		logged += count;
		expect(await ask("flush")).toBe("flushed");
		expect(linesOf(path)).toHaveLength(logged);
	}
	expect(await ask("flush")).toBe("flushed");
	await running.stop();
});

test.each(["interval", "batch", "never"] as const)(
	"a flush does not wait for the next sync (sync: %s)",
	async (sync) => {
		const running = await runLogman(cacheDir, { sync, syncIntervalMs: 3_600_000 });
		const { ask } = await startLogger();
		await ask("log 10 line");
		const startMs = performance.now();
		expect(await ask("flush")).toBe("flushed");
		expect(performance.now() - startMs).toBeLessThan(2000);
		await running.stop();
	},
);

test("a flush wakes a logman that sleeps", async () => {
	const running = await runLogman(cacheDir);
	const { ask } = await startLogger();
	await ask("log 1 line");
	await sleep(200);
	const startMs = performance.now();
	expect(await ask("flush")).toBe("flushed");
	expect(performance.now() - startMs).toBeLessThan(500);
	await running.stop();
});

test("without a logman, one that the user has to start is asked for, and the lines wait", async () => {
	const { ask } = await startLogger();
	await ask("log 3 line");
	expect(await ask("flush")).toBe("PYLOG_NO_LOGMAN");
	expect(await ask("close")).toBe("closed");
	await drain(cacheDir);
	expect(linesOf(path)).toEqual(["line 1", "line 2", "line 3"]);
});

test("a flush of nothing needs no logman", async () => {
	const { ask } = await startLogger();
	expect(await ask("flush")).toBe("flushed");
});

test("a flush whose logman leaves meanwhile is told so; one that is started again does the rest", async () => {
	const running = await runLogman(cacheDir);
	const { ask } = await startLogger();
	await ask("log 1 line");
	await ask("flush");
	await running.stop();
	await ask("log 1 line");
	expect(await ask("flush")).toBe("PYLOG_NO_LOGMAN");
	const next = await runLogman(cacheDir);
	expect(await ask("flush")).toBe("flushed");
	expect(linesOf(path)).toEqual(["line 1", "line 2"]);
	await next.stop();
});

test("a file that can't be written is told of, and others are not held up by it", async () => {
	mkdirSync(path);
	const running = await runLogman(cacheDir);
	const { ask } = await startLogger();
	await ask("log 3 line");
	expect(await ask("flush")).toBe("PYLOG_OUTPUT_PARKED");
	const other = await startLogger({ filename: `${path}.other` });
	await other.ask("log 1 other");
	expect(await other.ask("flush")).toBe("flushed");
	expect(await ask("close")).toBe("closed");
	rmdirSync(path);
	await until(() => linesOf(path).length === 3);
	await running.stop();
});

// Each sync tried to open the file that had gone bad, failed, and told nobody that his lines were on the disk.
test("a file that can't be opened any more after it was written holds up no flush of others", async () => {
	const folder = join(path, "..", "folder");
	using writer = new LineWriter(cacheDir);
	writer.write(join(folder, "app.log"), "a line");
	await logman({ cacheDir, sync: "never", signal: AbortSignal.abort() });
	expect(linesOf(join(folder, "app.log"))).toEqual(["a line"]);
	rmSync(folder, { recursive: true });
	writeFileSync(folder, "");
	// The next logman finds in the checkpoint which files are not known to be on disk.
	const running = await runLogman(cacheDir);
	const { ask } = await startLogger();
	await ask("log 1 line");
	expect(await ask("flush")).toBe("flushed");
	await running.stop();
});

test("a logger that starts its logman by itself can be flushed at once, and again after the logman was killed", async () => {
	const { ask } = await startLogger({ logman: "auto" });
	await ask("log 5 line");
	expect(await ask("flush")).toBe("flushed");
	expect(linesOf(path)).toHaveLength(5);
	const first = await untilLogman(cacheDir);
	process.kill(first, "SIGKILL");
	await ask("log 5 line");
	expect(await ask("flush")).toBe("flushed");
	expect(linesOf(path)).toEqual(Array.from({ length: 10 }, (_, index) => `line ${index + 1}`));
	expect(await untilLogman(cacheDir)).not.toBe(first);
});

test("a logger that nobody flushes starts a new logman by itself when its own was killed", async () => {
	const { ask } = await startLogger({ logman: "auto" });
	await ask("log 1 line");
	await until(() => linesOf(path).length === 1);
	const first = await untilLogman(cacheDir);
	process.kill(first, "SIGKILL");
	await until(() => logmanPid(cacheDir) === undefined);
	await ask("log 1 line");
	await until(() => linesOf(path).length === 2);
	expect(await untilLogman(cacheDir, first)).not.toBe(first);
});

// Whoever had tried to start one was told that one was there, again and again.
test("a flush ends when no logman can be started, and so does closing", async () => {
	const { ask } = await startLogger({ logman: "auto" });
	const first = await untilLogman(cacheDir);
	await ask("node /nowhere/node");
	process.kill(first, "SIGKILL");
	await until(() => logmanPid(cacheDir) === undefined);
	await ask("log 1 line");
	const startMs = performance.now();
	expect(await ask("flush")).toBe("PYLOG_NO_LOGMAN");
	expect(performance.now() - startMs).toBeLessThan(15_000);
	await drain(cacheDir);
	expect(linesOf(path)).toEqual(["line 1"]);
});

// Each look, ten and more in a second, started one.
test("a logman that never comes up is started less and less often", async () => {
	const starts = `${path}.starts`;
	const failing = `${path}.node`;
	writeFileSync(failing, `#!/bin/sh\necho start >> '${starts}'\nexit 1\n`, { mode: 0o755 });
	const { ask } = await startLogger({ logman: "auto" });
	const first = await untilLogman(cacheDir);
	await ask(`node ${failing}`);
	process.kill(first, "SIGKILL");
	await until(() => logmanPid(cacheDir) === undefined);
	await ask("log 1 line");
	await sleep(2500);
	expect(linesOf(starts).length).toBeGreaterThan(1);
	expect(linesOf(starts).length).toBeLessThan(7);
	await ask(`node ${process.execPath}`);
	expect(await ask("flush")).toBe("flushed");
});

// The look for a logman threw in a timer, and that was the end of the application.
test("an application without a free descriptor goes on logging", async () => {
	const { ask, fixture } = await startLogger({ logman: "auto" });
	await ask("log 1 line");
	await ask("flush");
	expect(await ask("take-descriptors")).toBe("taken");
	process.kill(await untilLogman(cacheDir), "SIGKILL");
	await until(() => logmanPid(cacheDir) === undefined);
	expect(await ask("log 5 line")).toBe("logged");
	await sleep(600);
	expect(fixture.process.exitCode).toBeNull();
	expect(await ask("free-descriptors")).toBe("freed");
	expect(await ask("flush")).toBe("flushed");
	expect(linesOf(path)).toHaveLength(6);
});

test("closing waits for the lines, may be done twice, and what is logged later is not lost", async () => {
	const running = await runLogman(cacheDir);
	const { ask, fixture } = await startLogger();
	await ask("log 5 line");
	expect(await ask("close")).toBe("closed");
	expect(linesOf(path)).toHaveLength(5);
	expect(await ask("close")).toBe("closed");
	expect(await ask("log 1 line")).toBe("logged");
	await fixture.kill();
	await until(() => linesOf(path).length === 6);
	await running.stop();
});

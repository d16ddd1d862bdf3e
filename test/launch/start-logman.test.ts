import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { beforeEach, expect, test } from "vitest";
import { stopLogman } from "../../src/launch/start-logman.ts";
import { ControlFile } from "../../src/spool/control-file.ts";
import { isLeaseHeld } from "../../src/spool/lease.ts";
import { spoolPaths } from "../../src/spool/paths.ts";
import { type FixtureProcess, startFixture } from "../fixture-process.ts";
import { LineWriter } from "../line-writer.ts";
import { cacheDirectory, drain, linesOf, logmanPid, until, untilLogman } from "../running-logman.ts";
import { temporaryDirectory } from "../temporary-directory.ts";

let cacheDir: string;
let path: string;

beforeEach(() => {
	cacheDir = cacheDirectory();
	path = join(temporaryDirectory(), "app.log");
});

interface Said {
	readonly pid?: number;
	readonly code?: string;
	readonly message?: string;
}

async function start(options: object = {}): Promise<FixtureProcess & { said: Said }> {
	const starter = startFixture("logman-starter", cacheDir, JSON.stringify(options));
	return { ...starter, said: JSON.parse(await starter.line()) as Said };
}

function isRunning(pid: number): boolean {
	return existsSync(`/proc/${pid}`) && !readFileSync(`/proc/${pid}/stat`, "utf8").includes(") Z ");
}

test("a logman that was started holds the lease, outlives who started it, and drains when it is stopped", async () => {
	const starter = await start();
	const pid = starter.said.pid as number;
	expect(logmanPid(cacheDir)).toBe(pid);
	await starter.kill();
	await sleep(100);
	expect(isRunning(pid)).toBe(true);
	using writer = new LineWriter(cacheDir);
	for (let index = 0; index < 1000; index++) writer.write(path, `line ${index}`);
	await stopLogman(cacheDir);
	expect(linesOf(path)).toHaveLength(1000);
	expect(isLeaseHeld(spoolPaths(cacheDir).lease)).toBe(false);
	await until(() => !isRunning(pid));
});

test("stop resolves when the logman has left; another can be started at once", async () => {
	for (let round = 0; round < 3; round++) {
		const starter = await start();
		expect(starter.said).toEqual({ pid: logmanPid(cacheDir) });
		starter.tell("stop");
		expect(await starter.line()).toBe("stopped");
		expect(isLeaseHeld(spoolPaths(cacheDir).lease)).toBe(false);
	}
});

test("a second start is refused, and told who the first is", async () => {
	const { said } = await start();
	expect((await start()).said).toMatchObject({
		code: "PYLOG_LEASE_HELD",
		message: expect.stringContaining(`process ${said.pid}`),
	});
	expect(logmanPid(cacheDir)).toBe(said.pid);
});

test("of many who start one at once each gets it or is told who has it, and there is one process", async () => {
	const starters = await Promise.all(Array.from({ length: 6 }, () => start()));
	const started = starters.filter(({ said }) => said.pid !== undefined);
	expect(started).toHaveLength(1);
	const pid = started[0]?.said.pid as number;
	for (const { said } of starters.filter((starter) => starter !== started[0])) {
		expect(said).toMatchObject({ code: "PYLOG_LEASE_HELD", message: expect.stringContaining(`process ${pid}`) });
	}
	expect(logmanPid(cacheDir)).toBe(pid);
});

test("a logman with an idle time leaves by itself when there is nobody to serve, and not before", async () => {
	const { said } = await start({ idleExitMs: 300 });
	const pid = said.pid as number;
	const writer = new LineWriter(cacheDir);
	await sleep(1000);
	writer.write(path, "a line");
	await until(() => linesOf(path).length === 1);
	expect(isRunning(pid)).toBe(true);
	writer.close();
	await until(() => !isRunning(pid));
	expect(logmanPid(cacheDir)).toBeUndefined();
});

test("a logman that does not come up says why", async () => {
	ControlFile.open(cacheDir).close();
	const { checkpoint } = spoolPaths(cacheDir);
	rmSync(checkpoint, { force: true });
	mkdirSync(checkpoint);
	expect((await start()).said).toMatchObject({
		code: "PYLOG_LOGMAN_START_FAILED",
		message: expect.stringMatching(/did not come up.*checkpoint/s),
	});
	expect(logmanPid(cacheDir)).toBeUndefined();
});

test("SIGTERM makes a logman drain and leave", async () => {
	const logman = startFixture("logman-process", cacheDir);
	expect(await logman.line()).toBe("ready");
	using writer = new LineWriter(cacheDir);
	for (let index = 0; index < 50_000; index++) writer.write(path, `line ${index}`);
	process.kill(logman.pid, "SIGTERM");
	expect(await logman.line()).toBe("left");
	await logman.ended();
	expect(logman.process.exitCode).toBe(0);
	expect(linesOf(path)).toHaveLength(50_000);
});

test("a second signal ends it at once, and the next logman does the rest", async () => {
	const logman = startFixture("logman-process", cacheDir);
	expect(await logman.line()).toBe("ready");
	using writer = new LineWriter(cacheDir);
	const line = "a line ".repeat(20);
	for (let index = 0; index < 150_000; index++) writer.write(path, `${line}${index}`);
	const startMs = performance.now();
	process.kill(logman.pid, "SIGTERM");
	await until(() => linesOf(path).length > 0);
	process.kill(logman.pid, "SIGINT");
	await logman.ended();
	console.info(`ended ${Math.round(performance.now() - startMs)} ms after the first signal`);
	await drain(cacheDir);
	const lines = linesOf(path);
	expect(lines).toHaveLength(150_000);
	expect(lines.every((each, index) => each === `${line}${index}`)).toBe(true);
});

test("a logman that is asked to stop when it has just come, or is killed, keeps nobody waiting", async () => {
	const logman = startFixture("logman-process", cacheDir);
	await untilLogman(cacheDir);
	const stopped = stopLogman(cacheDir);
	expect(await logman.line()).toBe("ready");
	await stopped;
	const other = startFixture("logman-process", cacheDir);
	expect(await other.line()).toBe("ready");
	process.kill(other.pid, "SIGSTOP");
	const stop = stopLogman(cacheDir);
	await sleep(50);
	process.kill(other.pid, "SIGKILL");
	await stop;
});

test("nobody who waits for a stop waits for longer than he wants", async () => {
	const logman = startFixture("logman-process", cacheDir);
	expect(await logman.line()).toBe("ready");
	process.kill(logman.pid, "SIGSTOP");
	await stopLogman(cacheDir, AbortSignal.timeout(50));
	expect(logmanPid(cacheDir)).toBe(logman.pid);
});

test("a logman of its own process can be told how much may wait in parked/", async () => {
	const { said } = await start({ maxParkedBytes: 1_048_576 });
	expect(said.pid).toBe(logmanPid(cacheDir));
	const { said: refused } = await start({ maxParkedBytes: 10 });
	expect(refused.message).toContain('"maxParkedBytes" got 10; it takes a whole number of bytes, 1048576 or more');
});

test("a cache directory that is no text is refused by its name", async () => {
	await expect(stopLogman({ cacheDir } as unknown as string)).rejects.toMatchObject({ code: "PYLOG_OPTION_INVALID" });
});

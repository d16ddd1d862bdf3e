import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { beforeEach, expect, test } from "vitest";
import { logman } from "../../src/logman/logman.ts";
import { ControlFile } from "../../src/spool/control-file.ts";
import { spoolPaths } from "../../src/spool/paths.ts";
import { LineWriter } from "../line-writer.ts";
import { cacheDirectory, drain, linesOf, runLogman, until } from "../running-logman.ts";
import { temporaryDirectory } from "../temporary-directory.ts";

let cacheDir: string;
let logs: string;
let path: string;

beforeEach(() => {
	cacheDir = cacheDirectory();
	logs = temporaryDirectory();
	path = join(logs, "app.log");
});

function writeAndClose(...lines: string[]): void {
	using writer = new LineWriter(cacheDir);
	for (const line of lines) writer.write(path, line);
}

test("an aborted logman drains: what was logged before is in its file when it has left", async () => {
	writeAndClose("one", "two");
	await drain(cacheDir);
	expect(linesOf(path)).toEqual(["one", "two"]);
	await drain(cacheDir);
	expect(linesOf(path)).toEqual(["one", "two"]);
});

test("a logman that is stopped while lines come in leaves none of the earlier ones behind", async () => {
	using writer = new LineWriter(cacheDir);
	const running = await runLogman(cacheDir);
	for (let index = 0; index < 20_000; index++) writer.write(path, `line ${index}`);
	const stopped = running.stop();
	writer.write(path, "late");
	await stopped;
	const lines = linesOf(path);
	expect(lines.length).toBeGreaterThanOrEqual(20_000);
	await drain(cacheDir);
	expect(linesOf(path)).toEqual([...Array.from({ length: 20_000 }, (_, index) => `line ${index}`), "late"]);
});

test("what waits in the priority lane is written first, each lane in the order of the calls of all producers", async () => {
	using one = new LineWriter(cacheDir);
	using two = new LineWriter(cacheDir);
	for (let index = 0; index < 100; index++) {
		(index % 3 === 0 ? one : two).write(path, `normal ${index}`);
		(index % 2 === 0 ? one : two).write(path, `priority ${index}`, { isPriority: true });
	}
	await drain(cacheDir);
	const inLane = (lane: string): string[] => Array.from({ length: 100 }, (_, index) => `${lane} ${index}`);
	expect(linesOf(path)).toEqual([...inLane("priority"), ...inLane("normal")]);
});

test("a second logman is refused, and told who the first is", async () => {
	await runLogman(cacheDir);
	await expect(logman({ cacheDir })).rejects.toMatchObject({
		code: "PYLOG_LEASE_HELD",
		message: expect.stringContaining(`process ${process.pid}`),
		details: { pid: process.pid },
	});
});

test("a logman that waits takes over when the first has left, and stops nothing meanwhile", async () => {
	const first = await runLogman(cacheDir);
	let isReady = false;
	const controller = new AbortController();
	const second = logman({ cacheDir, wait: true, signal: controller.signal, onReady: () => (isReady = true) });
	const beganMs = performance.now();
	let stops = 0;
	for (let turn = 0; turn < 60; turn++) {
		const startMs = performance.now();
		await sleep(5);
		if (performance.now() - startMs > 70) stops += 1;
	}
	// Taking a lease that is held takes 80 ms: to try that every 100 ms would stop the event loop nearly all of the time.
	expect(stops).toBeLessThan(Math.max(2, (performance.now() - beganMs) / 200));
	expect(isReady).toBe(false);
	await first.stop();
	await until(() => isReady);
	writeAndClose("for the second");
	await until(() => linesOf(path).length === 1);
	controller.abort();
	await second;
});

test("a logman that waits leaves when it is aborted", async () => {
	await runLogman(cacheDir);
	await expect(logman({ cacheDir, wait: true, signal: AbortSignal.timeout(50) })).resolves.toBeUndefined();
});

test("a logman leaves when it is wanted to stop through the control file, and the next one does not mind", async () => {
	writeAndClose("one");
	const controller = new AbortController();
	const running = logman({ cacheDir, signal: controller.signal });
	await until(() => linesOf(path).length === 1);
	const control = ControlFile.open(cacheDir);
	control.store("stopWanted", 1);
	control.doorbell.ring();
	await running;
	const next = await runLogman(cacheDir);
	writeAndClose("two");
	await until(() => linesOf(path).length === 2);
	expect(control.load("stopWanted")).toBe(0);
	control.close();
	await next.stop();
});

test("a logman without work leaves after its idle time, and not as long as a producer lives", async () => {
	const writer = new LineWriter(cacheDir);
	let hasLeft = false;
	const running = logman({ cacheDir, idleExitMs: 150 }).then(() => (hasLeft = true));
	await sleep(400);
	expect(hasLeft).toBe(false);
	writer.write(path, "a line");
	writer.close();
	await running;
	expect(linesOf(path)).toEqual(["a line"]);
});

test("the idle time begins with the last line, however long the logman has run", async () => {
	let leftMs = 0;
	const running = logman({ cacheDir, idleExitMs: 1200 }).then(() => (leftMs = performance.now()));
	await sleep(900);
	writeAndClose("a line");
	const writtenMs = performance.now();
	await running;
	expect(leftMs - writtenMs).toBeGreaterThan(1100);
});

test("each option that is wrong is named, with what it got and what it takes", async () => {
	const options = {
		cacheDir: 7,
		sync: "often",
		syncIntervalMs: 0,
		idleExitMs: 1.5,
		wait: "yes",
		cachedir: "x",
	} as never;
	await expect(logman(options)).rejects.toMatchObject({
		code: "PYLOG_OPTION_INVALID",
		message: expect.stringMatching(
			/"cacheDir" got 7.*"sync" got "often".*interval, batch, never.*"syncIntervalMs" got 0.*"idleExitMs" got 1.5.*"wait" got "yes".*"cachedir".*"cacheDir"/s,
		),
	});
});

test("two loggers with different logforms write one file, in the order of their calls", async () => {
	using plain = new LineWriter(cacheDir);
	using detailed = new LineWriter(cacheDir);
	for (let index = 0; index < 50; index++) {
		plain.write(path, `line ${index}`, { logform: "%loglevel% | " });
		detailed.write(path, `line ${index}`, { logform: "%hostname% %loglevel% %% > " });
	}
	await drain(cacheDir);
	expect(linesOf(path)).toEqual(
		Array.from({ length: 50 }, (_, index) => [`INFO | line ${index}`, `here INFO % > line ${index}`]).flat(),
	);
});

test("hundreds of files are written with a bounded number of descriptors", async () => {
	const before = readdirSync("/proc/self/fd").length;
	const running = await runLogman(cacheDir);
	using writer = new LineWriter(cacheDir);
	for (let round = 0; round < 3; round++) {
		for (let index = 0; index < 300; index++) writer.write(join(logs, `${index % 10}`, `${index}.log`), `${round}`);
		await until(() => linesOf(join(logs, "9", "299.log")).length > round);
		expect(readdirSync("/proc/self/fd").length - before).toBeLessThan(160);
	}
	await running.stop();
	for (let index = 0; index < 300; index++) {
		expect(linesOf(join(logs, `${index % 10}`, `${index}.log`))).toEqual(["0", "1", "2"]);
	}
	writer.close();
	expect(readdirSync("/proc/self/fd").length).toBe(before);
});

test("after logrotate has renamed a file the next lines are in a new one", async () => {
	const running = await runLogman(cacheDir);
	using writer = new LineWriter(cacheDir);
	writer.write(path, "before");
	await until(() => linesOf(path).length === 1);
	renameSync(path, `${path}.1`);
	writer.write(path, "after");
	await until(() => linesOf(path).length === 1);
	renameSync(path, `${path}.2`);
	writeFileSync(path, "");
	writer.write(path, "last");
	await until(() => linesOf(path).length === 1);
	// Until the logman has looked at the file once more: a line whose file goes in between is written again.
	await until(() => writer.producer.hasReached("written"));
	rmSync(logs, { recursive: true });
	writer.write(path, "anew");
	await until(() => linesOf(path).length === 1);
	expect(linesOf(path)).toEqual(["anew"]);
	mkdirSync(logs, { recursive: true });
	await running.stop();
});

test("a copytruncate between two lines loses nothing of the later", async () => {
	const running = await runLogman(cacheDir);
	using writer = new LineWriter(cacheDir);
	writer.write(path, "before");
	await until(() => linesOf(path).length === 1);
	writeFileSync(path, "");
	writer.write(path, "after");
	await until(() => linesOf(path).length === 1);
	await running.stop();
	expect(readFileSync(path, "utf8")).toBe("after\n");
});

test("a record without a usable file goes to quarantine, and holds up nothing", async () => {
	using writer = new LineWriter(cacheDir);
	writer.write("relative.log", "lost in space");
	writer.write(path, "a line");
	await drain(cacheDir);
	expect(linesOf(path)).toEqual(["a line"]);
	const { quarantine } = spoolPaths(cacheDir);
	const kept = readdirSync(quarantine).find((name) => !name.endsWith(".reason.json")) as string;
	expect(readFileSync(join(quarantine, kept), "utf8")).toBe("lost in space\n");
	expect(readFileSync(join(quarantine, `${kept}.reason.json`), "utf8")).toContain("no absolute path");
});

test("the folders of dead producers are removed once everything of them is written", async () => {
	const { producers } = spoolPaths(cacheDir);
	writeAndClose("one");
	writeAndClose("two");
	using living = new LineWriter(cacheDir);
	living.write(path, "three");
	await runLogman(cacheDir);
	await until(() => readdirSync(producers).length === 1);
	expect(readdirSync(producers)).toEqual([String(living.producer.number)]);
	expect(linesOf(path)).toEqual(["one", "two", "three"]);
});

test("an inbox that can't be read holds up no line", async () => {
	const running = await runLogman(cacheDir);
	const { inbox, errorLog } = spoolPaths(cacheDir);
	rmSync(join(inbox, "priority"), { recursive: true });
	writeFileSync(join(inbox, "priority"), "in the way");
	await until(() => statSync(errorLog, { throwIfNoEntry: false }) !== undefined);
	writeAndClose("a line");
	await until(() => linesOf(path).length === 1);
	await running.stop();
	expect(readFileSync(errorLog, "utf8")).toContain("take messages from the inbox");
});

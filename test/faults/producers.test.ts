/** What producers may do to the others: stop, die with much that waits, and log much more than the spool's size. */
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, expect, test } from "vitest";
import { spoolPaths } from "../../src/spool/paths.ts";
import { startFixture } from "../fixture-process.ts";
import { LineWriter } from "../line-writer.ts";
import { cacheDirectory, drain, linesOf, runLogman, until } from "../running-logman.ts";
import { temporaryDirectory } from "../temporary-directory.ts";

let cacheDir: string;
let path: string;

beforeEach(() => {
	cacheDir = cacheDirectory();
	path = join(temporaryDirectory(), "app.log");
});

/** Bytes on the disk of a folder with all that is in it. */
function diskBytes(folder: string): number {
	const entries = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
	return entries.reduce((sum, { parentPath, name }) => {
		return sum + (statSync(join(parentPath, name), { throwIfNoEntry: false })?.blocks ?? 0) * 512;
	}, 0);
}

test("a producer that is stopped holds nothing up, and goes on when it is continued", async () => {
	const stopped = startFixture("fault-producer", cacheDir, `${path}.stopped`, "stopped");
	await stopped.line();
	stopped.process.stdout.resume();
	process.kill(stopped.pid, "SIGSTOP");
	const running = await runLogman(cacheDir);
	using writer = new LineWriter(cacheDir);
	const startMs = performance.now();
	writer.write(path, "a line");
	await until(() => linesOf(path).length === 1);
	// About a second where it was stopped in the middle of an append.
	expect(performance.now() - startMs).toBeLessThan(3000);
	const count = linesOf(`${path}.stopped`).length;
	process.kill(stopped.pid, "SIGCONT");
	await until(() => linesOf(`${path}.stopped`).length > count);
	await stopped.kill();
	await running.stop();
});

test("the lines of producers that died are written, and their folders and their disk space are given back", async () => {
	const before = diskBytes(cacheDir);
	for (let round = 0; round < 5; round++) {
		using writer = new LineWriter(cacheDir);
		for (let index = 0; index < 2000; index++) writer.write(path, `${round} ${index} `.padEnd(500, "."));
	}
	using living = new LineWriter(cacheDir);
	living.write(path, "a line");
	const { control } = living.producer;
	expect(control.load("reservedKib")).toBeGreaterThan(5000);
	const running = await runLogman(cacheDir);
	await until(() => readdirSync(spoolPaths(cacheDir).producers).length === 1);
	await running.stop();
	expect(linesOf(path)).toHaveLength(10_001);
	expect(control.load("reservedKib")).toBe(64);
	expect(diskBytes(cacheDir) - before).toBeLessThan(2 * 1024 * 1024);
});

test("the disk that the spool takes is bounded, however much is logged", async () => {
	const logman = startFixture("logman-process", cacheDir);
	expect(await logman.line()).toBe("ready");
	using writer = new LineWriter(cacheDir);
	const line = "x".repeat(999);
	let mostBytes = 0;
	for (let megabyte = 1; megabyte <= 50; megabyte++) {
		for (let index = 0; index < 1000; index++) expect(writer.write(path, line)).toBe(true);
		await until(() => writer.producer.hasReached("written"));
		mostBytes = Math.max(mostBytes, diskBytes(cacheDir));
	}
	expect(statSync(path).size).toBe(50_000_000);
	console.info(`50 MB logged, ${(mostBytes / 1e6).toFixed(1)} MB of spool at most`);
	expect(mostBytes).toBeLessThan(32 * 1024 * 1024);
	expect(writer.producer.dropped).toBe(0);
});

test("two who log to the same file and two who log to many lose nothing to each other", async () => {
	const running = await runLogman(cacheDir);
	using one = new LineWriter(cacheDir);
	using two = new LineWriter(cacheDir);
	for (let index = 0; index < 3000; index++) {
		one.write(path, `one ${index}`);
		two.write(path, `two ${index}`);
		two.write(`${path}.${index % 7}`, `two ${index}`);
		if (index % 500 === 0) await new Promise((resolve) => setImmediate(resolve));
	}
	await running.stop();
	await drain(cacheDir);
	expect(linesOf(path)).toEqual(Array.from({ length: 3000 }, (_, index) => [`one ${index}`, `two ${index}`]).flat());
	for (let file = 0; file < 7; file++) {
		const expected = Array.from({ length: 3000 }, (_, index) => index).filter((index) => index % 7 === file);
		expect(linesOf(`${path}.${file}`)).toEqual(expected.map((index) => `two ${index}`));
	}
});

import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { FileLock, isLocked } from "../../src/platform/file-lock.ts";
import { startFixture } from "../fixture-process.ts";
import { temporaryDirectory } from "../temporary-directory.ts";

const lockPath = (): string => join(temporaryDirectory(), "lock");

describe("FileLock", () => {
	it("excludes a second holder in the same process, until it is released", () => {
		const path = lockPath();
		const lock = FileLock.tryAcquire("test.step", path);
		expect(FileLock.tryAcquire("test.step", path)).toBeUndefined();
		lock?.release();
		lock?.release();
		const next = FileLock.tryAcquire("test.step", path);
		expect(next).toBeDefined();
		next?.release();
	});

	it("excludes other processes, and is freed by the kernel when its holder is killed", async () => {
		const path = lockPath();
		const holder = startFixture("lock-holder", path);
		await holder.line();
		expect(FileLock.tryAcquire("test.step", path)).toBeUndefined();
		expect(isLocked(path)).toBe(true);
		await holder.kill("SIGKILL");
		expect(isLocked(path)).toBe(false);
		FileLock.acquire("test.step", path).release();
	});

	it("is waited for by a process that has to have it", async () => {
		const path = lockPath();
		const lock = FileLock.acquire("test.step", path);
		const other = startFixture("lock-holder", path);
		let isHeld = false;
		const line = other.line().then(() => (isHeld = true));
		await new Promise((resolve) => setTimeout(resolve, 300));
		expect(isHeld).toBe(false);
		lock.release();
		await line;
		expect(isLocked(path)).toBe(true);
	});

	it("stays with a child process that inherited the descriptor", async () => {
		const path = lockPath();
		const lock = FileLock.acquire("test.step", path);
		const child = spawn(process.execPath, ["-e", "process.stdin.resume()"], {
			stdio: ["pipe", "ignore", "ignore", lock.fd],
		});
		const ended = once(child, "close");
		onTestFinished(async () => {
			child.kill("SIGKILL");
			await ended;
		});
		lock.closeOnly();
		expect(isLocked(path)).toBe(true);
		child.kill("SIGKILL");
		await ended;
		expect(isLocked(path)).toBe(false);
	});

	it("does not follow a planted link", () => {
		const directory = temporaryDirectory();
		writeFileSync(join(directory, "target"), "");
		symlinkSync(join(directory, "target"), join(directory, "lock"));
		expect(() => FileLock.tryAcquire("test.step", join(directory, "lock"))).toThrow("symbolic link");
	});
});

describe("isLocked", () => {
	it("does not hold the lock after the question", () => {
		const path = lockPath();
		FileLock.acquire("test.step", path).release();
		for (let time = 0; time < 100; time++) expect(isLocked(path)).toBe(false);
		const lock = FileLock.tryAcquire("test.step", path);
		expect(lock).toBeDefined();
		lock?.release();
	});

	it("says that what can't be locked is not locked: nothing, a file in the way, a link", () => {
		const directory = temporaryDirectory();
		writeFileSync(join(directory, "file"), "");
		symlinkSync(join(directory, "file"), join(directory, "link"));
		expect(isLocked(join(directory, "missing"))).toBe(false);
		expect(isLocked(join(directory, "file", "alive"))).toBe(false);
		expect(isLocked(join(directory, "link"))).toBe(false);
	});

	it("does not wait for a pipe that stands in the place of the lock", () => {
		const path = join(temporaryDirectory(), "pipe");
		execFileSync("mkfifo", [path]);
		expect(isLocked(path)).toBe(false);
	});

	it("keeps no descriptors", () => {
		const directory = temporaryDirectory();
		const path = join(directory, "lock");
		mkdirSync(join(directory, "folder"));
		const lock = FileLock.acquire("test.step", path);
		const before = readdirSync("/proc/self/fd").length;
		for (let time = 0; time < 50; time++) {
			isLocked(path);
			isLocked(join(directory, "missing"));
			isLocked(join(directory, "folder"));
			FileLock.tryAcquire("test.step", path);
		}
		expect(readdirSync("/proc/self/fd").length).toBe(before);
		lock.release();
	});
});

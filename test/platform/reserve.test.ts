import { closeSync, existsSync, fstatSync, mkdtempSync, openSync, rmSync, statfsSync, writeSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { reserve } from "../../src/platform/reserve.ts";
import { temporaryDirectory } from "../temporary-directory.ts";

const tmpfsType = 0x01021994;
const sharedMemory = "/dev/shm";
const hasTmpfs = existsSync(sharedMemory) && statfsSync(sharedMemory).type === tmpfsType;

function openNew(directory: string): number {
	const fd = openSync(join(directory, "file"), "w+");
	onTestFinished(() => closeSync(fd));
	return fd;
}

describe("reserve", () => {
	it("gives every byte a block, and leaves what is there as it is", () => {
		const fd = openNew(temporaryDirectory());
		writeSync(fd, "content");
		expect(reserve("test.step", fd, 1024 * 1024)).toBe(true);
		const { size, blocks } = fstatSync(fd);
		expect(size).toBe(1024 * 1024);
		expect(blocks * 512).toBeGreaterThanOrEqual(1024 * 1024);
		expect(reserve("test.step", fd, 4096)).toBe(true);
		expect(fstatSync(fd).size).toBe(1024 * 1024);
	});

	it("says no to a file larger than the file system takes", () => {
		const fd = openNew(temporaryDirectory());
		expect(reserve("test.step", fd, Number.MAX_SAFE_INTEGER)).toBe(false);
	});

	it.runIf(hasTmpfs)("says no when the file system has no room for it", () => {
		const directory = mkdtempSync(join(sharedMemory, "pylog-test-"));
		onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
		const { blocks, bsize } = statfsSync(directory);
		const fd = openNew(directory);
		// More than the whole of it, so that nothing is taken on the way to the answer.
		expect(reserve("test.step", fd, (blocks + 1) * bsize)).toBe(false);
	});

	it("throws for what is no question of room", () => {
		const fd = openSync("/dev/null", "r+");
		onTestFinished(() => closeSync(fd));
		expect(() => reserve("test.step", fd, 4096)).toThrow(
			expect.objectContaining({ code: "PYLOG_SYSTEM_CALL" }) as Error,
		);
	});
});

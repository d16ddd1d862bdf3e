import { pbkdf2 } from "node:crypto";
import { closeSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { Mapping } from "../../src/platform/mapping.ts";
import { openOwnedFile } from "../../src/platform/owned-files.ts";
import { reserve } from "../../src/platform/reserve.ts";
import { startFixture } from "../fixture-process.ts";
import { temporaryDirectory } from "../temporary-directory.ts";

function mapNew(path: string, sizeBytes: number): Mapping {
	const fd = openOwnedFile("test.step", path, "exclusive");
	reserve("test.step", fd, sizeBytes);
	const mapping = Mapping.map(fd, sizeBytes);
	closeSync(fd);
	onTestFinished(() => mapping.unmap());
	return mapping;
}

/** What of a mapped file this process has pages of, by the kernel's own account. */
function residentKib(path: string): number {
	const [, account = ""] = readFileSync("/proc/self/smaps", "utf8").split(`${path}\n`);
	return Number(/^Rss: +(\d+) kB$/m.exec(account)?.[1] ?? 0);
}

describe("Mapping", () => {
	it("shows one memory as bytes, words and doubles, and the file has what was stored", () => {
		const path = join(temporaryDirectory(), "mapped");
		const mapping = mapNew(path, 4096);
		mapping.words[0] = 0x64636261;
		mapping.doubles[1] = 0.5;
		mapping.bytes.utf8Write("é€", 16);
		expect(mapping.bytes.toString("latin1", 0, 4)).toBe("abcd");
		const file = readFileSync(path);
		expect(file.readUInt32LE(0)).toBe(0x64636261);
		expect(file.readDoubleLE(8)).toBe(0.5);
		expect(file.toString("utf8", 16, 21)).toBe("é€");
	});

	it("has its pages made ready in the background, and may be taken away meanwhile", async () => {
		const path = join(temporaryDirectory(), "mapped");
		const mapping = mapNew(path, 1024 * 1024);
		const gone = mapNew(`${path}-gone`, 1024 * 1024);
		mapping.makeReady();
		gone.makeReady();
		gone.unmap();
		gone.makeReady();
		await vi.waitFor(() => expect(residentKib(path)).toBe(1024), { timeout: 5000 });
		expect(mapping.bytes.every((byte) => byte === 0)).toBe(true);
	});

	it("is made ready without an error however long the threads of the pool are busy", async () => {
		const path = join(temporaryDirectory(), "mapped");
		const mapping = mapNew(path, 4096);
		const busy = Array.from({ length: 8 }, () => promisify(pbkdf2)("a", "b", 200_000, 64, "sha512"));
		for (let call = 0; call < 1000; call++) mapping.makeReady();
		await Promise.all(busy);
		const later = mapNew(`${path}-later`, 1024 * 1024);
		await vi.waitFor(
			() => {
				later.makeReady();
				expect(residentKib(`${path}-later`)).toBe(1024);
			},
			{ timeout: 5000 },
		);
	});

	it("is the same memory in every mapping of the file", () => {
		const path = join(temporaryDirectory(), "mapped");
		const one = mapNew(path, 8192);
		const fd = openSync(path, "r+");
		const other = Mapping.map(fd, 8192);
		closeSync(fd);
		Atomics.store(one.words, 2047, 7);
		expect(Atomics.load(other.words, 2047)).toBe(7);
		other.unmap();
		expect(Atomics.load(one.words, 2047)).toBe(7);
	});

	it("has empty views once it is unmapped, and can be unmapped again", () => {
		const mapping = mapNew(join(temporaryDirectory(), "mapped"), 4096);
		mapping.unmap();
		mapping.unmap();
		expect([mapping.bytes.length, mapping.words.length, mapping.doubles.length]).toEqual([0, 0, 0]);
		expect(mapping.sizeBytes).toBe(4096);
	});

	it("can be made and unmapped a thousand times, at the same addresses too", () => {
		const mapping = mapNew(join(temporaryDirectory(), "mapped"), 4096);
		const fd = openSync(join(temporaryDirectory(), "again"), "w+");
		onTestFinished(() => closeSync(fd));
		reserve("test.step", fd, 4096);
		for (let round = 1; round <= 1000; round++) {
			const again = Mapping.map(fd, 4096);
			expect(again.words[0]).toBe(round - 1);
			again.words[0] = round;
			again.unmap();
		}
		expect(mapping.words[0]).toBe(0);
	});

	it("counts without loss when several processes add to a word", async () => {
		const path = join(temporaryDirectory(), "mapped");
		const mapping = mapNew(path, 4096);
		const times = 300_000;
		const counters = [1, 2, 3].map(() => startFixture("shared-counter", path, String(times)));
		for (let time = 0; time < times; time++) Atomics.add(mapping.words, 0, 1);
		for (const counter of counters) await counter.ended();
		expect(Atomics.load(mapping.words, 0)).toBe(4 * times);
	});

	it("says which call failed and why", () => {
		const fd = openSync(join(temporaryDirectory(), "file"), "w+");
		onTestFinished(() => closeSync(fd));
		expect(() => Mapping.map(fd, 0)).toThrow(
			expect.objectContaining({
				code: "PYLOG_SYSTEM_CALL",
				message: expect.stringMatching(/^mmap failed with EINVAL/) as string,
				details: expect.objectContaining({ errno: "EINVAL" }) as object,
			}) as Error,
		);
	});
});

import { mkdirSync, readFileSync, renameSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { isLeaseHeld, Lease, leaseHolder } from "../../src/spool/lease.ts";
import { startFixture } from "../fixture-process.ts";
import { temporaryDirectory } from "../temporary-directory.ts";

const leasePath = (): string => join(temporaryDirectory(), "logman.lock");

describe("the lease", () => {
	it("is held by one, and says by whom", () => {
		const path = leasePath();
		expect(isLeaseHeld(path)).toBe(false);
		expect(leaseHolder(path)).toBeUndefined();
		const lease = Lease.acquire(path);
		expect(isLeaseHeld(path)).toBe(true);
		expect(leaseHolder(path)?.pid).toBe(process.pid);
		expect(Date.parse(leaseHolder(path)?.started ?? "")).toBeGreaterThan(Date.now() - 60_000);
		expect(Lease.tryAcquire(path)).toBeUndefined();
		expect(() => Lease.acquire(path)).toThrow(
			expect.objectContaining({
				code: "PYLOG_LEASE_HELD",
				message: expect.stringContaining(`process ${process.pid}, since `) as string,
			}) as Error,
		);
		lease.release();
		expect(isLeaseHeld(path)).toBe(false);
		expect(readFileSync(path, "utf8")).toBe("");
	});

	it("of another process is freed when that is killed, and its text says nothing then", async () => {
		const path = leasePath();
		const first = startFixture("lease-holder", path);
		expect(await first.line()).toBe("held");
		const second = startFixture("lease-holder", path);
		expect(await second.line()).toMatch(
			new RegExp(`^There can be one logman: process ${first.pid}, since .* holds ${path}`),
		);
		await second.ended();
		await first.kill("SIGKILL");
		expect(leaseHolder(path)?.pid).toBe(first.pid);
		expect(isLeaseHeld(path)).toBe(false);
		const lease = Lease.acquire(path);
		expect(leaseHolder(path)?.pid).toBe(process.pid);
		lease.release();
	});

	it("goes to one of many who want it at the same moment", async () => {
		const path = leasePath();
		const candidates = [1, 2, 3, 4, 5].map(() => startFixture("lease-holder", path));
		const answers = await Promise.all(candidates.map((candidate) => candidate.line()));
		expect(answers.filter((answer) => answer === "held")).toHaveLength(1);
		expect(answers.filter((answer) => answer.startsWith("There can be one logman"))).toHaveLength(4);
	});

	it("can be taken while others ask all the time whether it is held", async () => {
		const path = leasePath();
		writeFileSync(path, "", { mode: 0o600 });
		const holder = startFixture("lease-holder", path);
		let isAsking = true;
		const asking = (async () => {
			while (isAsking) {
				for (let time = 0; time < 50; time++) isLeaseHeld(path);
				await new Promise((resolve) => setImmediate(resolve));
			}
		})();
		expect(await holder.line()).toBe("held");
		isAsking = false;
		await asking;
	});

	it("with a text that is no text of ours is a lease all the same", () => {
		const path = leasePath();
		writeFileSync(path, "\0\0 not JSON", { mode: 0o600 });
		expect(leaseHolder(path)).toBeUndefined();
		const lease = Lease.acquire(path);
		expect(leaseHolder(path)?.pid).toBe(process.pid);
		lease.release();
	});

	// The lock on a file that was removed kept nobody out.
	it("excludes others although somebody removed or replaced its file, and makes that anew", () => {
		const path = leasePath();
		const lease = Lease.acquire(path);
		for (const harm of [() => rmSync(path), () => renameSync(path, `${path}.old`), () => replace(path)]) {
			harm();
			expect(isLeaseHeld(path)).toBe(false);
			expect(Lease.tryAcquire(path)).toBeUndefined();
			expect(lease.keep(path)).toBe(true);
			expect(isLeaseHeld(path)).toBe(true);
			expect(leaseHolder(path)?.pid).toBe(process.pid);
		}
		lease.release();
		expect(isLeaseHeld(path)).toBe(false);
		Lease.acquire(path).release();
	});

	it("is kept while something that is no file stands in the place of its file", () => {
		const path = leasePath();
		const lease = Lease.acquire(path);
		rmSync(path);
		mkdirSync(path);
		expect(lease.keep(path)).toBe(true);
		expect(() => Lease.tryAcquire(path)).toThrow("it is a directory");
		rmdirSync(path);
		expect(lease.keep(path)).toBe(true);
		expect(isLeaseHeld(path)).toBe(true);
		lease.release();
	});

	it("knows that its cache directory was moved", () => {
		const directory = join(temporaryDirectory(), "spool");
		mkdirSync(directory);
		const path = join(directory, "logman.lock");
		const lease = Lease.acquire(path);
		renameSync(directory, `${directory}.moved`);
		expect(lease.keep(path)).toBe(false);
		mkdirSync(directory);
		expect(lease.keep(path)).toBe(false);
		Lease.acquire(path).release();
		lease.release();
	});
});

function replace(path: string): void {
	writeFileSync(`${path}.new`, "not ours", { mode: 0o600 });
	renameSync(`${path}.new`, path);
}

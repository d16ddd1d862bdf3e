/** Mounts that do not answer while a logman leaves, several of them at once, and mounts behind links. */
import { existsSync, mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { isLeaseHeld } from "../../src/spool/lease.ts";
import { spoolPaths } from "../../src/spool/paths.ts";
import { type FaultyCall, FaultyMount, faultyMountRefusal } from "../faulty-mount.ts";
import { temporaryDirectory } from "../temporary-directory.ts";
import { OutputWork } from "./output-work.ts";

const timeout = 180_000;

let logs: string;
let good: string;

beforeEach(() => {
	logs = temporaryDirectory();
	good = join(logs, "good.log");
	// As many threads as a logman has that `startLogman` has started.
	vi.stubEnv("UV_THREADPOOL_SIZE", "16");
});

afterEach(() => void vi.unstubAllEnvs());

describe.skipIf(faultyMountRefusal !== undefined)(`on a mount (${faultyMountRefusal ?? "as root"})`, () => {
	test.each<[FaultyCall, boolean]>([
		["write", true],
		["write", false],
		["sync", true],
		["stat", false],
	])(
		"a logman that leaves while a %s gets no answer keeps its lease until it can't happen any more (ends its process: %s)",
		{ timeout },
		async (call, endsStuck) => {
			const mount = await FaultyMount.start();
			const stalled = join(mount.path, "stalled.log");
			const work = await OutputWork.start([good, stalled], { logmanOptions: { endsStuck } });
			await mount.stall(call);
			await work.untilParked(stalled);
			await work.untilWritten(good);
			const ended = work.logman.ended();
			work.logman.process.kill("SIGTERM");
			await sleep(3000);
			expect(await mount.heldCount(call)).toBeGreaterThan(0);
			expect(isLeaseHeld(spoolPaths(work.cacheDir).lease)).toBe(true);
			await mount.goOn();
			await ended;
			expect(work.logman.process.exitCode).toBe(0);
			await work.startLogman();
			await work.untilWritten(stalled);
			await work.finish();
			for (const file of work.files) work.expectComplete(file, file);
		},
	);

	test("two mounts that do not answer at once, with several files each, hold up no other", { timeout }, async () => {
		const mounts = [await FaultyMount.start(), await FaultyMount.start()];
		const stalled = mounts.flatMap(({ path }) => [1, 2, 3].map((number) => join(path, `${number}.log`)));
		const work = await OutputWork.start([good, ...stalled]);
		for (const [index, mount] of mounts.entries()) await mount.stall(index === 0 ? "write" : "sync", "stat");
		for (const file of stalled) await work.untilParked(file);
		await work.untilWritten(good);
		expect(await work.flush(good)).toBe("flushed");
		expect((await work.status()).parked.map(({ output }) => output)).not.toContain(good);
		for (const mount of mounts) await mount.goOn();
		for (const file of stalled) await work.untilWritten(file);
		await work.finish();
		for (const file of work.files) work.expectComplete(file, file);
	});

	// With its last threads in such calls the logman could not even read its own spool's files.
	test("more mounts that do not answer than the logman has threads: all lines wait, and it goes on", {
		timeout,
	}, async () => {
		vi.stubEnv("UV_THREADPOOL_SIZE", "4");
		const mounts = await Promise.all(Array.from({ length: 5 }, () => FaultyMount.start()));
		const stalled = mounts.map(({ path }) => join(path, "stalled.log"));
		const work = await OutputWork.start([good, ...stalled], { logmanOptions: { syncIntervalMs: 60_000 } });
		for (const mount of mounts) await mount.stall("write");
		for (const file of stalled) await work.untilParked(file);
		for (let round = 0; round < 3; round++) {
			const { waiting } = await work.status();
			await sleep(500);
			expect(waiting).toBeLessThan(100_000);
		}
		for (const mount of mounts) await mount.goOn();
		for (const file of work.files) await work.untilWritten(file);
		await work.finish();
		for (const file of work.files) work.expectComplete(file, file);
	});

	// The mount was taken for that of the link: nothing on the disk of the link was written any more.
	test("files behind links into a mount that does not answer hold up none on the link's own", { timeout }, async () => {
		const mount = await FaultyMount.start();
		mkdirSync(join(mount.path, "app"));
		symlinkSync(join(mount.path, "app"), join(logs, "linked"));
		const linked = [1, 2, 3, 4, 5, 6].map((number) => join(logs, "linked", `${number}.log`));
		symlinkSync(join(mount.path, "target.log"), join(logs, "link.log"));
		const stalled = [...linked, join(logs, "link.log")];
		vi.stubEnv("UV_THREADPOOL_SIZE", "4");
		const work = await OutputWork.start([good, ...stalled]);
		await mount.stall("write", "sync");
		for (const file of stalled) await work.untilParked(file);
		await work.untilWritten(good);
		expect(await work.flush(good)).toBe("flushed");
		expect(existsSync(work.parkedFile(good))).toBe(false);
		await mount.goOn();
		for (const file of stalled) await work.untilWritten(file);
		await work.finish();
		for (const file of work.files) work.expectComplete(file, file);
	});

	test("a mount that stops while the next logman recovers holds up no other", { timeout }, async () => {
		const mount = await FaultyMount.start();
		const stalled = join(mount.path, "stalled.log");
		const work = await OutputWork.start([good, stalled]);
		for (const call of ["read", "stat", "open"] as const) {
			await work.logman.kill();
			await mount.stall(call);
			await work.startLogman();
			await work.untilWritten(good);
			expect(await work.flush(good)).toBe("flushed");
			await mount.goOn();
			await work.untilWritten(stalled);
		}
		await work.finish();
		for (const file of work.files) work.expectComplete(file, file);
	});
});

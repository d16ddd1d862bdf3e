/**
 * An output on a mount that does not answer: it is parked, holds up no other output, and has every line once and in order
 * when it answers again, also when the logman is killed meanwhile.
 */
import { renameSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { beforeEach, describe, expect, test } from "vitest";
import { type FaultyCall, FaultyMount, faultyMountRefusal } from "../faulty-mount.ts";
import { LineWriter } from "../line-writer.ts";
import { linesOf, until } from "../running-logman.ts";
import { temporaryDirectory } from "../temporary-directory.ts";
import { OutputWork } from "./output-work.ts";

const stallMs = 5000;
const limitMs = 300_000;

let mount: FaultyMount;
let stalled: string;
let good: string;
let other: string;
let work: OutputWork;

/** A mount that does not answer any more: the logman is in such a call, or will be. */
async function stall(call: FaultyCall): Promise<void> {
	await mount.stall(call);
	// A file that is open is opened again only when it was moved away.
	if (call === "open") renameSync(stalled, `${stalled}.1`);
	await mount.untilHeld(call);
}

function filesOfStalled(call: FaultyCall): string[] {
	return call === "open" ? [`${stalled}.1`, stalled] : [stalled];
}

async function expectAllThere(call: FaultyCall): Promise<void> {
	await work.finish();
	work.expectComplete("stalled", ...filesOfStalled(call));
	for (const file of [good, other]) work.expectComplete("not held up", file);
}

test("a faulty mount can be had where the project is checked", ({ skip }) => {
	skip(process.env["CI"] !== "true", "asked for only where CI=true");
	expect(faultyMountRefusal).toBeUndefined();
});

describe.skipIf(faultyMountRefusal !== undefined)(`on a mount (${faultyMountRefusal ?? "as root"})`, () => {
	beforeEach(async () => {
		const logs = temporaryDirectory();
		mount = await FaultyMount.start();
		stalled = join(mount.path, "stalled.log");
		good = join(logs, "good.log");
		other = join(logs, "other.log");
		work = await OutputWork.start([good, stalled, other]);
	}, limitMs);

	test.each<FaultyCall>(["write", "sync", "open", "stat"])(
		"a %s that gets no answer for seconds holds up no other output and no flush, and then all lines are there",
		async (call) => {
			await stall(call);
			const sinceMs = performance.now();
			await work.untilWritten(good);
			await work.untilWritten(other);
			expect(await work.flush(good)).toBe("flushed");
			await work.untilParked(stalled);
			expect(work.reportOf(stalled)).not.toBe("");
			while (performance.now() - sinceMs < stallMs) {
				await work.untilWritten(good);
				await sleep(50);
			}
			expect(await mount.heldCount(call)).toBeGreaterThan(0);
			await mount.goOn();
			await work.untilWritten(stalled);
			await expectAllThere(call);
		},
		limitMs,
	);

	test.each<FaultyCall>(["write", "sync", "open", "stat"])(
		"a logman that is killed while a %s gets no answer ends when it does, and the next one leaves out and repeats nothing",
		async (call) => {
			await stall(call);
			await sleep(Math.random() * 3000);
			work.logman.process.kill("SIGKILL");
			await sleep(500);
			await mount.goOn();
			await work.logman.ended();
			await work.startLogman();
			await work.untilWritten(stalled);
			await expectAllThere(call);
		},
		limitMs,
	);

	test.each<FaultyCall>(["write", "sync", "open", "stat"])(
		"a logman that finds a mount whose %s gets no answer brings the lines of all others to their files",
		async (call) => {
			await work.logman.kill();
			await mount.stall(call);
			await work.startLogman();
			await work.untilWritten(good);
			await work.untilWritten(other);
			expect(await work.flush(other)).toBe("flushed");
			await mount.goOn();
			await work.untilWritten(stalled);
			await work.finish();
			for (const file of work.files) work.expectComplete(file, file);
		},
		limitMs,
	);

	test(
		"stops shorter and longer than the logman's patience, one after the other, cost nothing",
		async () => {
			for (const ms of [20, 200, 700, 950, 1000, 1050, 1300, 2000]) {
				for (const call of ["write", "sync", "stat"] as const) {
					await mount.stall(call);
					await sleep(ms);
					await mount.goOn();
					await sleep(Math.random() * 500);
				}
			}
			await work.untilWritten(good);
			await expectAllThere("write");
		},
		limitMs,
	);

	// The last one is what a network mount says of files that its server has forgotten; Node has no name for it.
	test.each([
		["EIO", "EIO"],
		["EROFS", "EROFS"],
		["ESTALE", "Unknown system error -116"],
	])(
		"writes that fail with %s park the lines, and all are there once it is over",
		async (code, said) => {
			await mount.fail("write", code);
			await work.untilParked(stalled);
			await work.untilWritten(good);
			expect(await work.flush(good)).toBe("flushed");
			expect(await work.flush(stalled)).toBe("PYLOG_OUTPUT_PARKED");
			expect(work.reportOf(stalled)).toContain(said);
			expect(work.reportOf(stalled)).toMatch(/failing message: \d+ (one|two) \d+/);
			await work.logman.kill();
			await work.startLogman();
			await work.untilWritten(good);
			await mount.goOn();
			await work.untilWritten(stalled);
			await expectAllThere("write");
		},
		limitMs,
	);

	test.each([
		["and the logman lives on", false],
		["and the logman is killed", true],
	])(
		"a failed sync that loses what it should have brought to the disk loses no line %s",
		async (_, isKilled) => {
			await mount.fail("sync", "EIO", { loses: true });
			const before = await mount.madeCount("sync");
			await work.untilWritten(good);
			expect(await work.flush(good)).toBe("flushed");
			while ((await mount.madeCount("sync")) === before) await sleep(5);
			await sleep(300);
			if (isKilled) {
				await work.logman.kill();
				await work.startLogman();
			}
			await mount.goOn();
			await mount.evict();
			await work.untilWritten(stalled);
			await expectAllThere("sync");
		},
		limitMs,
	);

	test(
		"a dozen files that get no answer hold up no other",
		async () => {
			const stalledFiles = Array.from({ length: 12 }, (_, index) => join(mount.path, `${index}.log`));
			const apart = join(temporaryDirectory(), "apart.log");
			const many = await OutputWork.start([...stalledFiles, apart]);
			await mount.stall("write");
			await mount.untilHeld("write");
			const sinceMs = performance.now();
			while (performance.now() - sinceMs < stallMs) await many.untilWritten(apart);
			for (const file of stalledFiles) await many.untilParked(file);
			expect(await many.flush(apart)).toBe("flushed");
			await mount.goOn();
			await many.finish();
			for (const file of many.files) many.expectComplete(file, file);
		},
		limitMs,
	);

	// Whether the write had happened was looked up between two batches, with the patience that a sync gets.
	test(
		"a mount that does not answer to the look at what it has holds up no other output",
		async () => {
			await work.finish();
			const apart = join(temporaryDirectory(), "apart.log");
			const calm = await OutputWork.start([apart]);
			const quiet = join(mount.path, "quiet.log");
			using writer = new LineWriter(calm.cacheDir);
			writer.write(quiet, "one");
			await until(() => writer.producer.hasReached("written"));
			await mount.stall("write");
			writer.write(quiet, "two");
			await calm.untilParked(quiet);
			await mount.stall("read");
			await mount.goOn("write");
			await mount.untilHeld("read");
			await calm.untilWritten(apart);
			expect(calm.reports()).not.toContain("did not answer within 10000 ms");
			expect(await mount.heldCount("read")).toBeGreaterThan(0);
			await mount.goOn();
			await calm.untilBack(quiet);
			await calm.finish();
			calm.expectComplete(apart, apart);
			expect(linesOf(quiet)).toEqual(["one", "two"]);
		},
		limitMs,
	);

	// Each sync took one of the threads that all calls share, until none was left.
	test(
		"two dozen files that are rotated while syncs get no answer hold up no other",
		async () => {
			const rotated = Array.from({ length: 24 }, (_, index) => join(mount.path, `${index}.log`));
			const apart = join(temporaryDirectory(), "apart.log");
			const many = await OutputWork.start([...rotated, apart], { logmanOptions: { syncIntervalMs: 60_000 } });
			await mount.stall("sync");
			for (const file of rotated) renameSync(file, `${file}.1`);
			await mount.untilHeld("sync");
			const sinceMs = performance.now();
			while (performance.now() - sinceMs < stallMs) await many.untilWritten(apart);
			expect(await mount.heldCount("sync")).toBeGreaterThan(0);
			await mount.goOn();
			await many.finish();
			many.expectComplete(apart, apart);
			for (const file of rotated) many.expectComplete(file, `${file}.1`, file);
		},
		limitMs,
	);
});

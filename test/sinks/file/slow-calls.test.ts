import { setTimeout as sleep } from "node:timers/promises";
import { beforeEach, expect, test } from "vitest";
import { SlowCalls, StalledError } from "../../../src/sinks/file/slow-calls.ts";

let calls: SlowCalls;
let late: Promise<unknown>[];

beforeEach(async () => {
	calls = new SlowCalls();
	late = [];
	// It looks where a path is mounted first, which takes its time.
	for (const path of ["/logs/app.log", "/logs/other.log"]) await within(60_000, async () => 0, path);
});

function within<Result>(limitMs: number, call: () => Promise<Result>, path = "/logs/app.log"): Promise<Result> {
	return calls.within(path, { limitMs }, call, (work) => void late.push(work));
}

test("an answer in time is what the call gives, its error as well", async () => {
	expect(await within(1000, async () => 7)).toBe(7);
	await expect(within(1000, () => Promise.reject(new Error("no space")))).rejects.toThrow("no space");
	expect(calls.stuckCount).toBe(0);
	expect(late).toEqual([]);
});

test("a call that is late is given up, goes on, and is known as stuck until it has ended", async () => {
	let answer = (_value: number): void => undefined;
	const waiting = within(10, () => new Promise<number>((resolve) => (answer = resolve)));
	await expect(waiting).rejects.toMatchObject({ name: "StalledError", code: "ETIMEDOUT", isUnderWay: true });
	expect(calls.isStuck("/logs/app.log")).toBe(true);
	expect(late).toHaveLength(1);
	answer(7);
	expect(await late[0]).toBe(7);
	await calls.untilSettled();
	expect(calls.isStuck("/logs/app.log")).toBe(false);
});

test("while one is stuck no other is made on its mount", async () => {
	let fail = (_error: Error): void => undefined;
	const waiting = within(10, () => new Promise<never>((_, reject) => (fail = reject)));
	await expect(waiting).rejects.toThrow("10 ms");
	let isMade = false;
	const second = within(1000, async () => (isMade = true), "/logs/other.log");
	await expect(second).rejects.toMatchObject({ isUnderWay: false });
	expect(isMade).toBe(false);
	// The kernel's own file system of processes is another mount.
	expect(await within(1000, async () => "made", "/proc/self/stat")).toBe("made");
	fail(new Error("it ended badly"));
	await calls.untilSettled();
	expect(await within(1000, async () => "made", "/logs/other.log")).toBe("made");
});

test("a process that was stopped itself hears an answer that has come meanwhile", async () => {
	const waiting = within(20, () => sleep(10).then(() => "in time"));
	const endMs = performance.now() + 100;
	while (performance.now() < endMs);
	expect(await waiting).toBe("in time");
	expect(calls.stuckCount).toBe(0);
});

test("without a limit it waits", async () => {
	expect(await within(Number.POSITIVE_INFINITY, () => sleep(20).then(() => 7))).toBe(7);
	expect(new StalledError("x", true).isUnderWay).toBe(true);
});

test("a call of two steps is not late because this process itself was busy for longer than that may take", async () => {
	const limitMs = 100;
	const twoSteps = async (): Promise<string> => {
		await sleep(1);
		await sleep(1);
		return "done";
	};
	for (let round = 0; round < 5; round++) {
		const work = within(limitMs, twoSteps);
		const untilMs = performance.now() + 1.5 * limitMs;
		while (performance.now() < untilMs);
		expect(await work).toBe("done");
	}
});

import { execFileSync } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test, vi } from "vitest";
import { RunningTime } from "../../src/platform/running-time.ts";

test("time runs as the machine's does while somebody looks often", async () => {
	const time = new RunningTime(1000);
	const startMs = performance.now();
	await sleep(50);
	time.nowMs();
	await sleep(50);
	const ranMs = time.nowMs();
	expect(Math.abs(ranMs - (performance.now() - startMs))).toBeLessThan(50);
});

test("time in which the process was stopped counts for one step at most", () => {
	const time = new RunningTime(100);
	const before = time.nowMs();
	execFileSync("sh", ["-c", `kill -STOP ${process.pid}; sleep 1; kill -CONT ${process.pid}`]);
	expect(time.nowMs() - before).toBe(100);
});

test("time goes on where an application has replaced the clocks", () => {
	const time = new RunningTime(1000);
	vi.useFakeTimers({ now: 0 });
	try {
		const before = time.nowMs();
		Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
		expect(time.nowMs() - before).toBeGreaterThan(15);
	} finally {
		vi.useRealTimers();
	}
});

import { closeSync } from "node:fs";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { Doorbell } from "../../src/platform/doorbell.ts";
import { Mapping } from "../../src/platform/mapping.ts";
import { openOwnedFile } from "../../src/platform/owned-files.ts";
import { reserve } from "../../src/platform/reserve.ts";
import { startFixture } from "../fixture-process.ts";
import { temporaryDirectory } from "../temporary-directory.ts";

function makeDoorbell(): { path: string; mapping: Mapping; doorbell: Doorbell } {
	const path = join(temporaryDirectory(), "bell");
	const fd = openOwnedFile("test.step", path, "exclusive");
	reserve("test.step", fd, 4096);
	const mapping = Mapping.map(fd, 4096);
	closeSync(fd);
	onTestFinished(() => mapping.unmap());
	return { path, mapping, doorbell: new Doorbell(mapping, 1) };
}

async function sleepMs(doorbell: Doorbell, timeoutMs: number): Promise<number> {
	const startMs = performance.now();
	await doorbell.sleep(timeoutMs);
	return performance.now() - startMs;
}

it("a sleeper is woken by another process", async () => {
	const { path, doorbell } = makeDoorbell();
	doorbell.prepare();
	startFixture("shared-counter", path, "0");
	expect(await sleepMs(doorbell, 30_000)).toBeLessThan(20_000);
});

it("a sleeper that nobody wakes wakes by itself", async () => {
	const { mapping, doorbell } = makeDoorbell();
	doorbell.prepare();
	const sleptMs = await sleepMs(doorbell, 60);
	expect(sleptMs).toBeGreaterThan(55);
	expect(sleptMs).toBeLessThan(2000);
	expect(mapping.words[1]).toBe(0);
});

it("a ring between the announcement and the sleep is not lost", async () => {
	const { doorbell } = makeDoorbell();
	doorbell.prepare();
	doorbell.ring();
	expect(await sleepMs(doorbell, 30_000)).toBeLessThan(10_000);
});

it("a sleeper that was woken hears the next ring again", async () => {
	const { doorbell } = makeDoorbell();
	for (let time = 0; time < 20; time++) {
		doorbell.prepare();
		const slept = sleepMs(doorbell, 30_000);
		setTimeout(() => doorbell.ring(), time % 3);
		expect(await slept).toBeLessThan(10_000);
	}
});

it("does not block the event loop while it sleeps", async () => {
	const { doorbell } = makeDoorbell();
	doorbell.prepare();
	let turns = 0;
	const timer = setInterval(() => (turns += 1), 5);
	await doorbell.sleep(500);
	clearInterval(timer);
	expect(turns).toBeGreaterThan(3);
});

it("takes an announcement back, and rings for nobody", () => {
	const { mapping, doorbell } = makeDoorbell();
	doorbell.prepare();
	expect(mapping.words[1]).toBe(1);
	doorbell.cancel();
	expect(mapping.words[1]).toBe(0);
	doorbell.ring();
	expect(mapping.words[1]).toBe(0);
});

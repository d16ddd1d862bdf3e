import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it, onTestFinished } from "vitest";
import { queueNumber } from "../../src/shared/numbers.ts";
import { ControlFile } from "../../src/spool/control-file.ts";
import { Horizon } from "../../src/spool/horizon.ts";
import { startFixture } from "../fixture-process.ts";
import { temporaryDirectory } from "../temporary-directory.ts";

function open(cacheDir: string): ControlFile {
	const control = ControlFile.open(cacheDir);
	onTestFinished(() => control.close());
	return control;
}

/** Milliseconds until the horizon has passed what holds it up. */
async function passedAfterMs(horizon: Horizon, goal: number): Promise<number> {
	const startMs = performance.now();
	while (horizon.read() < goal) {
		expect(horizon.isHeldUp).toBe(true);
		if (performance.now() - startMs > 20_000) throw new Error("the horizon is held up for ever");
		await sleep(2);
	}
	return performance.now() - startMs;
}

describe("the horizon", () => {
	it("is the counter when nobody is in an append", () => {
		const control = open(temporaryDirectory());
		const horizon = new Horizon(control, queueNumber(0));
		expect(horizon.read()).toBe(1);
		control.add("nextNumber", 41);
		expect(horizon.read()).toBe(42);
		expect(horizon.isHeldUp).toBe(false);
	});

	it("is held up by a living producer in an append for about a second, and passes it over then", async () => {
		const cacheDir = temporaryDirectory();
		const holder = startFixture("slot-holder", cacheDir);
		await holder.line();
		const control = open(cacheDir);
		control.add("nextNumber", 10);
		const horizon = new Horizon(control, queueNumber(0));
		expect(horizon.read()).toBe(1);
		// As a debugger or a full machine does it.
		holder.process.kill("SIGSTOP");
		const passedMs = await passedAfterMs(horizon, 12);
		expect(passedMs).toBeGreaterThan(900);
		expect(passedMs).toBeLessThan(5000);
		// Nothing has to be asked again soon: what it commits later is late.
		expect(horizon.read()).toBe(12);
		expect(horizon.isHeldUp).toBe(false);
		holder.process.kill("SIGCONT");
		holder.tell("leave");
		expect(await holder.line()).toBe("left");
		expect(horizon.read()).toBe(12);
	});

	it("goes on as soon as a producer has left its append", async () => {
		const cacheDir = temporaryDirectory();
		const holder = startFixture("slot-holder", cacheDir);
		await holder.line();
		const control = open(cacheDir);
		control.add("nextNumber", 10);
		const horizon = new Horizon(control, queueNumber(0));
		expect(horizon.read()).toBe(1);
		holder.tell("leave");
		await holder.line();
		expect(horizon.read()).toBe(12);
	});

	it("is not held up by a producer that died in an append", async () => {
		const cacheDir = temporaryDirectory();
		const holder = startFixture("slot-holder", cacheDir);
		await holder.line();
		const control = open(cacheDir);
		control.add("nextNumber", 10);
		const horizon = new Horizon(control, queueNumber(0));
		expect(horizon.read()).toBe(1);
		await holder.kill();
		expect(await passedAfterMs(horizon, 12)).toBeLessThan(500);
	});

	it("is at the lowest of several bounds, and never goes back", () => {
		const control = open(temporaryDirectory());
		control.store("nextNumber", 100);
		const horizon = new Horizon(control, queueNumber(50));
		const bounds = [1, 2, 3].map((producer) => control.slotWord(control.claimSlot(producer) as number) + 1);
		bounds.forEach((word, index) => Atomics.store(control.mapping.words, word, [80, 70, 90][index] as number));
		expect(horizon.read()).toBe(70);
		Atomics.store(control.mapping.words, bounds[1] as number, 60);
		expect(horizon.read()).toBe(70);
		Atomics.store(control.mapping.words, bounds[1] as number, 0);
		expect(horizon.read()).toBe(80);
	});

	it("counts on when the 32 bits of the counter wrap", () => {
		const control = open(temporaryDirectory());
		const horizon = new Horizon(control, queueNumber(0));
		let before = horizon.read() as number;
		for (let step = 0; step < 12; step++) {
			control.add("nextNumber", 0x3fff_ffff);
			expect(horizon.read()).toBe(before + 0x3fff_ffff);
			before += 0x3fff_ffff;
			expect(control.counter()).toBe(before);
		}
		expect(before).toBeGreaterThan(2 ** 33);
		// A bound on the other side of the wrap is below, not above.
		const boundary = Math.ceil(before / 2 ** 32) * 2 ** 32;
		control.add("nextNumber", boundary - before);
		expect(horizon.read()).toBe(boundary);
		control.add("nextNumber", 5);
		Atomics.store(control.mapping.words, control.slotWord(control.claimSlot(1) as number) + 1, -1);
		expect(horizon.read()).toBe(boundary);
	});

	it("goes on from the high bits in the control file where no checkpoint knows a number", () => {
		for (const counter of [5, 3_000_000_000, 2 ** 32 + 3_000_000_000, 3 * 2 ** 32 + 5]) {
			const control = open(temporaryDirectory());
			control.store("nextNumber", counter % 2 ** 32);
			control.store("numberHigh", Math.floor(counter / 2 ** 32));
			expect(new Horizon(control, queueNumber(0)).read()).toBe(counter);
			expect(control.counter()).toBe(counter);
		}
	});
});

import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it, onTestFinished } from "vitest";
import { queueNumber } from "../../src/shared/numbers.ts";
import { ControlFile } from "../../src/spool/control-file.ts";
import { slotWords } from "../../src/spool/control-layout.ts";
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

	/** A slot of a living producer, a horizon that knows it, and what was told of it. */
	async function watched(next: number): Promise<{
		control: ControlFile;
		horizon: Horizon;
		suspects: number[];
		show: (bound: number) => void;
	}> {
		const cacheDir = temporaryDirectory();
		const holder = startFixture("slot-holder", cacheDir);
		await holder.line();
		const control = open(cacheDir);
		control.store("nextNumber", next);
		control.store("numberHigh", Math.floor(next / 2 ** 32));
		const suspects: number[] = [];
		const horizon = new Horizon(control, queueNumber(0), (producer) => suspects.push(producer));
		const word = control.slotWord(0) + slotWords.bound;
		Atomics.store(control.mapping.words, word, 0);
		return { control, horizon, suspects, show: (bound) => Atomics.store(control.mapping.words, word, bound | 0) };
	}

	// It gave each new bound a new second.
	it("is not held up by a producer that stores ever new bounds, and tells of it once", async () => {
		const { control, horizon, suspects, show } = await watched(1000);
		show(900);
		expect(horizon.read()).toBe(900);
		control.add("nextNumber", 10);
		let bound = 900;
		const startMs = performance.now();
		while (horizon.read() < 1010 && performance.now() - startMs < 20_000) {
			show((bound = bound === 999 ? 500 : bound + 1));
			await sleep(2);
		}
		expect(performance.now() - startMs).toBeLessThan(10_000);
		for (let time = 0; time < 100; time++) {
			control.add("nextNumber", 1);
			show(500 + time);
			expect(horizon.read()).toBe(1011 + time);
		}
		expect(suspects).toEqual([1]);
	});

	it("is not held up by bounds above the counter", async () => {
		const { control, horizon, suspects, show } = await watched(1000);
		expect(horizon.read()).toBe(1000);
		show(2000);
		control.add("nextNumber", 10);
		// Nobody could store that: its number is waited for from the last reading on, as far as one was taken at all.
		expect(horizon.read()).toBe(1000);
		const startMs = performance.now();
		let bound = 2000;
		while (horizon.read() < 1010 && performance.now() - startMs < 20_000) {
			show(bound++);
			await sleep(2);
		}
		expect(horizon.read()).toBe(1010);
		expect(suspects).toEqual([1]);
	});

	it("goes on although two producers take turns in holding it up", async () => {
		const { control, horizon, show } = await watched(1000);
		const other = startFixture("slot-holder", control.paths.cacheDir);
		await other.line();
		const showOther = (bound: number): void =>
			void Atomics.store(control.mapping.words, control.slotWord(1) + slotWords.bound, bound);
		let [first, second] = [show, showOther];
		second(0);
		first(1);
		horizon.read();
		for (let turn = 0; turn < 3; turn++) {
			control.add("nextNumber", 10);
			const goal = control.load("nextNumber");
			const turnMs = performance.now();
			while (performance.now() - turnMs < 500) {
				horizon.read();
				await sleep(5);
			}
			second(1);
			horizon.read();
			first(0);
			expect(horizon.read()).toBe(goal);
			[first, second] = [second, first];
		}
	});

	it.each([
		["", 1000],
		[" where the 32 bits of the counter wrap", 2 ** 32 - 2],
	])("gives each of many appends that follow each other its own second%s", async (_, next) => {
		const { control, horizon, suspects, show } = await watched(next);
		horizon.read();
		const startMs = performance.now();
		for (let time = 0; performance.now() - startMs < 1500; time++) {
			// As an append does it that begins while the one before is still seen.
			const bound = control.load("nextNumber") | 0;
			show(bound === 0 ? -1 : bound);
			// A bound of 0 would be none: there it is one below, the same as that of the append before.
			const expected = bound === 0 ? next + time - 1 : next + time;
			expect(horizon.read()).toBe(expected);
			control.add("nextNumber", 1);
			expect(horizon.read()).toBe(expected);
			expect(horizon.isHeldUp).toBe(true);
			await sleep(50);
		}
		expect(suspects).toEqual([]);
	});
});

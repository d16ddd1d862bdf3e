/** What keeps the logman from going to sleep. */
import { setTimeout as sleep } from "node:timers/promises";
import { expect, it, onTestFinished } from "vitest";
import { Alarm } from "../../src/logman/alarm.ts";
import { queueNumber } from "../../src/shared/numbers.ts";
import { ControlFile } from "../../src/spool/control-file.ts";
import { Horizon } from "../../src/spool/horizon.ts";
import { startFixture } from "../fixture-process.ts";
import { temporaryDirectory } from "../temporary-directory.ts";

/** Much longer than any test may take: a lost wake-up is seen as a time-out. */
const forEverMs = 600_000;

function openControl(cacheDir: string): ControlFile {
	const control = ControlFile.open(cacheDir);
	onTestFinished(() => control.close());
	return control;
}

/** An alarm that has seen all news, long enough ago that it goes to sleep at once. */
async function restedAlarm(control: ControlFile, hasLateNews: () => boolean): Promise<Alarm> {
	const alarm = new Alarm(control, hasLateNews);
	onTestFinished(() => alarm.close());
	await alarm.wait(1, false);
	await sleep(60);
	return alarm;
}

it("a record that is committed late, just before the logman goes to sleep, does not wait until something else wakes it", async () => {
	const cacheDir = temporaryDirectory();
	const holder = startFixture("slot-holder", cacheDir);
	await holder.line();
	const control = openControl(cacheDir);
	const horizon = new Horizon(control, queueNumber(0));
	horizon.read();
	while (horizon.isHeldUp) {
		await sleep(20);
		horizon.read();
	}
	expect(horizon.isPassedGone).toBe(false);
	const alarm = await restedAlarm(control, () => horizon.isPassedGone);
	// It leaves its append before the sleep is announced, so it rings no bell, and its number is no news.
	holder.tell("leave");
	await holder.line();
	expect(horizon.isPassedGone).toBe(true);
	await alarm.wait(forEverMs, false);
	horizon.read();
	expect(horizon.isPassedGone).toBe(false);
});

it("signals and timers are heard while something lasting keeps the logman from its sleep", async () => {
	const control = openControl(temporaryDirectory());
	const alarm = await restedAlarm(control, () => false);
	// A flush that can't be served now, as the spool's disk takes nothing.
	control.store("flushWanted", 1);
	let hasTurned = false;
	setImmediate(() => (hasTurned = true));
	await alarm.wait(forEverMs, false);
	expect(hasTurned).toBe(true);
});

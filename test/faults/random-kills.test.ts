/** Logmen are killed at random while messages come through the inbox. What producers log meanwhile is in storm.test.ts. */
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { ControlFile } from "../../src/spool/control-file.ts";
import { Inbox } from "../../src/spool/inbox.ts";
import { startFixture } from "../fixture-process.ts";
import { randomNumbers } from "../fixtures/faults/storm/random.ts";
import { cacheDirectory, drain, linesOf } from "../running-logman.ts";
import { temporaryDirectory } from "../temporary-directory.ts";

const seed = Number(process.env["PYLOG_TEST_SEED"] ?? Date.now() % 1_000_000);

/** Starts logmen one after the other until it is told to stop, and kills each. Returns how many there were. */
async function killLogmen(cacheDir: string, random: () => number, isOver: () => boolean): Promise<number> {
	let kills = 0;
	while (!isOver()) {
		const logman = startFixture("logman-process", cacheDir, JSON.stringify({ syncIntervalMs: 20 }));
		expect(await logman.line()).toBe("ready");
		await sleep(random() * 250);
		await logman.kill();
		kills += 1;
	}
	return kills;
}

test(`messages from several processes are written once each while the logmen are killed (PYLOG_TEST_SEED=${seed})`, async () => {
	const random = randomNumbers(seed);
	const cacheDir = cacheDirectory();
	const path = join(temporaryDirectory(), "app.log");
	ControlFile.open(cacheDir).close();
	new Inbox(cacheDir).ensure();
	const names = ["one", "two", "three"];
	const senders = names.map((name) => startFixture("fault-sender", cacheDir, path, name, "400"));
	let isOver = false;
	const [logmen] = await Promise.all([
		killLogmen(
			cacheDir,
			() => random() / 2,
			() => isOver,
		),
		Promise.all(senders.map(({ ended }) => ended())).then(() => (isOver = true)),
	]);
	await drain(cacheDir);
	const lines = linesOf(path);
	for (const name of names) {
		const numbers = lines.filter((line) => line.startsWith(`${name} `)).map((line) => Number(line.split(" ")[1]));
		expect(numbers.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 400 }, (_, index) => index + 1));
	}
	expect(lines).toHaveLength(1200);
	console.info(`${logmen} logmen killed, 1200 messages`);
});

/**
 * Producers and logmen are killed at random, again and again. Every line whose call had returned is in its file once,
 * those of a lane in their order; of the call that was going on the line is there or not.
 */
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { ControlFile } from "../../src/spool/control-file.ts";
import { Inbox } from "../../src/spool/inbox.ts";
import { startFixture } from "../fixture-process.ts";
import { cacheDirectory, drain, linesOf } from "../running-logman.ts";
import { temporaryDirectory } from "../temporary-directory.ts";

const seed = Number(process.env["PYLOG_TEST_SEED"] ?? Date.now() % 1_000_000);

/** The same numbers from 0 to 1 for the same seed. */
function randomNumbers(state: number): () => number {
	return () => {
		state = (state + 0x6d2b79f5) | 0;
		let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
		mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
		return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
	};
}

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

test(`producers and logmen that are killed at random lose, repeat and reorder nothing (PYLOG_TEST_SEED=${seed})`, async () => {
	const random = randomNumbers(seed);
	const cacheDir = cacheDirectory();
	const logs = temporaryDirectory();
	ControlFile.open(cacheDir).close();
	const endMs = performance.now() + 7000;
	const isOver = (): boolean => performance.now() > endMs;
	const files = ["one.log", "two.log"].map((name) => join(logs, name));
	/** Calls that had returned, by producer. */
	const returned = new Map<string, number>();
	const killProducers = async (place: number): Promise<void> => {
		for (let life = 1; !isOver(); life++) {
			const name = `producer-${place}-${life}`;
			const producer = startFixture("fault-producer", cacheDir, files[life % 2] as string, name);
			let told = "";
			producer.process.stdout.on("data", (text) => (told += text));
			await sleep(150 + random() * 500);
			await producer.kill();
			returned.set(name, told.split("\n").length - 1);
		}
	};
	const [logmen] = await Promise.all([
		killLogmen(cacheDir, random, isOver),
		...[1, 2, 3].map((place) => killProducers(place)),
	]);
	await drain(cacheDir);
	const lines = files.flatMap(linesOf);
	let total = 0;
	for (const [name, count] of returned) {
		const numbers = lines.filter((line) => line.startsWith(`${name} `)).map((line) => Number(line.split(" ")[1]));
		expect([count, count + 1], name).toContain(numbers.length);
		expect(
			numbers.toSorted((a, b) => a - b),
			name,
		).toEqual(numbers.map((_, index) => index + 1));
		for (const isUrgent of [true, false]) {
			const inLane = numbers.filter((number) => (number % 3 === 0) === isUrgent);
			expect(inLane, name).toEqual(inLane.toSorted((a, b) => a - b));
		}
		total += numbers.length;
	}
	expect(total).toBe(lines.length);
	expect(total).toBeGreaterThan(100);
	console.info(`${logmen} logmen and ${returned.size} producers killed, ${total} lines`);
});

test("messages from several processes are written once each while the logmen are killed", async () => {
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

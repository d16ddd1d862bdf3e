/** What becomes of records that find the spool full, by the policy of whoever logs them. */
import fs, { readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { join } from "node:path";
import { afterEach, describe, expect, it, onTestFinished, vi } from "vitest";
import type { LaneIndex } from "../../src/shared/lane.ts";
import { ControlFile } from "../../src/spool/control-file.ts";
import type { Entry } from "../../src/spool/entry.ts";
import { block, dropLowest, dropNew, type FullPolicy } from "../../src/spool/full-policy.ts";
import { recordFlags } from "../../src/spool/log-record.ts";
import { Producer, type ProducerOptions } from "../../src/spool/producer.ts";
import { segmentHeader } from "../../src/spool/segment-header.ts";
import { SpoolReader } from "../../src/spool/spool-reader.ts";
import { startFixture } from "../fixture-process.ts";
import { drain } from "../running-logman.ts";
import { temporaryDirectory } from "../temporary-directory.ts";
import { entryOf, messagesOf, newDefinition, type ReadRecord, ReaderNotes, readOn } from "./spool-records.ts";

const kib = 1024;
const debug = 20;
const info = 30;
const error = 50;
const longMs = 600_000;

afterEach(() => {
	vi.useRealTimers();
});

class Scene {
	readonly cacheDir = temporaryDirectory();
	readonly definition = newDefinition();
	readonly producer: Producer;
	readonly #control = ControlFile.open(this.cacheDir);
	readonly #reader = new SpoolReader(this.#control, undefined, new ReaderNotes());

	constructor(options: Partial<ProducerOptions> = {}) {
		this.producer = this.open({ maxSpoolBytes: kib * kib, ...options });
		onTestFinished(() => {
			this.#reader.close();
			this.#control.close();
		});
	}

	open(options: Partial<ProducerOptions> = {}): Producer {
		const producer = Producer.open({ cacheDir: this.cacheDir, ...options });
		onTestFinished(() => producer.close());
		return producer;
	}

	entry(message: string, level: number = info): Entry {
		return { ...entryOf(this.definition, message), level };
	}

	append(message: string, policy: FullPolicy = dropNew, level: number = info, lane: LaneIndex = 1): boolean {
		return this.producer.append(lane, this.entry(message, level), policy);
	}

	/** Appends until one is refused. Returns how many were taken. */
	fill(bytes = 1000, producer: Producer = this.producer): number {
		let count = 0;
		while (producer.append(1, this.entry("x".repeat(bytes)))) count += 1;
		return count;
	}

	/** What the logman does: reads all, confirms it, and says so. */
	drain(): ReadRecord[] {
		const records = readOn(this.#reader);
		this.#reader.markDelivered();
		this.#reader.publish();
		this.#control.store("written", this.#control.load("nextNumber"));
		return records;
	}

	get takenKib(): number {
		return this.#control.load("reservedKib") | 0;
	}
}

function fieldsOf({ fields }: ReadRecord): Record<string, unknown> {
	return JSON.parse(`{${fields}}`) as Record<string, unknown>;
}

function noticesIn(records: readonly ReadRecord[]): ReadRecord[] {
	return records.filter(({ flags }) => flags === recordFlags.dropNotice);
}

describe("drop-new", () => {
	it("is told of with how many of which levels, whose, why and by which policy", () => {
		const scene = new Scene();
		scene.fill();
		for (let more = 0; more < 3; more++) scene.append("x".repeat(1000), dropNew, error);
		scene.drain();
		scene.append("again");
		const [notice] = noticesIn(scene.drain());
		expect(notice?.message).toBe("pylog dropped 4 records here: the spool is full");
		expect(fieldsOf(notice as ReadRecord)).toEqual({
			dropped: 4,
			levels: { info: 1, error: 3 },
			lane: "normal",
			producer: scene.producer.number,
			process: process.pid,
			since: expect.stringMatching(/^\d{4}-/) as string,
			policy: "drop-new",
			cause: "limit",
		});
	});

	it("asks the system now and then, not with every record", () => {
		const scene = new Scene();
		scene.fill();
		const real = fs.statfsSync;
		let asked = 0;
		const counted = (path: string): fs.StatsFs => {
			asked += 1;
			return real(path);
		};
		Object.assign(fs, { statfsSync: counted });
		syncBuiltinESMExports();
		try {
			for (let index = 0; index < 10_000; index++) expect(scene.append("x".repeat(1000))).toBe(false);
		} finally {
			Object.assign(fs, { statfsSync: real });
			syncBuiltinESMExports();
		}
		expect(asked).toBeLessThan(1000);
		expect(scene.producer.dropped).toBe(10_001);
	});

	it("takes a record at once when the logman or another producer has given room back", () => {
		const scene = new Scene();
		const other = scene.open({ maxSpoolBytes: kib * kib });
		other.append(1, scene.entry("x".repeat(200_000)));
		scene.fill();
		scene.drain();
		expect(scene.append("x".repeat(1000))).toBe(true);
		scene.fill();
		expect(scene.append("x".repeat(1000))).toBe(false);
		scene.producer.control.add("reservedKib", -256);
		expect(scene.append("x".repeat(1000))).toBe(true);
	});
});

describe("block", () => {
	it("waits until a logman has made room, and loses nothing", () => {
		const scene = new Scene();
		scene.fill();
		startFixture("logman-process", scene.cacheDir);
		for (let index = 0; index < 3000; index++) expect(scene.append("y".repeat(1000), block(longMs))).toBe(true);
		expect(scene.producer.dropped).toBe(1);
	});

	it("drops after its deadline, which it has slept away", () => {
		const scene = new Scene();
		scene.fill();
		const before = process.cpuUsage();
		const startMs = performance.now();
		expect(scene.append("x".repeat(1000), block(1000))).toBe(false);
		expect(performance.now() - startMs).toBeGreaterThanOrEqual(999);
		const { user, system } = process.cpuUsage(before);
		expect(user + system).toBeLessThan(500_000);
		expect(scene.append("x".repeat(1000))).toBe(false);
		scene.drain();
		scene.append("again");
		const notices = noticesIn(scene.drain());
		expect(notices.map(fieldsOf)).toMatchObject([
			{ dropped: 2, policy: "drop-new" },
			{ dropped: 1, policy: "block", deadlineMs: 1000 },
		]);
	});

	it("does not wait for a closed lane, and no longer once its lane is closed", () => {
		let asked = 0;
		const maxWaitMs = (): number => {
			asked += 1;
			if (asked === 3) scene.producer.control.setClosed("normal", true);
			return longMs;
		};
		const scene: Scene = new Scene({ maxWaitMs });
		scene.fill();
		expect(scene.append("x".repeat(1000), block(longMs))).toBe(false);
		expect(asked).toBe(3);
		expect(scene.append("x", block(longMs))).toBe(false);
		expect(asked).toBe(3);
		scene.producer.control.setClosed("normal", false);
		scene.drain();
		scene.append("again");
		expect(messagesOf(noticesIn(scene.drain()))).toEqual([
			"pylog dropped 1 record here: the spool is full",
			"pylog dropped 2 records here: the lane was closed",
		]);
	});

	it("does not wait for a record that is larger than the spool", () => {
		const scene = new Scene();
		expect(scene.append("x".repeat(2 * kib * kib), block(longMs))).toBe(false);
	});

	it("waits no longer than it is allowed to", () => {
		let allowedMs = 10;
		const scene = new Scene({ maxWaitMs: () => allowedMs });
		scene.fill();
		expect(scene.append("x".repeat(1000), block(longMs))).toBe(false);
		allowedMs = 0;
		expect(scene.append("x".repeat(1000), block(longMs))).toBe(false);
	});
});

describe("drop-lowest", () => {
	const policy = dropLowest(40, 0.5);

	it("drops what is below its level once the spool passes its share, and leaves the rest to the others", () => {
		const scene = new Scene();
		let low = 0;
		while (scene.append("low".padEnd(1000), policy, info)) low += 1;
		expect(low * 1000).toBeGreaterThan(0.2 * kib * kib);
		expect(low * 1000).toBeLessThan(0.85 * kib * kib);
		let high = 0;
		while (scene.append("high".padEnd(1000), policy, error)) high += 1;
		expect(high * 1000).toBeGreaterThan(0.15 * kib * kib);
		expect(scene.append("low".padEnd(1000), policy, debug)).toBe(false);
		scene.drain();
		expect(scene.append("low", policy, info)).toBe(true);
		const records = scene.drain();
		expect(messagesOf(records)).toEqual([
			"pylog dropped 2 records here: the spool is nearly full",
			"pylog dropped 1 record here: the spool is full",
			"low",
		]);
		expect(fieldsOf(records[0] as ReadRecord)).toMatchObject({
			levels: { info: 1, debug: 1 },
			policy: "drop-lowest",
			below: "warning",
			share: 0.5,
		});
		expect(fieldsOf(records[1] as ReadRecord)).toMatchObject({ levels: { error: 1 }, cause: "limit" });
	});

	it("does not put a line about drops in front of each record that is taken", () => {
		const scene = new Scene();
		const startMs = performance.now();
		let taken = 0;
		for (let index = 0; index < 300; index++) {
			scene.append("low".padEnd(2000), policy, info);
			taken += Number(scene.append("high".padEnd(1500), policy, error));
		}
		const seconds = (performance.now() - startMs) / 1000;
		expect(scene.producer.dropped).toBeGreaterThan(100);
		expect(taken).toBeGreaterThan(250);
		expect(noticesIn(scene.drain()).length).toBeLessThanOrEqual(seconds + 1);
	});

	it("does not take what it holds free itself for taken", () => {
		const scene = new Scene();
		// Never a turn of the event loop, which would give segments back.
		for (let round = 0; round < 20; round++) {
			for (let index = 0; index < 200; index++) {
				expect(scene.append("low".padEnd(1000), policy, info), `${round}/${index}`).toBe(true);
			}
			scene.drain();
		}
	});

	it("drops nothing in a spool that is nearly empty, however quickly the lanes of many filled it before", () => {
		const maxSpoolBytes = 8 * kib * kib;
		const scene = new Scene({ maxSpoolBytes });
		const producers = [scene.producer, ...[1, 2].map(() => scene.open({ maxSpoolBytes }))];
		const append = (producer: Producer, index: number): boolean =>
			producer.append(index % 4 === 0 ? 0 : 1, scene.entry("low".padEnd(1500)), dropLowest(40, 0.8));
		// All at once, until it is nearly full; then little at a time, which the logman takes at once.
		for (let index = 0; index < 3000; index++) for (const producer of producers) append(producer, index);
		scene.drain();
		for (let round = 0; round < 100; round++) {
			for (const producer of producers) {
				for (let index = 0; index < 50; index++) expect(append(producer, index), `round ${round}`).toBe(true);
			}
			scene.drain();
		}
	});

	it("drops nothing while no line waits, though what the lanes hold passes its share", () => {
		const scene = new Scene({ maxSpoolBytes: 256 * kib });
		const producers = [scene.producer, ...[1, 2].map(() => scene.open({ maxSpoolBytes: 256 * kib }))];
		for (const producer of producers) producer.append(1, scene.entry("first"));
		scene.drain();
		expect(scene.takenKib).toBeGreaterThan(0.5 * 256);
		for (let round = 0; round < 5; round++) {
			expect(scene.append("low", policy, info)).toBe(true);
			expect(scene.append("low", policy, info)).toBe(false);
			scene.drain();
		}
	});

	it("leaves loggers alone that have another policy", () => {
		const scene = new Scene();
		while (scene.append("low".padEnd(1000), policy, info));
		expect(scene.append("low".padEnd(1000), dropNew, info)).toBe(true);
	});
});

describe("the room of a spool", () => {
	it("that holds nothing but delivered records takes new ones, though every lane has its share of the limit", () => {
		const scene = new Scene({ maxSpoolBytes: 192 * kib });
		const producers = [scene.producer, ...[1, 2].map(() => scene.open({ maxSpoolBytes: 192 * kib }))];
		for (const producer of producers) producer.append(1, scene.entry("first"));
		for (const producer of producers) expect(scene.fill(1000, producer)).toBeGreaterThan(50);
		for (let round = 0; round < 5; round++) {
			scene.drain();
			for (const producer of producers) expect(scene.fill(1000, producer)).toBeGreaterThan(30);
		}
		scene.drain();
		const late = scene.open({ maxSpoolBytes: 192 * kib });
		expect(late.append(1, scene.entry("of a producer that came last"))).toBe(true);
		expect(scene.takenKib).toBeLessThanOrEqual(192 + 4 * 64);
	});

	it("is not held by a lane that rests", () => {
		vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval"] });
		const scene = new Scene({ maxSpoolBytes: 64 * kib * kib });
		for (let index = 0; index < 20_000; index++) scene.append("x".repeat(1000));
		scene.drain();
		expect(scene.takenKib).toBeGreaterThan(20_000);
		vi.advanceTimersByTime(16_000);
		const folder = join(scene.producer.control.paths.producers, String(scene.producer.number));
		const files = readdirSync(folder).filter((name) => name.endsWith(".seg"));
		expect(files).toHaveLength(1);
		expect(scene.takenKib).toBe(statSync(join(folder, files[0] as string)).size / kib);
		expect(vi.getTimerCount()).toBe(0);
		scene.append("still there");
		expect(messagesOf(scene.drain())).toEqual(["still there"]);
	});

	it("is not held by the other lane of a producer that has no room", () => {
		const scene = new Scene({ maxSpoolBytes: 512 * kib });
		while (scene.append("x".repeat(1000), dropNew, info, 0));
		scene.drain();
		expect(scene.fill()).toBeGreaterThan(300);
	});

	it("takes nothing into a free segment whose file somebody removed", () => {
		const scene = new Scene();
		scene.fill();
		scene.drain();
		const folder = join(scene.producer.control.paths.producers, String(scene.producer.number));
		const files = readdirSync(folder).filter((name) => name.endsWith(".seg"));
		const indexOf = (name: string): number => readFileSync(join(folder, name)).readUInt32LE(segmentHeader.index);
		const current = files.reduce((last, name) => (indexOf(name) > indexOf(last) ? name : last));
		for (const name of files) if (name !== current) rmSync(join(folder, name));
		const messages = Array.from({ length: 500 }, (_, index) => `${index}`.padEnd(1000));
		for (const message of messages) expect(scene.append(message)).toBe(true);
		expect(messagesOf(scene.drain()).filter((message) => !message.startsWith("pylog"))).toEqual(messages);
	});
});

describe("a producer that is killed while it makes or removes a segment", () => {
	const steps = ["clear-place", "create", "size", "reserve", "begin", "link", "discard"];
	it.each(steps)("leaves no room taken for ever: %s", async (step) => {
		const cacheDir = temporaryDirectory();
		const control = ControlFile.open(cacheDir);
		onTestFinished(() => control.close());
		// There may be no second one of those.
		for (const time of step === "discard" ? [1, 1, 1] : [1, 2, 3]) {
			const killed = startFixture("segment-killer", cacheDir, `segment.${step}`, String(time));
			await killed.ended();
			expect(killed.process.signalCode).toBe("SIGKILL");
		}
		await drain(cacheDir);
		expect(readdirSync(control.paths.producers)).toEqual([]);
		const takenKib = control.load("reservedKib") | 0;
		expect(takenKib).toBeLessThanOrEqual(0);
		// No more than what the three may have given back twice.
		expect(takenKib).toBeGreaterThanOrEqual(-3 * 4096);
	});
});

import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import type { LaneIndex } from "../../src/shared/lane.ts";
import type { Checkpoint } from "../../src/spool/checkpoint.ts";
import { ControlFile } from "../../src/spool/control-file.ts";
import { slotWords } from "../../src/spool/control-layout.ts";
import { Producer } from "../../src/spool/producer.ts";
import { SpoolReader } from "../../src/spool/spool-reader.ts";
import { fixturePath, startFixture } from "../fixture-process.ts";
import { temporaryDirectory } from "../temporary-directory.ts";
import { copyOf, entryOf, messagesOf, newDefinition, type ReadRecord, ReaderNotes, readOn } from "./spool-records.ts";

interface Opened {
	readonly reader: SpoolReader;
	readonly notes: ReaderNotes;
	readonly control: ControlFile;
}

function openReader(cacheDir: string, checkpoint?: Checkpoint): Opened {
	const control = ControlFile.open(cacheDir);
	const notes = new ReaderNotes();
	const reader = new SpoolReader(control, checkpoint, notes);
	onTestFinished(() => {
		reader.close();
		control.close();
	});
	return { reader, notes, control };
}

function openProducer(cacheDir: string): (message: string, lane?: LaneIndex) => void {
	const producer = Producer.open({ cacheDir });
	onTestFinished(() => producer.close());
	const definition = newDefinition();
	return (message, lane = 1) => expect(producer.append(lane, entryOf(definition, message))).toBe(true);
}

function checkpointOf(reader: SpoolReader): Checkpoint {
	return {
		horizon: reader.horizon,
		delivered: reader.delivered,
		chains: structuredClone(reader.states()),
		outputs: [],
		parked: {},
		unsynced: [],
	};
}

/** Reads some records, as a batch that ends early. */
function readSome(reader: SpoolReader, count: number): ReadRecord[] {
	const records: ReadRecord[] = [];
	reader.read((record) => {
		records.push(copyOf(record));
		return records.length === count ? "last" : "on";
	});
	return records;
}

function expectAscending(records: readonly ReadRecord[]): void {
	for (let at = 1; at < records.length; at++) {
		expect(records[at]?.queue).toBeGreaterThan(records[at - 1]?.queue as number);
	}
}

describe("several processes", () => {
	it("get one order in each lane, and every record of theirs is read once", async () => {
		const cacheDir = temporaryDirectory();
		const count = 20_000;
		const names = ["a", "b", "c", "d"];
		const writers = names.map((name) => startFixture("spool-writer", cacheDir, name, String(count)));
		for (const writer of writers) await writer.line();
		const { reader, notes } = openReader(cacheDir);
		const read: [ReadRecord[], ReadRecord[]] = [[], []];
		const look = (): void => {
			for (const record of readOn(reader)) read[record.lane === "priority" ? 0 : 1].push(record);
			reader.markDelivered();
			reader.publish();
		};
		for (const writer of writers) writer.tell("go");
		const ledger = new Map<string, [number, number]>();
		const done = Promise.all(
			writers.map(async (writer, index) => {
				ledger.set(names[index] as string, JSON.parse(await writer.line()) as [number, number]);
				await writer.ended();
			}),
		);
		let isDone = false;
		void done.then(() => (isDone = true));
		while (!isDone) {
			look();
			await sleep(1);
		}
		await done;
		reader.checkLiveness(true);
		look();
		expect(notes.gaps).toEqual([]);
		expect(notes.damages).toEqual([]);
		for (const lane of [0, 1] as const) {
			expectAscending(read[lane]);
			expect(read[lane].some(({ late }) => late)).toBe(false);
			for (const name of names) {
				const ofOne = messagesOf(read[lane]).filter((message) => message.startsWith(`${name}/`));
				const appended = ledger.get(name)?.[lane] as number;
				expect(ofOne).toEqual(Array.from({ length: appended }, (_, index) => `${name}/${lane}/${index}`));
			}
		}
		expect(read[0].length + read[1].length).toBe(4 * count);
		// All have ended and all is delivered: nothing of them stays.
		expect(reader.retire()).toEqual([]);
		expect(readdirSync(join(cacheDir, "producers"))).toEqual([]);
		expect(reader.producers[Symbol.iterator]().next().done).toBe(true);
	});
});

describe("the lanes", () => {
	it("are read one after the other, the priority lane first, each by number over all producers", () => {
		const cacheDir = temporaryDirectory();
		const [one, other] = [openProducer(cacheDir), openProducer(cacheDir)];
		one("n1");
		other("p1", 0);
		one("p2", 0);
		other("n2");
		one("n3");
		other("p3", 0);
		expect(messagesOf(readOn(openReader(cacheDir).reader))).toEqual(["p1", "p2", "p3", "n1", "n2", "n3"]);
	});

	it("take turns: what comes to the priority lane during a batch of it waits for the normal lane", () => {
		const cacheDir = temporaryDirectory();
		const log = openProducer(cacheDir);
		const { reader } = openReader(cacheDir);
		for (let index = 0; index < 4; index++) log(`p${index}`, 0);
		log("n0");
		expect(messagesOf(readSome(reader, 2))).toEqual(["p0", "p1"]);
		log("p4", 0);
		expect(messagesOf(readSome(reader, 2))).toEqual(["p2", "p3"]);
		log("p5", 0);
		expect(messagesOf(readOn(reader))).toEqual(["n0"]);
		expect(messagesOf(readOn(reader))).toEqual(["p4", "p5"]);
	});

	it("can be read alone, and say whether they are empty", () => {
		const cacheDir = temporaryDirectory();
		const log = openProducer(cacheDir);
		const { reader } = openReader(cacheDir);
		expect([reader.isEmpty(0), reader.isEmpty(1)]).toEqual([true, true]);
		log("n0");
		log("n1");
		expect([reader.isEmpty(0), reader.isEmpty(1)]).toEqual([true, false]);
		const read: string[] = [];
		const takeOne = (): boolean =>
			reader.readOnly(1, (record) => {
				read.push(copyOf(record).message);
				return "last";
			});
		expect([takeOne(), takeOne(), takeOne()]).toEqual([true, false, false]);
		expect(read).toEqual(["n0", "n1"]);
		expect(reader.isEmpty(1)).toBe(true);
	});
});

describe("a reader", () => {
	it("goes on from a checkpoint: nothing twice, nothing left out, whatever the batches are", () => {
		const cacheDir = temporaryDirectory();
		const [one, other] = [openProducer(cacheDir), openProducer(cacheDir)];
		for (let index = 0; index < 3000; index++) {
			(index % 3 === 0 ? one : other)(`${index}`.padEnd(index % 300), index % 7 === 0 ? 0 : 1);
		}
		const read: ReadRecord[] = [];
		let checkpoint: Checkpoint | undefined;
		for (let batch = 1; read.length < 3000; batch++) {
			const { reader, notes } = openReader(cacheDir, checkpoint);
			read.push(...readSome(reader, batch));
			reader.markDelivered();
			reader.publish();
			checkpoint = checkpointOf(reader);
			reader.close();
			expect(notes.gaps).toEqual([]);
			expect(batch).toBeLessThan(3000);
		}
		expect(read).toHaveLength(3000);
		expect(new Set(messagesOf(read)).size).toBe(3000);
		expect(messagesOf(readOn(openReader(cacheDir, checkpoint).reader))).toEqual([]);
	});

	it("gives a batch that was begun again, to the record, whatever came since", () => {
		const cacheDir = temporaryDirectory();
		const log = openProducer(cacheDir);
		for (let index = 0; index < 700; index++) log(`${index}`.padEnd(300), index % 5 === 0 ? 0 : 1);
		const first = openReader(cacheDir);
		readSome(first.reader, 100);
		first.reader.markDelivered();
		const batch = readSome(first.reader, 450);
		// As a logman that dies now has stored it: read up to here, delivered up to there.
		const checkpoint = checkpointOf(first.reader);
		const rest = messagesOf(readOn(first.reader));
		for (let index = 0; index < 300; index++) log("since then".padEnd(300), index % 2 === 0 ? 0 : 1);
		const second = openReader(cacheDir, checkpoint);
		const again: ReadRecord[] = [];
		second.reader.replay(checkpoint.chains, (record) => {
			again.push(copyOf(record));
			return "on";
		});
		expect(again).toEqual(batch);
		second.reader.markDelivered();
		const since = messagesOf(readOn(second.reader));
		expect(since.filter((message) => !message.startsWith("since"))).toEqual(rest);
		expect(since).toHaveLength(rest.length + 300);
	});

	it("that has lost its checkpoint goes on from what the slots say is written", () => {
		const cacheDir = temporaryDirectory();
		const log = openProducer(cacheDir);
		const first = openReader(cacheDir);
		for (let round = 0; round < 20; round++) {
			for (let index = 0; index < 200; index++) log(`${round}/${index}`.padEnd(400));
			log(`${round}`, 0);
			readOn(first.reader);
			first.reader.markDelivered();
			first.reader.publish();
		}
		first.reader.close();
		log("next");
		log("next priority", 0);
		// Segment 1 has long been used again, and the newest stands at any place.
		const { reader, notes } = openReader(cacheDir);
		expect(messagesOf(readOn(reader))).toEqual(["next priority", "next"]);
		expect(notes.gaps).toEqual([]);
		expect(notes.damages).toEqual([]);
	});

	it("meets a producer before that has its slot, and reads it as soon as there is something", () => {
		const cacheDir = temporaryDirectory();
		const { reader, control } = openReader(cacheDir);
		vi.spyOn(ControlFile.prototype, "claimSlot").mockImplementationOnce(function (this: ControlFile, number) {
			// Somebody else comes at the same moment, and the reader looks who is there.
			control.add("producersOpened", 1);
			readOn(reader);
			return this.claimSlot(number);
		});
		const log = openProducer(cacheDir);
		readOn(reader);
		log("first");
		expect(messagesOf(readOn(reader))).toEqual(["first"]);
		reader.markDelivered();
		reader.publish();
		expect(control.mapping.words[control.slotWord(0) + slotWords.written + 1]).toBe(1);
	});

	it("tells producers what is written and durable, and never before it is", () => {
		const cacheDir = temporaryDirectory();
		const producer = Producer.open({ cacheDir });
		onTestFinished(() => producer.close());
		const definition = newDefinition();
		const { reader } = openReader(cacheDir);
		const state = (): boolean[] => [producer.hasReached("written"), producer.hasReached("durable")];
		expect(state()).toEqual([true, true]);
		producer.append(1, entryOf(definition, "one"));
		producer.append(0, entryOf(definition, "two"));
		readOn(reader);
		expect(state()).toEqual([false, false]);
		reader.publish();
		expect(state()).toEqual([false, false]);
		reader.markDelivered();
		reader.publish();
		expect(state()).toEqual([true, false]);
		reader.publishDurable(reader.deliveredCounts());
		expect(state()).toEqual([true, true]);
		producer.append(1, entryOf(definition, "three"));
		expect(state()).toEqual([false, false]);
	});

	it("removes a dead producer only when all of it is delivered, with its disk and its slot", async () => {
		const cacheDir = temporaryDirectory();
		const writer = startFixture("spool-writer", cacheDir, "w", "500");
		await writer.line();
		const { reader, control } = openReader(cacheDir);
		reader.discover();
		writer.tell("go");
		await writer.line();
		await writer.ended();
		reader.checkLiveness(true);
		expect(reader.retire()).toEqual([]);
		readSome(reader, 400);
		reader.markDelivered();
		reader.retire();
		expect(existsSync(join(cacheDir, "producers", "1"))).toBe(true);
		expect(readOn(reader)).toHaveLength(100);
		reader.retire();
		expect(existsSync(join(cacheDir, "producers", "1"))).toBe(true);
		expect(control.load("reservedKib")).toBeGreaterThan(0);
		reader.markDelivered();
		reader.retire();
		expect(existsSync(join(cacheDir, "producers", "1"))).toBe(false);
		expect(control.load("reservedKib")).toBe(0);
		expect(control.claimSlot(9)).toBe(0);
	});

	it("hands over what a producer dropped and could not tell", () => {
		const cacheDir = temporaryDirectory();
		const producer = Producer.open({ cacheDir });
		const definition = newDefinition();
		const { reader, control } = openReader(cacheDir);
		producer.append(1, entryOf(definition, "taken"));
		control.setClosed("normal", true);
		for (let time = 0; time < 3; time++) producer.append(1, entryOf(definition, "dropped"));
		producer.close();
		readOn(reader);
		reader.markDelivered();
		reader.checkLiveness(true);
		readOn(reader);
		expect(reader.retire()).toEqual([{ producer: 1, count: 3 }]);
	});

	it("loses and removes nothing when this process may open no file more", () => {
		const cacheDir = temporaryDirectory();
		for (let time = 0; time < 3; time++) {
			const producer = Producer.open({ cacheDir });
			const definition = newDefinition();
			for (let index = 0; index < 10; index++) producer.append(1, entryOf(definition, `${index}`));
			producer.close();
		}
		const command = `ulimit -n 60; exec "$0" "$1" "$2"`;
		const { stdout, stderr } = spawnSync(
			"sh",
			["-c", command, process.execPath, fixturePath("reader-without-descriptors"), cacheDir],
			{ encoding: "utf8" },
		);
		expect(stderr).toBe("");
		expect(JSON.parse(stdout)).toEqual({
			without: "0 records, then EMFILE",
			left: ["1", "2", "3"],
			again: "30 records",
			notes: [],
		});
		expect(readdirSync(join(cacheDir, "producers"))).toEqual([]);
	});

	it("reads on past two to the power of 32 records", () => {
		const cacheDir = temporaryDirectory();
		const control = ControlFile.open(cacheDir);
		control.store("nextNumber", 2 ** 32 - 500);
		control.close();
		const { reader } = openReader(cacheDir);
		const [one, other] = [openProducer(cacheDir), openProducer(cacheDir)];
		for (let index = 0; index < 500; index++) (index % 2 === 0 ? one : other)(`${index}`);
		const before = readOn(reader);
		reader.markDelivered();
		for (let index = 500; index < 1000; index++) (index % 2 === 0 ? one : other)(`${index}`);
		const records = [...before, ...readOn(reader)];
		expect(messagesOf(records)).toEqual(Array.from({ length: 1000 }, (_, index) => `${index}`));
		expectAscending(records);
		expect(records.at(-1)?.queue).toBe(2 ** 32 + 499);
		expect(records.some(({ late }) => late)).toBe(false);
	});
});

describe("a folder that is taken away while it is read", () => {
	it("costs its own records, and ends nothing, though there are more segments than descriptors", () => {
		const cacheDir = temporaryDirectory();
		const count = 270;
		for (let index = 0; index < count; index++) {
			const producer = Producer.open({ cacheDir });
			const definition = newDefinition();
			for (const part of ["a", "b"]) producer.append(1, entryOf(definition, `${part}${index}`));
			producer.close();
		}
		const { reader, notes } = openReader(cacheDir);
		expect(messagesOf(readSome(reader, 1))).toEqual(["a0"]);
		for (const number of ["1", "100", "270"]) rmSync(join(cacheDir, "producers", number), { recursive: true });
		const messages = messagesOf(readOn(reader));
		expect(messages.length).toBeGreaterThanOrEqual(2 * (count - 3));
		expect(new Set(messages).size).toBe(messages.length);
		reader.markDelivered();
		reader.retire();
		expect(readdirSync(join(cacheDir, "producers"))).toEqual([]);
		expect(messages.length + 1 + notes.gaps.reduce((sum, gap) => sum + gap.count, 0)).toBe(2 * count);
	});
});

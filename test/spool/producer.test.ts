import { readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { ControlFile } from "../../src/spool/control-file.ts";
import { Definition } from "../../src/spool/definition.ts";
import { recordFlags } from "../../src/spool/log-record.ts";
import { Producer, type ProducerOptions } from "../../src/spool/producer.ts";
import { maxPartBytes } from "../../src/spool/record-codec.ts";
import { SpoolReader } from "../../src/spool/spool-reader.ts";
import { temporaryDirectory } from "../temporary-directory.ts";
import {
	entryOf,
	loggerDefinition,
	messagesOf,
	newDefinition,
	type ReadRecord,
	ReaderNotes,
	readOn,
} from "./spool-records.ts";

function open(options: Partial<ProducerOptions> = {}): Producer {
	const producer = Producer.open({ cacheDir: options.cacheDir ?? temporaryDirectory(), ...options });
	onTestFinished(() => producer.close());
	return producer;
}

function readerOf(producer: Producer, notes = new ReaderNotes()): SpoolReader {
	const control = ControlFile.open(producer.control.paths.cacheDir);
	const reader = new SpoolReader(control, undefined, notes);
	onTestFinished(() => {
		reader.close();
		control.close();
	});
	return reader;
}

/** What the logman does with what it has read. */
function confirm(reader: SpoolReader): void {
	reader.markDelivered();
	reader.publish();
}

function folderOf(producer: Producer): string {
	return join(producer.control.paths.producers, String(producer.number));
}

function segmentsOf(producer: Producer): { count: number; bytes: number } {
	const sizes = readdirSync(folderOf(producer))
		.filter((name) => name.endsWith(".seg"))
		.map((name) => statSync(join(folderOf(producer), name)).size);
	return { count: sizes.length, bytes: sizes.reduce((sum, size) => sum + size, 0) };
}

describe("a record", () => {
	it("comes back as it was appended", () => {
		const producer = open();
		const definition = newDefinition({ fields: '"bound":true', thread: 3 });
		const callSite = Definition.ofCallSite("src/päth.ts:12");
		const error = JSON.stringify({ type: "Error", message: "no", stack: "" });
		const entry = entryOf(definition, "naïve 😀 \ud800 end\n\0", { callSite, fields: '"ü":"€"', error });
		expect(producer.append(1, { ...entry, level: 50, flags: 9, timeMs: 1_795_328_728_123.5 })).toBe(true);
		const [record] = readOn(readerOf(producer));
		expect(record).toEqual({
			queue: 1,
			sequence: 1,
			lane: "normal",
			level: 50,
			flags: 9,
			timeMs: 1_795_328_728_123.5,
			utcOffsetMinutes: 0 - new Date(1_795_328_728_123).getTimezoneOffset(),
			definition: loggerDefinition({ fields: '"bound":true', thread: 3 }),
			callSite: "src/päth.ts:12",
			late: false,
			message: "naïve 😀 \ufffd end\n\0",
			fields: '"ü":"€"',
			error,
		});
	});

	it("has the wall clock of its call where none is given", () => {
		const producer = open();
		const before = Date.now();
		producer.append(1, entryOf(newDefinition(), "now"));
		const [record] = readOn(readerOf(producer));
		expect(record?.timeMs).toBeGreaterThanOrEqual(before);
		expect(record?.timeMs).toBeLessThanOrEqual(Date.now());
	});

	it("may be empty, and of any length around the steps of eight", () => {
		const producer = open();
		const definition = newDefinition();
		const messages = Array.from({ length: 40 }, (_, length) => "x".repeat(length));
		for (const message of messages) producer.append(1, entryOf(definition, message, { fields: message.slice(0, 3) }));
		const records = readOn(readerOf(producer));
		expect(messagesOf(records)).toEqual(messages);
		expect(records.map(({ fields }) => fields)).toEqual(messages.map((message) => message.slice(0, 3)));
	});

	it("refers to its own definitions in every segment, whichever records are in it", () => {
		const producer = open();
		const definitions = [1, 2, 3].map((name) => newDefinition({ name: String(name) }));
		const callSites = [1, 2, 3, 4, 5].map((line) => Definition.ofCallSite(`app.ts:${line}`));
		for (let index = 0; index < 4000; index++) {
			const definition = definitions[index % 3] as Definition;
			const callSite = index % 11 === 0 ? undefined : callSites[index % 5];
			producer.append(index % 13 === 0 ? 0 : 1, entryOf(definition, `${index}`.padEnd(index % 200), { callSite }));
		}
		expect(segmentsOf(producer).count).toBeGreaterThan(4);
		const records = readOn(readerOf(producer));
		expect(records).toHaveLength(4000);
		for (const { message, definition, callSite } of records) {
			const index = Number.parseInt(message, 10);
			expect(definition.name).toBe(String((index % 3) + 1));
			expect(callSite).toBe(index % 11 === 0 ? "" : `app.ts:${(index % 5) + 1}`);
		}
	});

	it("has the definition that was given, though several producers are given the same one", () => {
		const cacheDir = temporaryDirectory();
		const [one, other] = [open({ cacheDir }), open({ cacheDir })];
		const [shared, own] = [newDefinition({ name: "shared" }), newDefinition({ name: "own" })];
		const callSite = Definition.ofCallSite("app.ts:1");
		one.append(1, entryOf(own, "own"));
		for (const producer of [one, other, one, other]) producer.append(1, entryOf(shared, "shared", { callSite }));
		const records = readOn(readerOf(one));
		expect(records.map(({ definition }) => definition.name)).toEqual(["own", "shared", "shared", "shared", "shared"]);
		expect(records.map(({ callSite: site }) => site)).toEqual(["", ...Array.from({ length: 4 }, () => "app.ts:1")]);
	});

	it("far behind its definition finds it, also when reading begins in the middle", () => {
		const producer = open();
		const definition = newDefinition();
		const callSite = Definition.ofCallSite("app.ts:1");
		// Fills quickly, so that segments grow to megabytes.
		for (let index = 0; index < 30_000; index++) producer.append(1, entryOf(definition, "x".repeat(100), { callSite }));
		const first = new SpoolReader(producer.control, undefined, new ReaderNotes());
		let count = 0;
		first.read(() => ((count += 1) === 29_000 ? "last" : "on"));
		first.markDelivered();
		const checkpoint = { horizon: first.horizon, delivered: first.delivered, chains: first.states() };
		first.close();
		const second = new SpoolReader(
			producer.control,
			{ ...checkpoint, outputs: [], parked: {}, unsynced: [] },
			new ReaderNotes(),
		);
		onTestFinished(() => second.close());
		const records = readOn(second);
		expect(records).toHaveLength(1000);
		expect(new Set(records.map((record) => record.callSite))).toEqual(new Set(["app.ts:1"]));
		expect(new Set(records.map((record) => record.definition.output))).toEqual(new Set(["/logs/app.log"]));
	});
});

describe("a large record", () => {
	it("gets a segment of its own, and those around it stay in order", () => {
		const producer = open();
		const definition = newDefinition();
		const sizes = [10, 65_000, 100_000, 20, 3_000_000, 30, 200_000, 40];
		for (const size of sizes) producer.append(1, entryOf(definition, `${size}`.padEnd(size, "€")));
		const records = readOn(readerOf(producer));
		expect(records.map(({ message }) => Number.parseInt(message, 10))).toEqual(sizes);
		for (const { message, flags } of records.filter((_, index) => index !== 4)) {
			expect(message).toHaveLength(Number.parseInt(message, 10));
			expect(flags).toBe(0);
		}
	});

	it("is cut at the limit, with a mark that says how much is missing", () => {
		const producer = open();
		const definition = newDefinition();
		const reader = readerOf(producer);
		for (const character of ["x", "ä", "€", "😀"]) {
			const width = Buffer.byteLength(character);
			const fits = character.repeat(Math.floor(maxPartBytes / width));
			// Starting one byte later, the limit falls into the middle of a character.
			const tooLong = `-${fits}${character}`;
			for (const message of [fits, tooLong]) producer.append(1, entryOf(definition, message));
			const [whole, cut] = readOn(reader) as [ReadRecord, ReadRecord];
			confirm(reader);
			expect(whole.message === fits && whole.flags === 0).toBe(true);
			expect(cut.flags).toBe(recordFlags.cut);
			const [, kept = "", missing = ""] = /^(.*)…\[cut (\d+) bytes\]$/su.exec(cut.message) ?? [];
			expect(tooLong.startsWith(kept)).toBe(true);
			expect(Buffer.byteLength(kept) + Number(missing)).toBe(Buffer.byteLength(tooLong));
			expect(Buffer.byteLength(cut.message)).toBeLessThanOrEqual(maxPartBytes);
			expect(Buffer.byteLength(cut.message)).toBeGreaterThan(maxPartBytes - 100);
		}
	});

	it("keeps fields and error readable as JSON when they are cut", () => {
		const producer = open();
		const long = "y".repeat(maxPartBytes);
		producer.append(
			1,
			entryOf(newDefinition(), "stays", {
				fields: `"a":"${long}"`,
				error: JSON.stringify({ type: "E", message: long, stack: "" }),
			}),
		);
		const [record] = readOn(readerOf(producer));
		expect(record?.message).toBe("stays");
		expect(record?.flags).toBe(recordFlags.cut);
		expect(JSON.parse(`{${record?.fields}}`)).toEqual({ fields: `…[cut ${maxPartBytes + 6} bytes]` });
		expect((JSON.parse(record?.error ?? "") as { message: string }).message).toMatch(/^…\[cut \d+ bytes\]$/);
	});

	it("is cut as well where a segment has room for it", () => {
		const producer = open();
		const definition = newDefinition();
		const reader = readerOf(producer);
		const limit = "z".repeat(maxPartBytes);
		// Makes a segment of more than three times the limit, which comes free again.
		producer.append(1, entryOf(definition, limit, { fields: limit, error: limit }));
		for (let time = 0; time < 6; time++) {
			producer.append(1, entryOf(definition, "€".repeat(maxPartBytes / 2)));
			for (const record of readOn(reader)) expect(Buffer.byteLength(record.message)).toBeLessThanOrEqual(maxPartBytes);
			confirm(reader);
		}
	});
});

describe("a closed lane", () => {
	it("takes nothing, counts it, and says so where the records are missing once it is open", () => {
		const producer = open();
		const definition = newDefinition();
		producer.append(1, entryOf(definition, "before"));
		producer.control.setClosed("normal", true);
		expect(producer.append(1, entryOf(definition, "lost"))).toBe(false);
		expect(producer.append(1, entryOf(definition, "lost"))).toBe(false);
		expect(producer.append(0, entryOf(definition, "priority"))).toBe(true);
		expect(producer.offer(1, entryOf(definition, "not counted"))).toBe(false);
		expect(producer.dropped).toBe(2);
		producer.control.setClosed("normal", false);
		producer.append(1, entryOf(definition, "after"));
		const records = readOn(readerOf(producer));
		expect(messagesOf(records)).toEqual([
			"priority",
			"before",
			"pylog dropped 2 records here: the lane was closed",
			"after",
		]);
		const notice = records[2] as ReadRecord;
		expect([notice.flags, notice.level]).toEqual([recordFlags.dropNotice, 40]);
		expect(JSON.parse(`{${notice.fields}}`)).toMatchObject({
			dropped: 2,
			lane: "normal",
			producer: producer.number,
			process: process.pid,
		});
	});

	it("is told of by itself soon after it was opened, without another record", async () => {
		const producer = open();
		producer.control.setClosed("normal", true);
		producer.append(1, entryOf(newDefinition(), "lost"));
		producer.control.setClosed("normal", false);
		const reader = readerOf(producer);
		const read: ReadRecord[] = [];
		await vi.waitFor(() => {
			read.push(...readOn(reader));
			expect(messagesOf(read)).toEqual(["pylog dropped 1 record here: the lane was closed"]);
		}, 5000);
	});
});

describe("a full spool", () => {
	const maxSpoolBytes = 1024 * 1024;

	it("drops what is new, counts it, says so where it is missing, and resumes by itself", () => {
		const producer = open({ maxSpoolBytes });
		const reader = readerOf(producer);
		const definition = newDefinition();
		const accepted: string[] = [];
		let index = 0;
		const log = (): boolean => {
			const message = `${index++}`.padEnd(1000);
			const isTaken = producer.append(1, entryOf(definition, message));
			if (isTaken) accepted.push(message);
			return isTaken;
		};
		while (log());
		for (let more = 0; more < 99; more++) expect(log()).toBe(false);
		expect(producer.dropped).toBe(100);
		expect(segmentsOf(producer).bytes).toBeLessThanOrEqual(maxSpoolBytes);
		expect(accepted.length).toBeGreaterThan(400);
		const before = readOn(reader);
		expect(messagesOf(before)).toEqual(accepted);
		confirm(reader);
		accepted.length = 0;
		expect(log()).toBe(true);
		const [notice, next] = readOn(reader) as [ReadRecord, ReadRecord];
		expect(notice.message).toBe("pylog dropped 100 records here: the spool is full");
		expect(next.message).toBe(accepted[0]);
		expect(next.queue).toBe(notice.queue + 1);
		expect(producer.dropped).toBe(100);
	});

	it("never takes more disk than its limit, shared by all producers, nor less than it says", async () => {
		const cacheDir = temporaryDirectory();
		const producers = [1, 2, 3].map(() => open({ cacheDir, maxSpoolBytes }));
		const definition = newDefinition();
		for (const producer of producers) {
			for (let index = 0; index < 3000; index++)
				producer.append((index & 1) as 0 | 1, entryOf(definition, "x".repeat(500)));
			await sleep(10);
		}
		const [first] = producers as [Producer];
		const bytes = producers.reduce((sum, producer) => sum + segmentsOf(producer).bytes, 0);
		expect(bytes).toBeLessThanOrEqual(maxSpoolBytes);
		expect(first.control.load("reservedKib")).toBe(bytes / 1024);
	});

	it("tells of drops when the producer leaves, limit or not", () => {
		const cacheDir = temporaryDirectory();
		const producer = open({ cacheDir, maxSpoolBytes: 64 * 1024 });
		const other = open({ cacheDir });
		const definition = newDefinition();
		let dropped = 0;
		for (let index = 0; index < 200; index++) {
			if (!producer.append(1, entryOf(definition, "x".repeat(1000)))) dropped += 1;
		}
		expect(dropped).toBeGreaterThan(100);
		producer.close();
		const last = readOn(readerOf(other)).at(-1);
		expect(last?.message).toBe(`pylog dropped ${dropped} records here: the spool is full`);
	});

	it("counts every drop, however many loggers there are, and tells of them in few lines", () => {
		const producer = open({ maxSpoolBytes: 64 * 1024 });
		const reader = readerOf(producer);
		while (producer.append(1, entryOf(newDefinition(), "x".repeat(1000))));
		const startMs = performance.now();
		for (let index = 0; index < 3000; index++) producer.append(1, entryOf(newDefinition({ name: `${index}` }), "lost"));
		expect(performance.now() - startMs).toBeLessThan(5000);
		expect(producer.dropped).toBe(3001);
		const read = readOn(reader);
		confirm(reader);
		for (let time = 0; time < 10; time++) {
			producer.append(1, entryOf(newDefinition(), "again"));
			read.push(...readOn(reader));
			confirm(reader);
		}
		producer.close();
		read.push(...readOn(reader));
		const notices = read.filter(({ flags }) => flags === recordFlags.dropNotice);
		const told = notices.map(({ fields }) => (JSON.parse(`{${fields}}`) as { dropped: number }).dropped);
		expect(told.reduce((sum, count) => sum + count, 0)).toBe(producer.dropped);
		expect(notices.length).toBeLessThan(100);
	});

	it("in one lane leaves the other as it is, and is told of only when a record is taken again", () => {
		const producer = open({ maxSpoolBytes: 128 * 1024 });
		const definition = newDefinition();
		producer.append(0, entryOf(definition, "priority"));
		while (producer.append(1, entryOf(definition, "x".repeat(1000))));
		// A short line would still fit where this does not.
		for (let time = 0; time < 20; time++) expect(producer.append(1, entryOf(definition, "x".repeat(5000)))).toBe(false);
		for (let time = 0; time < 20; time++) expect(producer.append(0, entryOf(definition, "priority"))).toBe(true);
		const records = readOn(readerOf(producer));
		expect(records.filter(({ flags }) => flags === recordFlags.dropNotice)).toEqual([]);
	});
});

describe("segments", () => {
	it("are used again, so that disk and files stay bounded while a reader keeps up", () => {
		const producer = open();
		const notes = new ReaderNotes();
		const reader = readerOf(producer, notes);
		const definition = newDefinition();
		const message = "x".repeat(400);
		let appended = 0;
		let read = 0;
		let most = { count: 0, bytes: 0 };
		for (let megabyte = 0; megabyte < 50; megabyte++) {
			for (let index = 0; index < 2340; index++) appended += Number(producer.append(1, entryOf(definition, message)));
			while (
				reader.read(() => {
					read += 1;
					return "on";
				})
			);
			confirm(reader);
			const now = segmentsOf(producer);
			most = { count: Math.max(most.count, now.count), bytes: Math.max(most.bytes, now.bytes) };
			expect(producer.control.load("reservedKib")).toBe(now.bytes / 1024);
		}
		expect(read).toBe(appended);
		expect(appended).toBe(50 * 2340);
		expect(notes.gaps).toEqual([]);
		expect(most.count).toBeLessThanOrEqual(6);
		expect(most.bytes).toBeLessThanOrEqual(16 * 1024 * 1024);
	});

	it("that are no longer needed are given back", async () => {
		const producer = open();
		const reader = readerOf(producer);
		const definition = newDefinition();
		for (let index = 0; index < 100_000; index++) producer.append(1, entryOf(definition, "x".repeat(300)));
		const before = segmentsOf(producer);
		expect(before.bytes).toBeGreaterThan(30 * 1024 * 1024);
		readOn(reader);
		confirm(reader);
		await vi.waitFor(() => expect(segmentsOf(producer).count).toBe(3), 10_000);
		expect(producer.control.load("reservedKib")).toBe(segmentsOf(producer).bytes / 1024);
		producer.append(1, entryOf(definition, "still there"));
		expect(messagesOf(readOn(reader))).toEqual(["still there"]);
	});

	it("are not touched while their records are not delivered", () => {
		const producer = open();
		const reader = readerOf(producer);
		const definition = newDefinition();
		for (let index = 0; index < 300; index++) producer.append(1, entryOf(definition, `${index}`.padEnd(500)));
		readOn(reader);
		reader.markDelivered();
		// Delivered, but no checkpoint says so yet: after a death all this is read again.
		for (let index = 300; index < 3000; index++) producer.append(1, entryOf(definition, `${index}`.padEnd(500)));
		const again = readerOf(producer);
		expect(readOn(again)).toHaveLength(3000);
	});

	it("are made on the first record of a lane, and small", () => {
		const producer = open();
		expect(segmentsOf(producer)).toEqual({ count: 0, bytes: 0 });
		producer.append(0, entryOf(newDefinition(), "first"));
		expect(segmentsOf(producer)).toEqual({ count: 1, bytes: 64 * 1024 });
		expect(readdirSync(folderOf(producer))).toContain("priority-0.seg");
	});
});

describe("a producer", () => {
	it("never throws when its folder is taken away, and counts what it can't take", () => {
		const producer = open();
		const definition = newDefinition();
		producer.append(1, entryOf(definition, "first"));
		rmSync(producer.control.paths.cacheDir, { recursive: true, force: true });
		for (let index = 0; index < 1000; index++) producer.append(1, entryOf(definition, "x".repeat(1000)));
		expect(producer.dropped).toBeGreaterThan(900);
		producer.close();
	});

	it("takes nothing once it is closed, and can be closed again", () => {
		const producer = open();
		const definition = newDefinition();
		producer.append(1, entryOf(definition, "first"));
		producer.close();
		producer.close();
		expect(producer.append(1, entryOf(definition, "late"))).toBe(false);
		expect(producer.offer(1, entryOf(definition, "late"))).toBe(false);
		expect(producer.appended).toBe(1);
	});

	it("gives back all descriptors and mappings when it closes", () => {
		const cacheDir = temporaryDirectory();
		const definition = newDefinition();
		const held = (): number[] => [
			readdirSync("/proc/self/fd").length,
			readFileSync("/proc/self/maps", "utf8")
				.split("\n")
				.filter((line) => line.includes(cacheDir)).length,
		];
		const before = held();
		for (let time = 0; time < 20; time++) {
			const producer = Producer.open({ cacheDir });
			for (let index = 0; index < 300; index++)
				producer.append((index & 1) as 0 | 1, entryOf(definition, "x".repeat(600)));
			producer.close();
		}
		expect(held()).toEqual(before);
	});

	it("says who it is in its folder", () => {
		const producer = open();
		expect(readFileSync(join(folderOf(producer), "alive"), "utf8")).toBe(`slot 0\npid ${process.pid}\nthread 0\n`);
	});
});

/** Segments that no Pylog wrote, with checksums that are right: nothing in them stops the reader or makes it read aside. */
import { rmSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { ControlFile } from "../../src/spool/control-file.ts";
import type { LogRecord } from "../../src/spool/log-record.ts";
import { recordHeader, recordKinds } from "../../src/spool/record-codec.ts";
import { SpoolReader } from "../../src/spool/spool-reader.ts";
import { temporaryDirectory } from "../temporary-directory.ts";
import { type RawRecord, SegmentBuilder } from "./segment-builder.ts";
import { copyOf, loggerDefinition, messagesOf, type ReadRecord, ReaderNotes } from "./spool-records.ts";

const producer = 1;
let cacheDir: string;
let control: ControlFile;

beforeEach(() => {
	cacheDir = temporaryDirectory();
	control = ControlFile.open(cacheDir);
	control.store("nextNumber", 1_000_000);
	onTestFinished(() => control.close());
});

function segment(index = 1, sizeBytes?: number): SegmentBuilder {
	return new SegmentBuilder(producer, "normal", index, sizeBytes);
}

function readAll(notes = new ReaderNotes()): ReadRecord[] {
	const reader = new SpoolReader(control, undefined, notes);
	const records: ReadRecord[] = [];
	const take = (record: LogRecord): "on" => {
		const { messageStart, fieldsStart, errorStart, end, bytes } = record;
		const marks = [0, messageStart, fieldsStart, errorStart, end, bytes.length];
		expect(marks).toEqual(marks.toSorted((a, b) => a - b));
		records.push(copyOf(record));
		return "on";
	};
	try {
		while (reader.read(take));
		return records;
	} finally {
		reader.close();
	}
}

describe("lengths that could all be true", () => {
	/** At every step of eight bytes a length that fits, with parts that make it up: each asks for a sum over megabytes. */
	function makeBomb(): SegmentBuilder {
		const sizeBytes = 4 * 1024 * 1024;
		const bomb = segment(1, sizeBytes);
		const most = sizeBytes - 64;
		for (let step = 0, at = 64; at + 48 < sizeBytes; step++, at += 8) {
			const length = (most - 48 * Math.floor(step / 5)) & ~7;
			if (length < 96) break;
			bomb.bytes.writeUInt32LE(length, at);
		}
		return bomb;
	}

	it("cost the reader no more than a moment", () => {
		makeBomb().write(cacheDir, producer, 0);
		const second = segment(2);
		second.add({ sequence: 1, number: 1, definition: second.addDefinition(), message: "behind it" });
		second.write(cacheDir, producer, 1);
		const startMs = performance.now();
		expect(messagesOf(readAll())).toEqual(["behind it"]);
		expect(performance.now() - startMs).toBeLessThan(5000);
	});

	it("cost the making of a control file no more than a moment", () => {
		makeBomb().write(cacheDir, producer, 0);
		rmSync(join(cacheDir, "control"));
		const startMs = performance.now();
		ControlFile.open(cacheDir).close();
		expect(performance.now() - startMs).toBeLessThan(5000);
	});
});

describe("a record", () => {
	it("whose parts lie outside of it is none", () => {
		const builder = segment();
		const definition = builder.addDefinition();
		builder.add({ sequence: 1, number: 1, definition, message: "first" });
		const outside = [
			[-64, 72, 0],
			[72, -64, 0],
			[0x7fff_ffff, 0x7fff_ffff, 10],
			[8, 0, -0x8000_0000],
		] as const;
		for (const parts of outside) builder.add({ sequence: 2, number: 2, definition, message: "12345678", parts });
		builder.add({ sequence: 3, number: 3, definition, message: "last" });
		builder.write(cacheDir, producer, 0);
		const notes = new ReaderNotes();
		expect(messagesOf(readAll(notes))).toEqual(["first", "last"]);
		expect(notes.damages).toHaveLength(1);
		expect(notes.gaps).toHaveLength(1);
	});

	it("may refer to anything, and gets a definition only where one is", () => {
		const builder = segment();
		const right = builder.addDefinition();
		const site = builder.add({ kind: recordKinds.callSite, message: "app.ts:7" });
		const log = builder.add({ sequence: 1, number: 1, definition: right, callSite: site, message: "sound" });
		const wrong = [0, 8, 64 + 4, log, site, builder.offset, builder.offset + 48, 64 * 1024 - 8, 64 * 1024, 0xffff_fff8];
		wrong.forEach((target, index) => {
			const next = { sequence: index + 2, number: index + 2, message: `refers to ${target}` };
			builder.add({ ...next, definition: target, callSite: target === site ? right : target });
		});
		builder.write(cacheDir, producer, 0);
		const [sound, ...others] = readAll();
		expect(sound?.definition).toEqual(loggerDefinition());
		expect(sound?.callSite).toBe("app.ts:7");
		expect(others).toHaveLength(wrong.length);
		for (const { definition, callSite } of others) expect([definition.output, callSite]).toEqual(["", ""]);
	});

	it("of a kind that does not exist is passed over", () => {
		const builder = segment();
		const definition = builder.addDefinition();
		[0, 5, 6, 99, 255].forEach((kind) => builder.add({ kind, message: "?" }));
		builder.add({ sequence: 1, number: 1, definition, message: "log" });
		builder.write(cacheDir, producer, 0);
		expect(messagesOf(readAll())).toEqual(["log"]);
	});

	it("that comes again is delivered once", () => {
		const builder = segment();
		const definition = builder.addDefinition();
		[1, 2, 2, 1, 3, 3].forEach((sequence, at) =>
			builder.add({ sequence, number: at + 1, definition, message: `${sequence}` }),
		);
		builder.write(cacheDir, producer, 0);
		expect(messagesOf(readAll())).toEqual(["1", "2", "3"]);
	});
});

describe("links", () => {
	it.each([
		["to the segment itself", 0, 1],
		["to a segment that is not there", 5, 2],
		["far ahead", 1, 9],
		["to nothing", 0, 0],
		["to the end of all numbers", 0xffff_ffff, 0xffff_ffff],
	])("%s lead nowhere, and the next segment is found", (_, place, index) => {
		const first = segment(1);
		first.add({ sequence: 1, number: 1, definition: first.addDefinition(), message: "first" });
		first.addLink(place, index);
		first.write(cacheDir, producer, 0);
		const second = segment(2);
		second.add({ sequence: 2, number: 2, definition: second.addDefinition(), message: "second" });
		second.write(cacheDir, producer, 3);
		expect(messagesOf(readAll())).toEqual(["first", "second"]);
	});

	it("in a circle come to an end", () => {
		for (const [index, place] of [
			[1, 0],
			[2, 1],
			[3, 2],
		] as const) {
			const builder = segment(index);
			builder.add({ sequence: index, number: index, definition: builder.addDefinition(), message: `${index}` });
			builder.addLink((place + 1) % 3, index === 3 ? 1 : index + 1);
			builder.write(cacheDir, producer, place);
		}
		expect(messagesOf(readAll())).toEqual(["1", "2", "3"]);
	});
});

it("no mixture of records, references and links stops the reader or makes it read aside", () => {
	const anyReference = fc.oneof(
		fc.nat(2000),
		fc.nat(250).map((word) => word * 8),
		fc.constantFrom(0, 64, 0xffff_ffff),
	);
	const anyRecord: fc.Arbitrary<RawRecord> = fc.record(
		{
			kind: fc.nat(6),
			number: fc.integer(),
			sequence: fc.oneof(fc.nat(50), fc.integer()),
			definition: anyReference,
			callSite: anyReference,
			message: fc.string({ maxLength: 100 }),
			parts: fc.tuple(fc.integer({ min: -20, max: 120 }), fc.integer({ min: -20, max: 50 }), fc.integer()),
			timeMs: fc.double(),
		},
		{ requiredKeys: ["kind", "number", "sequence", "definition", "callSite", "message"] },
	);
	const anySegment = fc.array(anyRecord, { maxLength: 12 });
	fc.assert(
		fc.property(fc.array(anySegment, { minLength: 1, maxLength: 3 }), fc.array(fc.nat(3000)), (segments, garbage) => {
			rmSync(join(cacheDir, "producers", "1"), { recursive: true, force: true });
			segments.forEach((records, place) => {
				const builder = segment(place + 1);
				for (const record of records) builder.add(record);
				for (const at of garbage) builder.bytes[at + recordHeader.kind] = at & 0xff;
				builder.write(cacheDir, producer, place);
			});
			readAll();
		}),
		{ numRuns: 300 },
	);
});

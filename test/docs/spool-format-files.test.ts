/** The document of the file format against files that the code writes: read by its tables, they say what was put in. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { levels } from "../../src/line/level.ts";
import { bootId } from "../../src/platform/machine.ts";
import { lanes } from "../../src/shared/lane.ts";
import { tailBytes } from "../../src/sinks/file/output-file.ts";
import { CheckpointFile, type Checkpoint, type OutputState } from "../../src/spool/checkpoint.ts";
import * as controlLayout from "../../src/spool/control-layout.ts";
import { Definition } from "../../src/spool/definition.ts";
import { maxInboxFileBytes } from "../../src/spool/inbox.ts";
import type { InboxMessage } from "../../src/spool/inbox-message.ts";
import type { LoggerDefinition } from "../../src/spool/log-record.ts";
import { parkedFile } from "../../src/spool/parked-file.ts";
import { aliveFile, producerDirectory, segmentFile, spoolPaths } from "../../src/spool/paths.ts";
import { defaultMaxSpoolBytes, Producer } from "../../src/spool/producer.ts";
import * as codec from "../../src/spool/record-codec.ts";
import { freeBytesAtMost, freeShare } from "../../src/spool/spool-room.ts";
import * as segmentHeader from "../../src/spool/segment-header.ts";
import { inboxOrigin } from "../../src/spool/taken-from-inbox.ts";
import { temporaryDirectory } from "../temporary-directory.ts";

const text = readFileSync(new URL("../../docs/spool-format.md", import.meta.url), "utf8");

type Row = Readonly<Record<string, string>>;

/** Rows of the tables below a heading whose first column has this name, each cell by its column, code marks taken off. */
function rowsOf(heading: string, firstColumn: string): readonly Row[] {
	const [, section = ""] = text.split(new RegExp(`^#{2,3} ${heading}\\n`, "m"));
	return tablesIn(section.split(/^#{2,3} /m)[0] ?? "").filter((row) => Object.keys(row)[0] === firstColumn);
}

function tablesIn(section: string): readonly Row[] {
	return Array.from(section.matchAll(/(?:^\|.*\|\n)+/gm), ([table]) => {
		const [columns = [], , ...rows] = table.trimEnd().split("\n").map(cellsOf);
		return rows.map((cells) => Object.fromEntries(columns.map((column, at) => [column, cells[at] ?? ""])));
	}).flat();
}

function cellsOf(line: string): readonly string[] {
	return line
		.slice(1, -1)
		.split("|")
		.map((cell) => cell.trim().replace(/^`([^`]*)`$/, "$1"));
}

interface Field {
	readonly name: string;
	readonly offset: number;
	readonly size: number;
	readonly meaning: string;
}

function fieldsOf(heading: string): readonly Field[] {
	return rowsOf(heading, "offset").map(({ offset, size, field = "", meaning = "" }) => {
		return { name: field, offset: Number(offset), size: Number(size), meaning };
	});
}

function offsetsOf(heading: string): Record<string, number> {
	return Object.fromEntries(fieldsOf(heading).map(({ name, offset }) => [name, offset]));
}

function valuesOf(heading: string, firstColumn: string): Record<string, number> {
	return Object.fromEntries(rowsOf(heading, firstColumn).map((row) => [row[firstColumn], Number(row["value"])]));
}

/** What a reader finds who knows the document's table only. */
function decode(heading: string, bytes: Buffer): Record<string, unknown> {
	return Object.fromEntries(fieldsOf(heading).map((field) => [field.name, decodeField(field, bytes)]));
}

function decodeField({ name, offset, size, meaning }: Field, bytes: Buffer): unknown {
	if (name === "magic" && size === 8) return bytes.toString("latin1", offset, offset + size);
	if (meaning.startsWith("Double.")) return bytes.readDoubleLE(offset);
	if (meaning.includes("by lane")) return [bytes.readUInt32LE(offset), bytes.readUInt32LE(offset + 4)];
	if (meaning.startsWith("Signed.")) return bytes.readIntLE(offset, size);
	return size <= 4 ? bytes.readUIntLE(offset, size) : bytes.subarray(offset, offset + size).toString("hex");
}

const unusedBytes: [heading: string, end: number, unused: readonly (readonly [from: number, to: number])[]][] = [
	["Header of the control file", 64, [[40, 64]]],
	["Words of a slot", controlLayout.slotBytes, [[48, 64]]],
	["Segment header", segmentHeader.segmentHeaderBytes, [[36, 64]]],
	["Record header", codec.recordHeaderBytes, []],
	[
		"Checkpoint slot",
		64,
		[
			[48, 56],
			[60, 64],
		],
	],
	["State of a chain", 48, [[12, 16]]],
	["Position", 16, []],
];

test.each(unusedBytes)(
	"the sizes in “%s” leave no bytes between the fields but those that are unused",
	(heading, end, unused) => {
		const gaps: [number, number][] = [];
		let at = 0;
		for (const { offset, size } of [...fieldsOf(heading), { offset: end, size: 0 }]) {
			if (offset !== at) gaps.push([at, offset]);
			at = offset + size;
		}
		expect(gaps).toEqual(unused);
	},
);

test("every shared word has the size of a word", () => {
	const sizes = fieldsOf("Shared words").map(({ size }) => size);
	expect(new Set(sizes)).toEqual(new Set([4]));
});

test("what the text says in numbers is what the code does", () => {
	const levelList = Object.entries(levels).map(([name, level]) => `${name} ${level}`);
	const told = [
		`everything in a cache directory, version ${controlLayout.spoolVersion}:`,
		`slots from byte ${controlLayout.slotsStartByte} on`,
		`size - ${codec.segmentTailBytes} `,
		`a multiple of 8, at least ${codec.recordHeaderBytes}, and`,
		`as a signed number, and ${codec.recordHeaderBytes} plus their sum`,
		`(at byte ${segmentHeader.segmentHeaderBytes})`,
		`\`maxSpoolBytes\`, ${defaultMaxSpoolBytes} bytes`,
		`keeps free ${freeShare * 100} % of its size, ${freeBytesAtMost / 2 ** 20} MiB at most`,
		`CRC-32 of its last ${tailBytes} bytes`,
		`UTF-8 JSON, ${maxInboxFileBytes} bytes at most`,
		`is \`${inboxOrigin}\` and the identity`,
		levelList.join(", "),
		lanes.map((lane, index) => `${index} (\`${lane}\`)`).join(" or "),
	];
	expect(told.filter((words) => !text.includes(words))).toEqual([]);
});

test("the picture of the directory has every file and folder, and no other", () => {
	const picture = /## The directory\n\n```\n<cacheDir>\/\n([\s\S]*?)```/.exec(text)?.[1] ?? "";
	const top = Array.from(picture.matchAll(/^ {2}([\w.]+)\/?\s/gm), ([, name = ""]) => name);
	const { cacheDir: _, ...paths } = spoolPaths("/spool");
	const names = Object.values(paths).map((path) => path.slice("/spool/".length));
	expect(new Set(top)).toEqual(new Set(names));
	const folder = producerDirectory(spoolPaths("/spool"), 7);
	const inFolder = Array.from(picture.matchAll(/^ {6}(\S+) /gm), ([, name = ""]) => name.replace("<place>", "2"));
	const files = [aliveFile(folder), ...lanes.map((lane) => segmentFile(folder, lane, 2))];
	expect(inFolder).toEqual(files.map((path) => path.slice(folder.length + 1)));
	expect(parkedFile("", "/logs/app.log")).toMatch(/^[0-9a-f]{32}\.log$/);
});

const allOutputKeys: Required<OutputState> = {
	path: "/logs/app.log",
	target: "/spool/parked/x.log",
	device: 1,
	inode: 2,
	sizeBytes: 3,
	tail: 4,
	skippedBytes: 5,
	atMs: 6,
	lead: "\n",
	parked: { from: 6, to: 7 },
};
const allDefinitionKeys: Required<LoggerDefinition> = {
	output: "/logs/app.log",
	format: "json",
	logform: "",
	name: "app",
	hostname: "host",
	pid: 1,
	thread: 0,
	fields: "",
};
const allMessageKeys: Required<InboxMessage> = {
	msg: "",
	logTo: "/logs/app.log",
	level: null,
	exception: null,
	priority: null,
	time: null,
};

test("the keys of everything that is JSON are those of the code", () => {
	const keysIn = (heading: string): readonly string[] => rowsOf(heading, "key").map(({ key = "" }) => key);
	expect(keysIn("JSON of a logger definition")).toEqual(Object.keys(allDefinitionKeys));
	expect(keysIn("JSON of an output")).toEqual(Object.keys(allOutputKeys));
	expect(keysIn("Inbox")).toEqual(Object.keys(allMessageKeys));
});

test("the segment header of the example is what the code makes of it", () => {
	const header = { producer: 5, nonce: 0x0badcafe, lane: "normal", index: 3, sizeBytes: 65536 } as const;
	const [, section = ""] = text.split("### An example\n");
	const [, dump = ""] = Array.from(section.matchAll(/```\n([0-9a-f\s]+)```/g), ([, digits = ""]) => digits);
	const bytes = Buffer.from(dump.replaceAll(/\s/g, ""), "hex");
	expect(bytes.toString("hex")).toBe(segmentHeader.encodeSegmentHeader(header).toString("hex"));
	expect(segmentHeader.decodeSegmentHeader(bytes)).toEqual(header);
});

describe("files that were written by the code are as the document tells", () => {
	function openProducer(): { producer: Producer; cacheDir: string } {
		const cacheDir = temporaryDirectory();
		const producer = Producer.open({ cacheDir });
		onTestFinished(() => producer.close());
		return { producer, cacheDir };
	}

	test("the control file", () => {
		const { producer, cacheDir } = openProducer();
		const definition = Definition.ofLogger(allDefinitionKeys);
		const entry = { level: 50, timeMs: 1_769_860_800_123, flags: 8, definition, callSite: undefined };
		producer.append(0, { ...entry, message: "x", fields: "", error: "" });
		const bytes = readFileSync(spoolPaths(cacheDir).control);
		expect(bytes.length).toBe(valuesOf("The control file", "constant")["controlBytes"]);
		expect(decode("Header of the control file", bytes)).toMatchObject({
			magic: "PYLOGCTL",
			version: 1,
			slotCount: 4096,
			bootId: bootId().toString("hex"),
		});
		expect(decode("Header of the control file", bytes)["createdMs"]).toBeCloseTo(Date.now(), -5);
		expect(decode("Shared words", bytes)).toMatchObject({
			nextNumber: 2,
			nextProducer: 2,
			producersOpened: 1,
			slotsUsed: 1,
			reservedKib: 64,
			numberHigh: 0,
		});
		const slot = decode("Words of a slot", bytes.subarray(valuesOf("The control file", "constant")["slotsStartByte"]));
		expect(slot).toEqual({
			owner: 1,
			bound: 0,
			appended: [1, 0],
			freeBelow: [0, 0],
			written: [0, 0],
			durable: [0, 0],
			dropped: 0,
			dropsTold: 0,
		});
	});

	test("a segment", () => {
		const { producer, cacheDir } = openProducer();
		const definition = Definition.ofLogger(allDefinitionKeys);
		const callSite = Definition.ofCallSite("src/app.ts:12");
		const texts = { message: "hé", fields: '"a":1', error: "{}" };
		producer.append(1, { level: 50, timeMs: 1_769_860_800_123, flags: 8, definition, callSite, ...texts });
		const bytes = readFileSync(segmentFile(producerDirectory(spoolPaths(cacheDir), 1), "normal", 0));
		const header = decode("Segment header", bytes);
		expect(header).toMatchObject({ magic: "PYLOGSEG", version: 1, producer: 1, lane: 1, index: 1, sizeBytes: 65536 });
		const found: { offset: number; record: Record<string, unknown> }[] = [];
		for (let offset = 64; bytes.readUInt32LE(offset) !== 0; offset += bytes.readUInt32LE(offset)) {
			found.push({ offset, record: decode("Record header", bytes.subarray(offset)) });
		}
		expect(found.map(({ record }) => record["kind"])).toEqual([2, 3, 1]);
		const [first, second, third] = found;
		expect(third?.record).toMatchObject({
			number: 1,
			sequence: 1,
			timeMs: 1_769_860_800_123,
			level: 50,
			flags: 8,
			definition: first?.offset,
			callSite: second?.offset,
			messageBytes: 3,
			fieldsBytes: 5,
			errorBytes: 2,
		});
		const words = new Int32Array(new Uint8Array(bytes).buffer);
		const seed = segmentHeader.segmentSeed(header["nonce"] as number, 1);
		for (const { offset, record } of found) {
			expect(codec.isRecord(words, offset, record["length"] as number, seed)).toBe(true);
		}
	});

	test("the checkpoint", () => {
		const path = join(temporaryDirectory(), "checkpoint");
		const file = CheckpointFile.open(path);
		onTestFinished(() => file.close());
		const from = { place: 1, index: 2, offset: 64, sequence: 3 };
		const to = { place: 4, index: 5, offset: 128, sequence: 6 };
		const checkpoint: Required<Checkpoint> = {
			horizon: 2 ** 40,
			delivered: [11, 12],
			chains: [{ producer: 7, nonce: 8, lane: 1, from, to }],
			outputs: [allOutputKeys],
			parked: { "/logs/app.log": 9 },
			unsynced: [{ path: "/logs/app.log", device: 1, inode: 2 }],
			dropped: { "/logs/app.log": { count: 3, notice: "3 dropped\n" } },
		};
		file.write(checkpoint);
		const slotBytes = valuesOf("The checkpoint", "constant")["firstSlotBytes"] as number;
		const bytes = readFileSync(path);
		expect(bytes.length).toBe(2 * slotBytes);
		const slot = bytes.subarray(slotBytes);
		const header = decode("Checkpoint slot", slot);
		expect(header).toMatchObject({
			magic: 0x504b4350,
			slotBytes,
			generation: 1,
			horizon: 2 ** 40,
			deliveredPriority: 11,
			deliveredNormal: 12,
			chainCount: 1,
		});
		const chain = slot.subarray(64);
		expect(decode("State of a chain", chain)).toMatchObject({ producer: 7, nonce: 8, lane: 1 });
		const { from: fromAt = 0, to: toAt = 0 } = offsetsOf("State of a chain");
		expect(decode("Position", chain.subarray(fromAt))).toEqual(from);
		expect(decode("Position", chain.subarray(toAt))).toEqual(to);
		const json = JSON.parse(chain.toString("utf8", 48, 48 + (header["jsonBytes"] as number))) as object;
		expect(rowsOf("JSON of the checkpoint", "key").map(({ key }) => key)).toEqual(Object.keys(json));
	});
});

/** The document of the file format against the code: every table, every number, and its example. */
import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import * as checkpointLayout from "../../src/spool/checkpoint-layout.ts";
import { numbersSkipped } from "../../src/spool/control-renewal.ts";
import * as controlLayout from "../../src/spool/control-layout.ts";
import { askMs, passOverMs } from "../../src/spool/horizon.ts";
import { recordFlags } from "../../src/spool/log-record.ts";
import { spoolPaths } from "../../src/spool/paths.ts";
import {
	isRecord,
	maxPartBytes,
	maxRecordBytes,
	recordChecksum,
	recordHeader,
	recordHeaderBytes,
	recordKinds,
	segmentTailBytes,
} from "../../src/spool/record-codec.ts";
import { firstSegmentBytes, keptSegments, maxSegmentBytes, quickFillMs } from "../../src/spool/segment-chain.ts";
import {
	encodeSegmentHeader,
	segmentHeader,
	segmentHeaderBytes,
	segmentMagic,
	segmentSeed,
} from "../../src/spool/segment-header.ts";
import { maxSearchBytes } from "../../src/spool/segment-reader.ts";

const text = readFileSync(fileURLToPath(new URL("../../docs/spool-format.md", import.meta.url)), "utf8");

interface Table {
	/** The nearest heading above. */
	readonly section: string;
	readonly columns: readonly string[];
	readonly rows: readonly (readonly string[])[];
}

/** All tables of the document, cell by cell, without the marks of code. */
function parseTables(markdown: string): Table[] {
	const tables: Table[] = [];
	let section = "";
	let lines: string[][] = [];
	for (const line of [...markdown.split("\n"), ""]) {
		if (line.startsWith("#")) section = line.replace(/^#+ /, "");
		if (line.startsWith("|")) {
			lines.push(
				line
					.split("|")
					.slice(1, -1)
					.map((cell) => cell.trim().replace(/^`(.*)`$/, "$1")),
			);
			continue;
		}
		const [columns, , ...rows] = lines;
		if (columns !== undefined) tables.push({ section, columns, rows });
		lines = [];
	}
	return tables;
}

const tables = parseTables(text);

function tableOf(section: string, firstColumn: string): Table {
	const found = tables.filter((table) => table.section === section && table.columns[0] === firstColumn);
	if (found.length !== 1) throw new Error(`${found.length} tables of ${firstColumn} in "${section}"`);
	return found[0] as Table;
}

/** Name → number, of two columns. */
function numbersIn(table: Table, name: string, value: string): Record<string, number> {
	const [nameAt, valueAt] = [table.columns.indexOf(name), table.columns.indexOf(value)];
	return Object.fromEntries(table.rows.map((row) => [row[nameAt], Number(row[valueAt])]));
}

function times(factor: number, layout: Readonly<Record<string, number>>): Record<string, number> {
	return Object.fromEntries(Object.entries(layout).map(([name, value]) => [name, value * factor]));
}

describe("the tables of offsets", () => {
	const layouts: readonly [section: string, layout: Readonly<Record<string, number>>, sizeBytes: number][] = [
		["Header of the control file", controlLayout.controlHeader, 64],
		["Shared words", times(4, controlLayout.controlWords), controlLayout.slotsStartByte],
		["Words of a slot", times(4, controlLayout.slotWords), controlLayout.slotBytes],
		["Segment header", segmentHeader, segmentHeaderBytes],
		["Record header", recordHeader, recordHeaderBytes],
		["Checkpoint slot", checkpointLayout.checkpointHeader, checkpointLayout.checkpointHeaderBytes],
		["State of a chain", times(4, checkpointLayout.chainState), checkpointLayout.chainStateWords * 4],
		["Position", times(4, checkpointLayout.chainPosition), 16],
	];

	it.each(layouts)("say of the %s what the code says, field by field", (section, layout) => {
		expect(numbersIn(tableOf(section, "offset"), "field", "offset")).toEqual(layout);
	});

	it.each(layouts)("give the fields of the %s sizes that do not overlap", (section, _, sizeBytes) => {
		let end = 0;
		for (const [offset, size] of tableOf(section, "offset").rows) {
			expect(Number(offset)).toBeGreaterThanOrEqual(end);
			expect(Number(size)).toBeGreaterThan(0);
			end = Number(offset) + Number(size);
		}
		expect(end).toBeLessThanOrEqual(sizeBytes);
	});

	it("are all compared here", () => {
		const known = layouts.map(([section]) => section);
		expect(tables.filter(({ columns }) => columns[0] === "offset").map(({ section }) => section)).toEqual(known);
	});
});

describe("the constants", () => {
	it("are those of the code, and all of them are in the code", () => {
		const inDocument = Object.assign(
			{},
			...tables
				.filter(({ columns }) => columns[0] === "constant")
				.map((table) => numbersIn(table, "constant", "value")),
		) as Record<string, number>;
		expect(inDocument).toEqual({
			spoolVersion: controlLayout.spoolVersion,
			slotsStartByte: controlLayout.slotsStartByte,
			slotCount: controlLayout.slotCount,
			slotBytes: controlLayout.slotBytes,
			controlBytes: controlLayout.controlBytes,
			slotInBetween: controlLayout.slotInBetween,
			segmentHeaderBytes,
			segmentTailBytes,
			firstSegmentBytes,
			maxSegmentBytes,
			quickFillMs,
			keptSegments,
			maxRecordBytes,
			maxPartBytes,
			askMs,
			passOverMs,
			maxSearchBytes,
			checkpointMagic: checkpointLayout.checkpointMagic,
			checkpointHeaderBytes: checkpointLayout.checkpointHeaderBytes,
			firstSlotBytes: checkpointLayout.firstSlotBytes,
			maxSlotBytes: checkpointLayout.maxSlotBytes,
			chainStateWords: checkpointLayout.chainStateWords,
		});
		expect(text).toContain(`\`recordHeaderBytes\` (${recordHeaderBytes})`);
		expect(text).toContain(`\`numbersSkipped\` (${numbersSkipped})`);
	});

	it("of kinds and flags are those of the code", () => {
		expect(numbersIn(tableOf("Record header", "kind"), "kind", "value")).toEqual(recordKinds);
		expect(numbersIn(tableOf("Record header", "flag"), "flag", "value")).toEqual(recordFlags);
	});

	it("that are texts are in the tables: the magics, and the name of every file", () => {
		const meaningOf = (section: string): string | undefined =>
			tableOf(section, "offset")
				.rows.find((row) => row.includes("magic"))
				?.at(-1);
		expect(meaningOf("Header of the control file")).toContain(`\`${controlLayout.controlMagic}\``);
		expect(meaningOf("Segment header")).toContain(`\`${segmentMagic}\``);
		const picture = text.slice(text.indexOf("## The directory"), text.indexOf("## The control file"));
		for (const path of Object.values(spoolPaths("/cacheDir"))) expect(picture).toContain(basename(path));
	});
});

describe("the checksums, computed as the document says", () => {
	const mask = 0xffff_ffffn;
	const times32 = (one: bigint, other: bigint): bigint => (one * other) & mask;

	function seedOf(nonce: number, index: number): bigint {
		return times32(BigInt(nonce) ^ times32(BigInt(index), 0x9e3779b1n), 0x85ebca6bn);
	}

	function checksumOf(record: Buffer, seed: bigint): number {
		let hash = seed;
		for (let at = 12; at < record.length; at += 4) {
			hash = times32(hash ^ BigInt(record.readUInt32LE(at)), 0x9e3779b1n);
			hash ^= hash >> 15n;
		}
		hash = times32(hash ^ BigInt(record.readUInt32LE(8)), 0x9e3779b1n);
		hash ^= hash >> 15n;
		hash = times32(hash ^ BigInt(record.readUInt32LE(0)), 0x85ebca6bn);
		return Number(hash ^ (hash >> 13n));
	}

	const word = fc.integer({ min: 0, max: 0xffff_ffff });

	it("are in the document as they are here", () => {
		for (const line of [
			"seed = (nonce xor (index * 0x9e3779b1)) * 0x85ebca6b",
			"    hash = (hash xor word) * 0x9e3779b1",
			"hash = (hash xor number) * 0x9e3779b1",
			"hash = (hash xor length) * 0x85ebca6b",
			"hash = hash xor (hash >> 13)",
			"hash = 0x811c9dc5",
			"    hash = (hash xor word) * 0x01000193",
		]) {
			expect(text.split("\n")).toContain(line);
		}
	});

	it("are those of the code, for records", () => {
		fc.assert(
			fc.property(fc.uint8Array({ minLength: 48, maxLength: 200 }), word, word, (content, nonce, index) => {
				const record = Buffer.from(new ArrayBuffer(content.length & ~7));
				record.set(content.subarray(0, record.length));
				record.writeUInt32LE(record.length, 0);
				const seed = segmentSeed(nonce, index);
				expect(seed >>> 0).toBe(Number(seedOf(nonce, index)));
				const words = new Int32Array(record.buffer);
				expect(recordChecksum(words, 0, record.length, seed) >>> 0).toBe(checksumOf(record, seedOf(nonce, index)));
			}),
		);
	});

	it("are those of the code, for segment headers", () => {
		fc.assert(
			fc.property(word, word, word, word, (producer, nonce, index, sizeBytes) => {
				const bytes = encodeSegmentHeader({ producer, nonce, lane: "normal", index, sizeBytes });
				let hash = 0x811c9dc5n;
				for (let at = 8; at < 32; at += 4) {
					hash = times32(hash ^ BigInt(bytes.readUInt32LE(at)), 0x01000193n);
					hash ^= hash >> 15n;
				}
				expect(bytes.readUInt32LE(segmentHeader.checksum)).toBe(Number(hash));
			}),
		);
	});

	it("make the example a valid record that says what the text says", () => {
		const [, dump = ""] = /### An example[^]*?```\n([^]*?)```/.exec(text) ?? [];
		const bytes = Buffer.from(dump.replaceAll(/\s/g, ""), "hex");
		const record = Buffer.from(new ArrayBuffer(bytes.length));
		bytes.copy(record);
		expect(record).toHaveLength(56);
		const seed = segmentSeed(0x0badcafe, 3);
		expect(text).toContain(`0x0badcafe, in its segment 3 (seed 0x${(seed >>> 0).toString(16)})`);
		expect(isRecord(new Int32Array(record.buffer), 0, record.readUInt32LE(0), seed)).toBe(true);
		expect(record.readUInt32LE(recordHeader.checksum)).toBe(checksumOf(record, seedOf(0x0badcafe, 3)));
		expect({
			number: record.readUInt32LE(recordHeader.number),
			sequence: record.readUInt32LE(recordHeader.sequence),
			time: new Date(record.readDoubleLE(recordHeader.timeMs)).toISOString(),
			kind: record[recordHeader.kind],
			level: record[recordHeader.level],
			flags: record[recordHeader.flags],
			hoursAhead: record.readInt8(recordHeader.utcOffsetQuarters) / 4,
			definition: record.readUInt32LE(recordHeader.definition),
			message: record.toString("utf8", 48, 50),
			fields: record.toString("utf8", 50, 55),
		}).toEqual({
			number: 0x01020304,
			sequence: 7,
			time: "2026-01-31T12:00:00.000Z",
			kind: recordKinds.log,
			level: 30,
			flags: 0,
			hoursAhead: 2,
			definition: segmentHeaderBytes,
			message: "hi",
			fields: '"a":1',
		});
	});
});

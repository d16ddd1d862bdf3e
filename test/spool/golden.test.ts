/**
 * Files that Pylog wrote in each version of the format, kept as they were: lines of 32 bytes in hexadecimal, with a count
 * behind a line that repeats, and without the zeros at the end. A version that is still read gives the same records for ever.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it, onTestFinished } from "vitest";
import { readCheckpoint } from "../../src/spool/checkpoint.ts";
import { ControlFile } from "../../src/spool/control-file.ts";
import { SpoolReader } from "../../src/spool/spool-reader.ts";
import { temporaryDirectory } from "../temporary-directory.ts";
import { copyOf, loggerDefinition, type ReadRecord, ReaderNotes, readOn } from "./spool-records.ts";

const folder = fileURLToPath(new URL("golden/version-1", import.meta.url));

function restore(name: string, path: string, sizeBytes: number): void {
	const lines = readFileSync(join(folder, `${name}.hex`), "utf8")
		.trimEnd()
		.split("\n");
	const hex = lines.map((line) => {
		const [bytes = "", count = "1"] = line.split(" x");
		return bytes.repeat(Number(count));
	});
	const bytes = Buffer.alloc(sizeBytes);
	Buffer.from(hex.join(""), "hex").copy(bytes);
	writeFileSync(path, bytes, { mode: 0o600 });
}

it("a spool of format version 1 is read as it was written, from its checkpoint on", () => {
	const cacheDir = temporaryDirectory();
	const producer = join(cacheDir, "producers", "1");
	mkdirSync(producer, { recursive: true, mode: 0o700 });
	restore("normal-0.seg", join(producer, "normal-0.seg"), 65_536);
	restore("normal-1.seg", join(producer, "normal-1.seg"), 69_632);
	restore("priority-0.seg", join(producer, "priority-0.seg"), 65_536);
	restore("checkpoint", join(cacheDir, "checkpoint"), 262_144);

	const control = ControlFile.open(cacheDir);
	const checkpoint = readCheckpoint(control.paths.checkpoint);
	const notes = new ReaderNotes();
	const reader = new SpoolReader(control, checkpoint, notes);
	onTestFinished(() => {
		reader.close();
		control.close();
	});
	expect(control.counter()).toBeGreaterThan(6);
	expect(checkpoint?.outputs).toEqual([
		{ path: "/logs/app.log", target: "/logs/app.log", device: 1, inode: 2, sizeBytes: 3, tail: 4, skippedBytes: 0 },
	]);
	expect(checkpoint?.parked).toEqual({ "/logs/other.log": 17 });
	// A path alone stands there; which file it was, was not noted then.
	expect(checkpoint?.unsynced).toEqual([{ path: "/logs/app.log", device: 0, inode: 0 }]);

	const begun: ReadRecord[] = [];
	reader.replay(checkpoint?.chains ?? [], (record) => {
		begun.push(copyOf(record));
		return "on";
	});
	reader.markDelivered();
	const text = loggerDefinition({ logform: "%loglevel% - " });
	const json = loggerDefinition({ format: "json", logform: "", fields: '"request":7' });
	const same = { timeMs: 1_795_328_728_123, utcOffsetMinutes: 0, late: false, flags: 0, fields: "", error: "" };
	const priority = { ...same, lane: "priority", definition: json, callSite: "", timeMs: 1_795_328_728_123.5 };
	expect(begun).toEqual([{ ...priority, queue: 3, sequence: 1, level: 20, message: "priority ü€😀", fields: '"a":1' }]);
	const normal = { ...same, lane: "normal", level: 30, definition: text, callSite: "src/app.ts:12" };
	const error = '{"type":"Error","message":"no","stack":""}';
	expect(readOn(reader)).toEqual([
		{ ...normal, queue: 2, sequence: 2, message: "plain" },
		{ ...normal, queue: 4, sequence: 3, level: 50, flags: 4, definition: json, message: "failed", error },
		{ ...normal, queue: 5, sequence: 4, flags: 1, callSite: "", message: "x".repeat(65_536) },
		{ ...normal, queue: 6, sequence: 5, message: "in the second segment" },
	]);
	expect([notes.damages, notes.gaps]).toEqual([[], []]);
});

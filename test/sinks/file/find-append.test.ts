import {
	appendFileSync,
	mkdirSync,
	readFileSync,
	renameSync,
	rmSync,
	statSync,
	symlinkSync,
	truncateSync,
	writeFileSync,
} from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { beforeEach, expect, test } from "vitest";
import { findAppend } from "../../../src/sinks/file/find-append.ts";
import { type FileState, OutputFile } from "../../../src/sinks/file/output-file.ts";
import { temporaryDirectory } from "../../temporary-directory.ts";

const ours = Buffer.from("first of ours\nsecond of ours\nthird of ours\n");
const firstLine = "first of ours\n".length;

let directory: string;
let path: string;
let before: FileState;

beforeEach(() => {
	directory = temporaryDirectory();
	path = join(directory, "app.log");
	writeFileSync(path, "an old line, long enough to be told from any other, for the tail has 64 bytes\n");
	before = stateNow();
});

function stateNow(): FileState {
	const file = OutputFile.open(path);
	const { state } = file;
	file.close();
	return state;
}

test("an append that never happened counts nothing", () => {
	expect(findAppend(path, before, ours)).toEqual({ path, writtenBytes: 0 });
});

test("a whole append is found", () => {
	appendFileSync(path, ours);
	expect(findAppend(path, before, ours)).toEqual({ path, writtenBytes: ours.length });
});

test("a half append is found to the byte", () => {
	fc.assert(
		fc.property(fc.integer({ min: 0, max: ours.length }), (bytes) => {
			truncateSync(path, before.sizeBytes);
			appendFileSync(path, ours.subarray(0, bytes));
			expect(findAppend(path, before, ours)).toEqual({ path, writtenBytes: bytes });
		}),
	);
});

test("an append to an empty file is found", () => {
	truncateSync(path, 0);
	before = stateNow();
	appendFileSync(path, ours.subarray(0, 20));
	expect(findAppend(path, before, ours).writtenBytes).toBe(20);
});

test("an append with lines of others behind it, before it or on both sides is found", () => {
	for (const [ahead, behind] of [
		["", "theirs\n"],
		["theirs\n", ""],
		["theirs\n", "more of theirs\n"],
	] as const) {
		truncateSync(path, before.sizeBytes);
		appendFileSync(path, `${ahead}${ours.toString()}${behind}`);
		expect(findAppend(path, before, ours).writtenBytes).toBe(ours.length);
	}
});

test("half an append at the end, behind lines of others, is found", () => {
	appendFileSync(path, "theirs\n");
	appendFileSync(path, ours.subarray(0, 20));
	expect(findAppend(path, before, ours).writtenBytes).toBe(20);
});

test("of half an append with lines of others behind it the whole lines count, so that none is written twice", () => {
	appendFileSync(path, ours.subarray(0, firstLine + 5));
	appendFileSync(path, "\ntheirs\n");
	expect(findAppend(path, before, ours).writtenBytes).toBe(firstLine);
});

test("lines of others alone count nothing", () => {
	appendFileSync(path, "theirs\n");
	expect(findAppend(path, before, ours).writtenBytes).toBe(0);
	appendFileSync(path, "fir");
	expect(findAppend(path, before, ours).writtenBytes).toBe(3);
});

test("a file that was truncated before the append has it at its beginning", () => {
	writeFileSync(path, ours);
	expect(findAppend(path, before, ours).writtenBytes).toBe(ours.length);
	writeFileSync(path, ours.subarray(0, 20));
	expect(findAppend(path, before, ours).writtenBytes).toBe(20);
});

test("a file that was truncated after the append does not have it", () => {
	appendFileSync(path, ours);
	truncateSync(path, 0);
	expect(findAppend(path, before, ours)).toEqual({ path, writtenBytes: 0 });
});

test("a file whose content was replaced, and has grown beyond what it was, does not have it", () => {
	writeFileSync(path, "something else\n".repeat(100));
	expect(findAppend(path, before, ours).writtenBytes).toBe(0);
	appendFileSync(path, ours);
	expect(findAppend(path, before, ours).writtenBytes).toBe(ours.length);
});

test("the append is found in the file that was renamed, under its new name", () => {
	appendFileSync(path, ours);
	const renamed = `${path}.1`;
	renameSync(path, renamed);
	expect(findAppend(path, before, ours)).toEqual({ path: renamed, writtenBytes: ours.length });
	writeFileSync(path, "a new file\n");
	expect(findAppend(path, before, ours)).toEqual({ path: renamed, writtenBytes: ours.length });
});

test("half an append in the renamed file is found there, so that the rest can go behind it", () => {
	appendFileSync(path, ours.subarray(0, 20));
	renameSync(path, `${path}.1`);
	expect(findAppend(path, before, ours)).toEqual({ path: `${path}.1`, writtenBytes: 20 });
});

test("a file that was renamed before the append gets nothing more: the new one does", () => {
	renameSync(path, `${path}.1`);
	expect(findAppend(path, before, ours)).toEqual({ path, writtenBytes: 0 });
});

test("a deleted file, one with its folder, and one that others replaced have nothing of it", () => {
	appendFileSync(path, ours);
	rmSync(path);
	expect(findAppend(path, before, ours)).toEqual({ path, writtenBytes: 0 });
	rmSync(directory, { recursive: true });
	expect(findAppend(path, before, ours)).toEqual({ path, writtenBytes: 0 });
	mkdirSync(path, { recursive: true });
	expect(findAppend(path, before, ours)).toEqual({ path, writtenBytes: 0 });
});

test("a file reached through a link is found", () => {
	const link = join(directory, "link.log");
	symlinkSync(path, link);
	appendFileSync(path, ours);
	expect(findAppend(link, before, ours)).toEqual({ path: link, writtenBytes: ours.length });
});

test("a device has nothing of it", () => {
	expect(findAppend("/dev/null", before, ours)).toEqual({ path: "/dev/null", writtenBytes: 0 });
});

test("nothing is changed by looking", () => {
	appendFileSync(path, ours);
	const text = readFileSync(path, "utf8");
	const { mtimeNs } = statSync(path, { bigint: true });
	findAppend(path, before, ours);
	expect(readFileSync(path, "utf8")).toBe(text);
	expect(statSync(path, { bigint: true }).mtimeNs).toBe(mtimeNs);
});

test("whatever others append around it, an append that is there is found", () => {
	const theirs = fc.stringMatching(/^[a-z]{0,10}\n$/);
	fc.assert(
		fc.property(fc.array(theirs), fc.array(theirs), (ahead, behind) => {
			truncateSync(path, before.sizeBytes);
			appendFileSync(path, ahead.join("") + ours.toString() + behind.join(""));
			expect(findAppend(path, before, ours).writtenBytes).toBe(ours.length);
		}),
	);
});

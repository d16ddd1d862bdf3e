import {
	appendFileSync,
	copyFileSync,
	mkdirSync,
	readFileSync,
	renameSync,
	rmSync,
	statSync,
	symlinkSync,
	truncateSync,
	utimesSync,
	writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { findAppend } from "../../../src/sinks/file/find-append.ts";
import { type FileState, OutputFile } from "../../../src/sinks/file/output-file.ts";
import { UnsettledError } from "../../../src/sinks/file/packing.ts";
import { temporaryDirectory } from "../../temporary-directory.ts";

const ours = Buffer.from("first of ours\nsecond of ours\nthird of ours\n");
const firstLine = "first of ours\n".length;

let directory: string;
let path: string;
let before: FileState;

beforeEach(async () => {
	directory = temporaryDirectory();
	path = join(directory, "app.log");
	writeFileSync(path, "an old line, long enough to be told from any other, for the tail has 64 bytes\n");
	before = await stateNow();
});

async function stateNow(): Promise<FileState> {
	const file = await OutputFile.open(path);
	const { state } = file;
	await file.close();
	return state;
}

test("an append that never happened counts nothing", async () => {
	expect(await findAppend(path, before, ours)).toMatchObject({ path, writtenBytes: 0 });
});

test("a whole append is found", async () => {
	appendFileSync(path, ours);
	expect(await findAppend(path, before, ours)).toMatchObject({ path, writtenBytes: ours.length });
});

test("a half append is found to the byte", async () => {
	await fc.assert(
		fc.asyncProperty(fc.integer({ min: 0, max: ours.length }), async (bytes) => {
			truncateSync(path, before.sizeBytes);
			appendFileSync(path, ours.subarray(0, bytes));
			expect(await findAppend(path, before, ours)).toMatchObject({ path, writtenBytes: bytes });
		}),
	);
});

test("an append to an empty file is found", async () => {
	truncateSync(path, 0);
	before = await stateNow();
	appendFileSync(path, ours.subarray(0, 20));
	expect((await findAppend(path, before, ours)).writtenBytes).toBe(20);
});

test("an append with lines of others behind it, before it or on both sides is found", async () => {
	for (const [ahead, behind] of [
		["", "theirs\n"],
		["theirs\n", ""],
		["theirs\n", "more of theirs\n"],
	] as const) {
		truncateSync(path, before.sizeBytes);
		appendFileSync(path, `${ahead}${ours.toString()}${behind}`);
		const offset = before.sizeBytes + ahead.length;
		expect(await findAppend(path, before, ours)).toEqual({ path, writtenBytes: ours.length, offset });
	}
});

test("half an append at the end, behind lines of others, is found", async () => {
	appendFileSync(path, "theirs\n");
	appendFileSync(path, ours.subarray(0, 20));
	const offset = before.sizeBytes + "theirs\n".length;
	expect(await findAppend(path, before, ours)).toEqual({ path, writtenBytes: 20, offset });
});

test("of half an append with lines of others behind it the whole lines count, so that none is written twice", async () => {
	appendFileSync(path, ours.subarray(0, firstLine + 5));
	appendFileSync(path, "\ntheirs\n");
	expect((await findAppend(path, before, ours)).writtenBytes).toBe(firstLine);
});

test("lines of others alone count nothing", async () => {
	appendFileSync(path, "theirs\n");
	expect((await findAppend(path, before, ours)).writtenBytes).toBe(0);
	appendFileSync(path, "fir");
	expect((await findAppend(path, before, ours)).writtenBytes).toBe(3);
});

// All that came before that line in the batch was taken for written, and lost.
test("a line of others that is one of ours as well does not count for those before it", async () => {
	appendFileSync(path, "theirs\nsecond of ours\n");
	expect((await findAppend(path, before, ours)).writtenBytes).toBe(0);
});

test("an append of which a record was damaged since goes on behind its last line", async () => {
	appendFileSync(path, "first of ours\ndamaged since\nsecond of ours\n");
	expect((await findAppend(path, before, ours)).writtenBytes).toBe(ours.indexOf("third"));
});

test("a file that was truncated before the append has it at its beginning", async () => {
	writeFileSync(path, ours);
	expect((await findAppend(path, before, ours)).writtenBytes).toBe(ours.length);
	writeFileSync(path, ours.subarray(0, 20));
	expect((await findAppend(path, before, ours)).writtenBytes).toBe(20);
});

test("a file that was truncated after the append does not have it", async () => {
	appendFileSync(path, ours);
	truncateSync(path, 0);
	expect(await findAppend(path, before, ours)).toMatchObject({ path, writtenBytes: 0 });
});

test("a file whose content was replaced, and has grown beyond what it was, does not have it", async () => {
	writeFileSync(path, "something else\n".repeat(100));
	expect((await findAppend(path, before, ours)).writtenBytes).toBe(0);
	appendFileSync(path, ours);
	expect((await findAppend(path, before, ours)).writtenBytes).toBe(ours.length);
});

test("the append is found in the file that was renamed, under its new name", async () => {
	appendFileSync(path, ours);
	const renamed = `${path}.1`;
	renameSync(path, renamed);
	expect(await findAppend(path, before, ours)).toMatchObject({ path: renamed, writtenBytes: ours.length });
	writeFileSync(path, "a new file\n");
	expect(await findAppend(path, before, ours)).toMatchObject({ path: renamed, writtenBytes: ours.length });
});

// What was read by its name was another file by then, or none: an error, or lines that were written twice.
test("the append is found in a file that is renamed again and again while it is looked for", async () => {
	appendFileSync(path, ours);
	const turn = `
		const { renameSync, writeFileSync } = require("node:fs");
		const { workerData: path } = require("node:worker_threads");
		for (let age = 0; ; age++) {
			renameSync(age === 0 ? path : path + "." + age, path + "." + (age + 1));
			if (age % 2 === 0) writeFileSync(path, "");
			Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5 + Math.random() * 5);
		}`;
	const renamer = new Worker(turn, { eval: true, workerData: path });
	onTestFinished(() => void renamer.terminate());
	await new Promise((resolve) => renamer.on("online", resolve));
	for (let round = 0; round < 300; round++) {
		expect((await findAppend(path, before, ours)).writtenBytes).toBe(ours.length);
	}
});

test("half an append in the renamed file is found there, so that the rest can go behind it", async () => {
	appendFileSync(path, ours.subarray(0, 20));
	renameSync(path, `${path}.1`);
	expect(await findAppend(path, before, ours)).toMatchObject({ path: `${path}.1`, writtenBytes: 20 });
});

test("a file that was renamed before the append gets nothing more: the new one does", async () => {
	renameSync(path, `${path}.1`);
	expect(await findAppend(path, before, ours)).toMatchObject({ path, writtenBytes: 0 });
});

test("a deleted file, one with its folder, and one that others replaced have nothing of it", async () => {
	appendFileSync(path, ours);
	rmSync(path);
	expect(await findAppend(path, before, ours)).toMatchObject({ path, writtenBytes: 0 });
	rmSync(directory, { recursive: true });
	expect(await findAppend(path, before, ours)).toMatchObject({ path, writtenBytes: 0 });
	mkdirSync(path, { recursive: true });
	expect(await findAppend(path, before, ours)).toMatchObject({ path, writtenBytes: 0 });
});

test("a file reached through a link is found", async () => {
	const link = join(directory, "link.log");
	symlinkSync(path, link);
	appendFileSync(path, ours);
	expect(await findAppend(link, before, ours)).toMatchObject({ path: link, writtenBytes: ours.length });
});

test("a device has nothing of it", async () => {
	expect(await findAppend("/dev/null", before, ours)).toMatchObject({ path: "/dev/null", writtenBytes: 0 });
});

// It was not looked for, and its lines came twice.
test("an append to a file that a device has taken the place of since is found", async () => {
	appendFileSync(path, ours);
	const renamed = join(directory, "moved-aside.log");
	renameSync(path, renamed);
	symlinkSync("/dev/full", path);
	expect(await findAppend(path, before, ours)).toMatchObject({ path: renamed, writtenBytes: ours.length });
});

test("nothing is changed by looking", async () => {
	appendFileSync(path, ours);
	const text = readFileSync(path, "utf8");
	const { mtimeNs } = statSync(path, { bigint: true });
	await findAppend(path, before, ours);
	expect(readFileSync(path, "utf8")).toBe(text);
	expect(statSync(path, { bigint: true }).mtimeNs).toBe(mtimeNs);
});

test("whatever others append around it, an append that is there is found", async () => {
	const theirs = fc.stringMatching(/^[a-z]{0,10}\n$/);
	await fc.assert(
		fc.asyncProperty(fc.array(theirs), fc.array(theirs), async (ahead, behind) => {
			truncateSync(path, before.sizeBytes);
			appendFileSync(path, ahead.join("") + ours.toString() + behind.join(""));
			expect((await findAppend(path, before, ours)).writtenBytes).toBe(ours.length);
		}),
	);
});

describe("in a copy, as logrotate makes them", () => {
	const behind = "a line that came later\n";
	let tried: FileState & { readonly atMs: number };

	beforeEach(() => {
		tried = { ...before, atMs: Date.now() };
	});

	test.each([
		[
			"copied and emptied",
			"app.log.1",
			(copy: string): void => {
				copyFileSync(path, copy);
				truncateSync(path, 0);
			},
		],
		[
			"copied and emptied, and written since",
			"app.log-20260101",
			(copy: string): void => {
				copyFileSync(path, copy);
				writeFileSync(path, behind);
			},
		],
		[
			"compressed at once",
			"app.log.1.gz",
			(copy: string): void => {
				writeFileSync(copy, gzipSync(readFileSync(path)));
				rmSync(path);
			},
		],
		[
			"compressed, with its number before its extension",
			"app-1.log.gz",
			(copy: string): void => {
				writeFileSync(copy, gzipSync(readFileSync(path)));
				writeFileSync(path, behind);
			},
		],
		[
			"compressed into a folder below",
			"old/app.log.1.gz",
			(copy: string): void => {
				writeFileSync(copy, gzipSync(readFileSync(path)));
				rmSync(path);
			},
		],
		["moved into a folder below", "old/app.log.1", (copy: string): void => renameSync(path, copy)],
	])("an append to a file that was %s is found", async (_, name, rotate) => {
		mkdirSync(join(directory, "old"));
		appendFileSync(path, ours);
		appendFileSync(path, behind);
		rotate(join(directory, name));
		expect((await findAppend(path, tried, ours)).writtenBytes).toBe(ours.length);
	});

	// logrotate gives it the time at which the file was last written before: it was passed over, and the lines written twice.
	test("an append to a file that was compressed at once is found, whatever time the copy has", async () => {
		appendFileSync(path, ours);
		writeFileSync(`${path}.1.gz`, gzipSync(readFileSync(path)));
		utimesSync(`${path}.1.gz`, new Date(0), new Date(tried.atMs - 60_000));
		rmSync(path);
		expect((await findAppend(path, tried, ours)).writtenBytes).toBe(ours.length);
	});

	test("while a renamed file is being compressed it is not known whether an append stays", async () => {
		appendFileSync(path, ours);
		renameSync(path, `${path}.1`);
		for (const name of ["app.log.1.2", "app.log.1.json"])
			writeFileSync(join(directory, name), "another of their files");
		expect((await findAppend(path, tried, ours)).writtenBytes).toBe(ours.length);
		writeFileSync(`${path}.1.gz`, "");
		await expect(findAppend(path, tried, ours)).rejects.toThrow(UnsettledError);
		rmSync(`${path}.1.gz`);
		expect((await findAppend(path, tried, ours)).writtenBytes).toBe(ours.length);
	});

	test("an append to an empty file that was copied and emptied is found", async () => {
		truncateSync(path, 0);
		tried = { ...(await stateNow()), atMs: Date.now() };
		appendFileSync(path, ours);
		copyFileSync(path, `${path}.1`);
		truncateSync(path, 0);
		expect((await findAppend(path, tried, ours)).writtenBytes).toBe(ours.length);
	});

	// The line was lost where a logman died before it wrote it.
	test("lines that the file before it ended with do not count for a new, empty one", async () => {
		writeFileSync(path, "started\ntick\n");
		await new Promise((resolve) => setTimeout(resolve, 250));
		appendFileSync(path, "tick\n");
		renameSync(path, `${path}.1`);
		writeFileSync(path, "");
		tried = { ...(await stateNow()), atMs: Date.now() };
		expect((await findAppend(path, tried, Buffer.from("tick\n"))).writtenBytes).toBe(0);
		writeFileSync(`${path}.1.gz`, gzipSync(readFileSync(`${path}.1`)));
		rmSync(`${path}.1`);
		expect((await findAppend(path, tried, Buffer.from("tick\n"))).writtenBytes).toBe(0);
	});

	test("half an append, one behind other lines, one of long ago and one of another output do not count", async () => {
		const copy = `${path}.1`;
		const text = readFileSync(path);
		const isFound = async (outputs: readonly string[] = []): Promise<boolean> =>
			(await findAppend(path, tried, ours, new Set(outputs))).writtenBytes > 0;
		truncateSync(path, 0);
		writeFileSync(copy, Buffer.concat([text, ours.subarray(0, -1)]));
		expect(await isFound()).toBe(false);
		writeFileSync(copy, Buffer.concat([Buffer.from("others".repeat(20)), ours]));
		expect(await isFound()).toBe(false);
		writeFileSync(copy, Buffer.concat([text, ours]));
		expect(await isFound()).toBe(true);
		expect(await isFound([copy])).toBe(false);
		utimesSync(copy, new Date(0), new Date(tried.atMs - 1000));
		expect(await isFound()).toBe(false);
		writeFileSync(`${copy}.gz`, Buffer.concat([gzipSync(Buffer.concat([text, ours])).subarray(0, 40)]));
		expect(await isFound()).toBe(false);
	});

	test("a file that was never cut is not looked for elsewhere", async () => {
		writeFileSync(`${path}.1`, Buffer.concat([readFileSync(path), ours]));
		expect((await findAppend(path, tried, ours)).writtenBytes).toBe(0);
	});
});

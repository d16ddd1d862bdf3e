/** A file that somebody renames, compresses or removes while the sink writes to it. */
import {
	appendFileSync,
	closeSync,
	openSync,
	readFileSync,
	renameSync,
	rmSync,
	writeFileSync,
	writeSync,
} from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { gunzipSync, gzipSync } from "node:zlib";
import { beforeEach, expect, onTestFinished, test } from "vitest";
import { FileSink, OtherFileError } from "../../../src/sinks/file/file-sink.ts";
import { UnsettledError } from "../../../src/sinks/file/packing.ts";
import { temporaryDirectory } from "../../temporary-directory.ts";

let path: string;
let sink: FileSink;

beforeEach(async () => {
	path = join(temporaryDirectory(), "app.log");
	writeFileSync(path, "old\n");
	sink = new FileSink({ onFailedSync: async () => "safe" });
	onTestFinished(() => sink.close());
	await sink.file(path);
});

/** Begins to compress `<path>.1` as it is now: what is written to it from here on is in no copy. */
function beginPacking(): { readonly end: () => void } {
	const packed = gzipSync(readFileSync(`${path}.1`));
	const fd = openSync(`${path}.1.gz`, "wx");
	const end = (): void => {
		writeSync(fd, packed);
		closeSync(fd);
		rmSync(`${path}.1`);
	};
	return { end };
}

async function append(text: string): Promise<unknown> {
	return sink.append(path, Buffer.from(text)).catch((error: unknown) => error);
}

test.each([
	["renamed", (): void => undefined],
	["renamed, and somebody makes a new one,", (): void => writeFileSync(path, "")],
])("lines for a file that is %s in that moment stay in it", async (_, replace) => {
	renameSync(path, `${path}.1`);
	replace();
	expect(await append("a line\n")).toBeUndefined();
	expect(readFileSync(`${path}.1`, "utf8")).toBe("old\na line\n");
	expect(await sink.sync()).toBe(true);
});

test("lines for a file that is moved out of sight in that moment stay in it", async () => {
	const elsewhere = join(temporaryDirectory(), "elsewhere");
	renameSync(path, elsewhere);
	expect(await append("a line\n")).toBeUndefined();
	expect(readFileSync(elsewhere, "utf8")).toBe("old\na line\n");
});

test("lines for a file that is removed in that moment are to be written to the next one", async () => {
	rmSync(path);
	expect(await append("a line\n")).toBeInstanceOf(OtherFileError);
	await sink.file(path);
	expect(await append("a line\n")).toBeUndefined();
	expect(readFileSync(path, "utf8")).toBe("a line\n");
});

// logrotate's `compress` without `delaycompress` lost what was written between gzip's last read and its removal of the file.
test("lines for a file that is compressed without them are to be written to the next one", async () => {
	renameSync(path, `${path}.1`);
	const packing = beginPacking();
	const appending = append("a line\n");
	await sleep(20);
	packing.end();
	expect(await appending).toBeInstanceOf(OtherFileError);
	await sink.file(path);
	expect(await append("a line\n")).toBeUndefined();
	expect(gunzipSync(readFileSync(`${path}.1.gz`)).toString()).toBe("old\n");
	expect(readFileSync(path, "utf8")).toBe("a line\n");
});

test("lines for a file that is compressed with them are there once", async () => {
	renameSync(path, `${path}.1`);
	appendFileSync(`${path}.1`, "");
	const appending = append("a line\n");
	// Written, and not yet looked at: that goes on when this thread rests.
	while (readFileSync(`${path}.1`, "utf8") !== "old\na line\n") continue;
	beginPacking().end();
	expect(await appending).toBeUndefined();
});

test("while somebody goes on compressing, it is not known whether lines are in the file", async () => {
	renameSync(path, `${path}.1`);
	const packing = beginPacking();
	expect(await append("a line\n")).toBeInstanceOf(UnsettledError);
	packing.end();
});

// logrotate's `create` moved a file away that the logman had made faster: app.log-<hour>.backup.
test("whoever moves a file away and makes a new one at once is not forestalled", async () => {
	renameSync(path, `${path}.1`);
	const looking = sink.file(path);
	await sleep(10);
	closeSync(openSync(path, "wx"));
	await looking;
	expect(await append("a line\n")).toBeUndefined();
	expect(readFileSync(path, "utf8")).toBe("a line\n");
});

// Lines of a parked file that somebody took away in that moment came back, though they were gone by his will.
test("where nobody rotates files, lines for one that is removed in that moment are gone with it", async () => {
	const own = new FileSink({ areRotated: false, onFailedSync: async () => "safe" });
	onTestFinished(() => own.close());
	await own.file(path);
	rmSync(path);
	await own.append(path, Buffer.from("a line\n"));
	await own.file(path);
	expect(readFileSync(path, "utf8")).toBe("");
});

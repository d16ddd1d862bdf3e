import { spawnSync } from "node:child_process";
import {
	appendFileSync,
	mkdirSync,
	readdirSync,
	readFileSync,
	readlinkSync,
	renameSync,
	statSync,
	symlinkSync,
	writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { beforeEach, expect, onTestFinished, test } from "vitest";
import { AppendError, OutputFile, readRange, tailBefore } from "../../../src/sinks/file/output-file.ts";
import { temporaryDirectory } from "../../temporary-directory.ts";

let path: string;

beforeEach(() => {
	path = join(temporaryDirectory(), "app.log");
});

async function open(at = path): Promise<OutputFile> {
	const file = await OutputFile.open(at);
	onTestFinished(() => file.close());
	return file;
}

function isOpen(file: string): boolean {
	return readdirSync("/proc/self/fd").some((fd) => {
		try {
			return readlinkSync(`/proc/self/fd/${fd}`) === file;
		} catch {
			return false;
		}
	});
}

function openDescriptors(): number {
	return readdirSync("/proc/self/fd").length;
}

test("a file is made with the folders that lead to it, and not open to everybody", async () => {
	const deep = join(path, "..", "logs", "2026", "app.log");
	const file = await open(deep);
	await file.append(Buffer.from("a line\n"));
	expect(readFileSync(deep, "utf8")).toBe("a line\n");
	expect(statSync(deep).mode & 0o007).toBe(0);
	expect(statSync(join(deep, "..")).mode & 0o007).toBe(0);
});

test("what is there stays, and what comes goes behind it", async () => {
	writeFileSync(path, "old\n");
	const file = await open();
	await file.append(Buffer.from("new\n"));
	await file.append(Buffer.from("newer\n"));
	expect(readFileSync(path, "utf8")).toBe("old\nnew\nnewer\n");
});

test("the state tells inode, size and tail, after each append and after a look at what others appended", async () => {
	writeFileSync(path, "old\n");
	const file = await open();
	const check = async (): Promise<void> => {
		const { ino, dev, size } = statSync(path);
		expect(file.state).toEqual({ device: dev, inode: ino, sizeBytes: size, tail: await tailBefore(path, size) });
	};
	await check();
	await file.append(Buffer.from("a line\n"));
	await check();
	await file.append(Buffer.from(`${"long ".repeat(100)}\n`));
	await check();
	appendFileSync(path, "theirs\n");
	await file.refresh();
	await check();
	writeFileSync(path, "");
	await file.refresh();
	await check();
});

test("after a rename, a removal or a replacement the look tells that it is another file now", async () => {
	const file = await open();
	await file.append(Buffer.from("one\n"));
	expect(await file.refresh()).toBe(true);
	renameSync(path, `${path}.1`);
	await file.append(Buffer.from("two\n"));
	expect(await file.refresh()).toBe(false);
	writeFileSync(path, "created by logrotate\n");
	expect(await file.refresh()).toBe(false);
	expect(readFileSync(`${path}.1`, "utf8")).toBe("one\ntwo\n");
});

// Its tail was read by its name: logrotate's rename in that moment was an error, and its lines were parked.
test.each([
	["nothing", (): void => undefined],
	["a new file", (): void => writeFileSync(path, "theirs, half a line")],
])("a file that is renamed while it is opened, and %s comes in its place, is no error", async (_, replace) => {
	writeFileSync(path, "one\n");
	const opening = open();
	// Opened, and not yet looked at: that goes on when this thread rests.
	while (!isOpen(path)) continue;
	renameSync(path, `${path}.1`);
	replace();
	const { state, endsInLine } = await opening;
	const { ino, size } = statSync(path);
	expect(state).toMatchObject({ inode: ino, sizeBytes: size, tail: await tailBefore(path, size) });
	expect(endsInLine).toBe(size > 0);
	expect(readFileSync(`${path}.1`, "utf8")).toBe("one\n");
});

test.each([
	["nothing", (): void => undefined],
	["a new file", (): void => writeFileSync(path, "theirs")],
])("a file that is renamed while it is looked at, and %s comes in its place, is another one", async (_, replace) => {
	const file = await open();
	appendFileSync(path, "theirs\n");
	const looking = file.refresh();
	// Its size is known by now; what it ends with is read when this thread rests.
	Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200);
	renameSync(path, `${path}.1`);
	replace();
	expect(await looking).toBe(false);
});

test("the folders that have the names of new files are told: they have to be synced as well", async () => {
	const folder = join(path, "..");
	const deep = join(folder, "logs", "2026", "app.log");
	expect((await open(deep)).newIn).toEqual([join(folder, "logs", "2026"), join(folder, "logs"), folder]);
	expect((await open(path)).newIn).toEqual([folder]);
	expect((await open(path)).newIn).toEqual([]);
});

test("it tells whether its last line has an end", async () => {
	const file = await open();
	expect(file.endsInLine).toBe(false);
	await file.append(Buffer.from("a line\n"));
	expect(file.endsInLine).toBe(false);
	appendFileSync(path, "half a line");
	await file.refresh();
	expect(file.endsInLine).toBe(true);
});

test("a full device tells how many bytes it took, and why not more", async () => {
	symlinkSync("/dev/full", path);
	const file = await open();
	const failure = await attempt(() => file.append(Buffer.from("a line\n")));
	expect(failure).toBeInstanceOf(AppendError);
	expect(failure).toMatchObject({ writtenBytes: 0, cause: { code: "ENOSPC" } });
});

test("what can't be opened says so, and leaves no descriptor open", async () => {
	mkdirSync(path);
	const inTheWay = join(path, "..", "file");
	writeFileSync(inTheWay, "");
	const before = openDescriptors();
	expect(await attempt(() => OutputFile.open(path))).toMatchObject({ code: "EISDIR" });
	expect(await attempt(() => OutputFile.open(join(inTheWay, "app.log")))).toMatchObject({ code: "ENOTDIR" });
	expect(openDescriptors()).toBe(before);
});

test("a FIFO that nobody reads is an error, not a stop", async () => {
	expect(spawnSync("mkfifo", [path]).status).toBe(0);
	expect(await attempt(() => OutputFile.open(path))).toMatchObject({ code: "ENXIO" });
});

test("a device is no file: its size is nothing, and a sync does nothing", async () => {
	const file = await open("/dev/null");
	await file.append(Buffer.from("a line\n"));
	await file.sync();
	expect(file.state.sizeBytes).toBe(0);
});

test("a range of a file ends where the file does", async () => {
	writeFileSync(path, "0123456789");
	expect((await readRange(path, 2, 5)).toString()).toBe("234");
	expect((await readRange(path, 8, 100)).toString()).toBe("89");
	expect(await readRange(path, 100, 200)).toHaveLength(0);
});

async function attempt(work: () => Promise<unknown>): Promise<unknown> {
	try {
		await work();
	} catch (error) {
		return error;
	}
	return undefined;
}

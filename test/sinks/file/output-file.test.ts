import { spawnSync } from "node:child_process";
import {
	appendFileSync,
	mkdirSync,
	readdirSync,
	readFileSync,
	renameSync,
	rmSync,
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

function open(at = path): OutputFile {
	const file = OutputFile.open(at);
	onTestFinished(() => file.close());
	return file;
}

function openDescriptors(): number {
	return readdirSync("/proc/self/fd").length;
}

test("a file is made with the folders that lead to it, and not open to everybody", () => {
	const deep = join(path, "..", "logs", "2026", "app.log");
	open(deep).append(Buffer.from("a line\n"));
	expect(readFileSync(deep, "utf8")).toBe("a line\n");
	expect(statSync(deep).mode & 0o007).toBe(0);
	expect(statSync(join(deep, "..")).mode & 0o007).toBe(0);
});

test("what is there stays, and what comes goes behind it", () => {
	writeFileSync(path, "old\n");
	const file = open();
	file.append(Buffer.from("new\n"));
	file.append(Buffer.from("newer\n"));
	expect(readFileSync(path, "utf8")).toBe("old\nnew\nnewer\n");
});

test("the state tells inode, size and tail, after each append and after a look at what others appended", () => {
	writeFileSync(path, "old\n");
	const file = open();
	const check = (): void => {
		const { ino, dev, size } = statSync(path);
		expect(file.state).toEqual({ device: dev, inode: ino, sizeBytes: size, tail: tailBefore(path, size) });
	};
	check();
	file.append(Buffer.from("a line\n"));
	check();
	file.append(Buffer.from(`${"long ".repeat(100)}\n`));
	check();
	appendFileSync(path, "theirs\n");
	file.refresh();
	check();
	writeFileSync(path, "");
	file.refresh();
	check();
});

test("after a rename the look finds the new file, or makes it", () => {
	const file = open();
	file.append(Buffer.from("one\n"));
	renameSync(path, `${path}.1`);
	file.append(Buffer.from("two\n"));
	file.refresh();
	file.append(Buffer.from("three\n"));
	expect(readFileSync(`${path}.1`, "utf8")).toBe("one\ntwo\n");
	expect(readFileSync(path, "utf8")).toBe("three\n");
	rmSync(path);
	writeFileSync(path, "created by logrotate\n");
	file.refresh();
	file.append(Buffer.from("four\n"));
	expect(readFileSync(path, "utf8")).toBe("created by logrotate\nfour\n");
});

test("a removed folder is made again", () => {
	const deep = join(path, "..", "logs", "app.log");
	const file = open(deep);
	rmSync(join(deep, ".."), { recursive: true });
	file.refresh();
	file.append(Buffer.from("a line\n"));
	expect(readFileSync(deep, "utf8")).toBe("a line\n");
});

test("a full device tells how many bytes it took, and why not more", () => {
	symlinkSync("/dev/full", path);
	const file = open();
	const failure = attempt(() => file.append(Buffer.from("a line\n")));
	expect(failure).toBeInstanceOf(AppendError);
	expect(failure).toMatchObject({ writtenBytes: 0, cause: { code: "ENOSPC" } });
});

test("what can't be opened says so, and leaves no descriptor open", () => {
	mkdirSync(path);
	const inTheWay = join(path, "..", "file");
	writeFileSync(inTheWay, "");
	const before = openDescriptors();
	expect(attempt(() => OutputFile.open(path))).toMatchObject({ code: "EISDIR" });
	expect(attempt(() => OutputFile.open(join(inTheWay, "app.log")))).toMatchObject({ code: "ENOTDIR" });
	expect(openDescriptors()).toBe(before);
});

test("a directory that comes in its way leaves no descriptor open, and does not take what was written", () => {
	const before = openDescriptors();
	const file = OutputFile.open(path);
	file.append(Buffer.from("a line\n"));
	renameSync(path, `${path}.1`);
	mkdirSync(path);
	expect(attempt(() => file.refresh())).toMatchObject({ code: "EISDIR" });
	file.close();
	expect(openDescriptors()).toBe(before);
	expect(readFileSync(`${path}.1`, "utf8")).toBe("a line\n");
});

test("a FIFO that nobody reads is an error, not a stop", () => {
	expect(spawnSync("mkfifo", [path]).status).toBe(0);
	expect(attempt(() => OutputFile.open(path))).toMatchObject({ code: "ENXIO" });
});

test("a device is no file: its size is nothing, and a sync does nothing", () => {
	const file = open("/dev/null");
	file.append(Buffer.from("a line\n"));
	file.sync();
	expect(file.state.sizeBytes).toBe(0);
});

test("a range of a file ends where the file does", () => {
	writeFileSync(path, "0123456789");
	expect(readRange(path, 2, 5).toString()).toBe("234");
	expect(readRange(path, 8, 100).toString()).toBe("89");
	expect(readRange(path, 100, 200)).toHaveLength(0);
});

function attempt(work: () => unknown): unknown {
	try {
		work();
	} catch (error) {
		return error;
	}
	return undefined;
}

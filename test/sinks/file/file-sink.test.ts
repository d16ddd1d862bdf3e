import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, expect, onTestFinished, test } from "vitest";
import { FileSink } from "../../../src/sinks/file/file-sink.ts";
import { temporaryDirectory } from "../../temporary-directory.ts";

let directory: string;
let sink: FileSink;
let problems: string[];

beforeEach(() => {
	directory = temporaryDirectory();
	sink = new FileSink();
	onTestFinished(() => sink.close());
	problems = [];
});

function write(name: string, text: string): void {
	const path = join(directory, name);
	sink.file(path);
	sink.append(path, Buffer.from(text));
}

function sync(): void {
	sink.sync((path, error) => problems.push(`${path}: ${String(error)}`));
}

test("many files are written with few descriptors, each file its own lines", () => {
	for (let round = 0; round < 3; round++) {
		for (let index = 0; index < 300; index++) write(`${index}.log`, `${index} ${round}\n`);
		expect(sink.openCount).toBeLessThanOrEqual(128);
	}
	for (let index = 0; index < 300; index++) {
		expect(readFileSync(join(directory, `${index}.log`), "utf8")).toBe(`${index} 0\n${index} 1\n${index} 2\n`);
	}
	expect(sink.unsynced).toHaveLength(300);
	sync();
	expect(problems).toEqual([]);
	expect(sink.isSynced).toBe(true);
});

test("an append finds its file after its descriptor was closed for others", () => {
	const path = join(directory, "first.log");
	sink.file(path);
	for (let index = 0; index < 200; index++) sink.file(join(directory, `${index}.log`));
	sink.append(path, Buffer.from("a line\n"));
	expect(readFileSync(path, "utf8")).toBe("a line\n");
});

test("a sync of a file that is gone or moved makes no new one", () => {
	const path = join(directory, "moved.log");
	sink.markUnsynced([path, join(directory, "never", "was.log")]);
	sync();
	expect(problems).toEqual([]);
	expect(sink.isSynced).toBe(true);
	expect(readdirSync(directory)).toEqual([]);
});

test("a file that can't be reached any more is told of once, and holds up no other's sync", () => {
	writeFileSync(join(directory, "file"), "");
	sink.markUnsynced([join(directory, "file", "below.log")]);
	write("good.log", "a line\n");
	sync();
	expect(problems).toHaveLength(1);
	expect(problems[0]).toContain("ENOTDIR");
	expect(sink.isSynced).toBe(true);
	sync();
	expect(problems).toHaveLength(1);
});

test("what went to a file is synced before a directory in its place puts it out of reach", () => {
	write("app.log", "a line\n");
	const path = join(directory, "app.log");
	renameSync(path, `${path}.1`);
	mkdirSync(path);
	expect(() => sink.file(path)).toThrow("EISDIR");
	expect(sink.isSynced).toBe(true);
	expect(sink.openCount).toBe(0);
	rmSync(path, { recursive: true });
	write("app.log", "another\n");
	expect(readFileSync(path, "utf8")).toBe("another\n");
});

test("a forgotten file is closed, and is no one's business any more", () => {
	write("app.log", "a line\n");
	sink.forget(join(directory, "app.log"));
	expect(sink.openCount).toBe(0);
	expect(sink.isSynced).toBe(true);
	rmSync(join(directory, "app.log"));
	sync();
	expect(existsSync(join(directory, "app.log"))).toBe(false);
});

/**
 * A logman dies in the middle of a batch, and before the next one starts somebody does something to the file: what is
 * in the file, or in what it has become, is not written again, and what is not is.
 */
import {
	appendFileSync,
	mkdirSync,
	readFileSync,
	renameSync,
	rmdirSync,
	rmSync,
	truncateSync,
	writeFileSync,
} from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { beforeEach, expect, test } from "vitest";
import { spoolPaths } from "../../src/spool/paths.ts";
import { startFixture } from "../fixture-process.ts";
import { LineWriter } from "../line-writer.ts";
import { cacheDirectory, drain, linesOf } from "../running-logman.ts";
import { temporaryDirectory } from "../temporary-directory.ts";

let cacheDir: string;
let path: string;
const early = ["an early line"];
const lines = Array.from({ length: 100 }, (_, index) => `line ${index}`);

beforeEach(async () => {
	cacheDir = cacheDirectory();
	path = join(temporaryDirectory(), "app.log");
	write(early);
	await drain(cacheDir);
	write(lines);
});

function write(some: readonly string[], to = path): void {
	using writer = new LineWriter(cacheDir);
	for (const line of some) writer.write(to, line);
}

/** Runs a logman that kills itself at the step whose name begins so. */
async function dieAt(step: string): Promise<void> {
	const { process, ended } = startFixture("fault-logman", cacheDir, step);
	let errors = "";
	process.stderr.on("data", (text) => (errors += text));
	process.stdout.resume();
	await ended();
	expect(errors).toBe("");
	expect(process.signalCode).toBe("SIGKILL");
}

const half = (): string => `half output.append ${path}`;

/** Dies when all lines are in the file, and no checkpoint says so. */
async function dieAfterWriting(): Promise<void> {
	await dieAt(`before output.append ${path}`);
	appendFileSync(path, `${lines.join("\n")}\n`);
}

test("nothing happened to the file: a whole batch is not written again, half of one is completed", async () => {
	await dieAt(half());
	expect(readFileSync(path, "utf8").endsWith("\n")).toBe(false);
	await drain(cacheDir);
	expect(linesOf(path)).toEqual([...early, ...lines]);
});

test("others appended to it", async () => {
	await dieAfterWriting();
	appendFileSync(path, "theirs\n");
	await drain(cacheDir);
	expect(linesOf(path)).toEqual([...early, ...lines, "theirs"]);
});

test("others appended behind half a batch: each line is there once, but for the one that was cut", async () => {
	await dieAt(half());
	const cut = readFileSync(path, "utf8").split("\n").at(-1) as string;
	appendFileSync(path, "\ntheirs\n");
	await drain(cacheDir);
	const there = linesOf(path);
	expect(there.filter((line) => line !== "theirs" && line !== cut)).toEqual([...early, ...lines]);
});

test("copytruncate emptied it after the batch was in it: the lines were copied by whoever did that or are gone", async () => {
	await dieAfterWriting();
	truncateSync(path, 0);
	await drain(cacheDir);
	expect(linesOf(path)).toEqual(lines);
});

test("copytruncate emptied it before the batch", async () => {
	await dieAt(`before output.append ${path}`);
	truncateSync(path, 0);
	await drain(cacheDir);
	expect(linesOf(path)).toEqual(lines);
});

test("logrotate renamed it, and made a new one", async () => {
	await dieAfterWriting();
	renameSync(path, `${path}.1`);
	writeFileSync(path, "");
	write(["the next line"]);
	await drain(cacheDir);
	expect(linesOf(`${path}.1`)).toEqual([...early, ...lines]);
	expect(linesOf(path)).toEqual(["the next line"]);
});

test("logrotate renamed it with half a batch in it: the other half goes there", async () => {
	await dieAt(half());
	renameSync(path, `${path}.1`);
	writeFileSync(path, "");
	write(["the next line"]);
	await drain(cacheDir);
	expect(linesOf(`${path}.1`)).toEqual([...early, ...lines]);
	expect(linesOf(path)).toEqual(["the next line"]);
});

test("logrotate renamed it before anything of the batch was in it", async () => {
	await dieAt(`before output.append ${path}`);
	renameSync(path, `${path}.1`);
	await drain(cacheDir);
	expect(linesOf(`${path}.1`)).toEqual(early);
	expect(linesOf(path)).toEqual(lines);
});

test("it was deleted: its lines are written to a new one", async () => {
	await dieAfterWriting();
	rmSync(path);
	await drain(cacheDir);
	expect(linesOf(path)).toEqual(lines);
});

test("it was replaced by another file of its name", async () => {
	await dieAfterWriting();
	writeFileSync(`${path}.new`, "of others\n");
	renameSync(`${path}.new`, path);
	await drain(cacheDir);
	expect(linesOf(path)).toEqual(["of others", ...lines]);
});

test("a directory came in its way: the lines wait, and come when it has gone", async () => {
	await dieAt(`before output.append ${path}`);
	renameSync(path, `${path}.1`);
	mkdirSync(path);
	await drain(cacheDir);
	rmdirSync(path);
	await drain(cacheDir);
	await drain(cacheDir);
	expect(linesOf(path)).toEqual(lines);
});

// What was left to do was kept in no checkpoint: the second death lost it.
test("a second death in the recovery, when one file of the batch can't be written any more", async () => {
	const other = join(path, "..", "other.log");
	write(["for the other"], other);
	await dieAt(`before output.append ${path}`);
	renameSync(path, `${path}.1`);
	mkdirSync(path);
	await dieAt(`before output.append ${other}`);
	await drain(cacheDir);
	expect(linesOf(other)).toEqual(["for the other"]);
	rmdirSync(path);
	await drain(cacheDir);
	await drain(cacheDir);
	expect(linesOf(path)).toEqual(lines);
});

test("lines that were logged since the death, by producers that live and that are dead, come behind", async () => {
	using living = new LineWriter(cacheDir);
	living.write(path, "before the death");
	await dieAt(half());
	living.write(path, "after the death");
	write(["by one that is dead"]);
	await drain(cacheDir);
	expect(linesOf(path)).toEqual([...early, ...lines, "before the death", "after the death", "by one that is dead"]);
});

test("a checkpoint slot that was torn while it was written costs nothing", async () => {
	await dieAt(`half checkpoint.store`);
	await drain(cacheDir);
	expect(linesOf(path)).toEqual([...early, ...lines]);
});

test("with both slots of the checkpoint lost nothing is lost; what the spool still holds may come again", async () => {
	await dieAfterWriting();
	const checkpoint = await open(spoolPaths(cacheDir).checkpoint, "r+");
	const { size } = await checkpoint.stat();
	await checkpoint.write(Buffer.alloc(size, 0xff), 0, size, 0);
	await checkpoint.close();
	write(["the next line"]);
	await drain(cacheDir);
	expect(linesOf(path).slice(0, 101)).toEqual([...early, ...lines]);
	expect(linesOf(path).at(-1)).toBe("the next line");
	await drain(cacheDir);
	write(["one more"]);
	await drain(cacheDir);
	expect(linesOf(path).filter((line) => line === "one more" || line === "the next line")).toEqual([
		"the next line",
		"one more",
	]);
});

// A line that a power failure had cut, or text of somebody else without an end, was glued to the next line.
test("a file that ends in the middle of a line: what comes begins on a line of its own, also after a death", async () => {
	appendFileSync(path, "half of theirs");
	await dieAt(`half output.append ${path}`);
	await drain(cacheDir);
	expect(linesOf(path)).toEqual([...early, "half of theirs", ...lines]);
});

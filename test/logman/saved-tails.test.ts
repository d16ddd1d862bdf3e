import { readdirSync, writeFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { SavedTails } from "../../src/logman/saved-tails.ts";
import { temporaryDirectory } from "../temporary-directory.ts";

const path = "/logs/app.log";
const file = { device: 1, inode: 2 };
const chunks = [
	{ offset: 0, bytes: Buffer.from("one\n") },
	{ offset: 9, bytes: Buffer.from("two\n") },
];

function ignore(): void {}

test("what was saved is there for the next logman, until it is released", () => {
	const folder = temporaryDirectory();
	new SavedTails(folder).save(path, file, chunks);
	const tails = new SavedTails(folder);
	tails.restore(ignore);
	expect(tails.has(path)).toBe(true);
	const [tail] = tails.due(0);
	if (tail === undefined) throw new Error("nothing was restored");
	expect(tail).toMatchObject({ path, ...file });
	expect(tails.chunksOf(tail)).toEqual(chunks);
	tails.release(tail);
	expect(readdirSync(folder)).toEqual([]);
	expect(tails.size).toBe(0);
});

// One damaged file kept every logman from starting.
test("a damaged file and a draft stop nobody", () => {
	const folder = temporaryDirectory();
	new SavedTails(folder).save(path, file, chunks);
	writeFileSync(join(folder, "a.tail"), "no JSON\n");
	writeFileSync(join(folder, "b.tail"), `${JSON.stringify({ path, ...file, chunks: [[0, 100]] })}\nshort`);
	writeFileSync(join(folder, "c.tail"), "");
	writeFileSync(join(folder, "d.tail.new"), "half");
	const damaged: string[] = [];
	const tails = new SavedTails(folder);
	tails.restore((each) => damaged.push(each.slice(-6)));
	expect(damaged.toSorted()).toEqual(["a.tail", "b.tail", "c.tail"]);
	expect(tails.size).toBe(1);
	expect(readdirSync(folder)).not.toContain("d.tail.new");
});

test("a file that somebody took away has nothing to write", () => {
	const folder = temporaryDirectory();
	const tails = new SavedTails(folder);
	tails.save(path, file, chunks);
	const [tail] = tails.due(0);
	if (tail === undefined) throw new Error("nothing was saved");
	rmSync(tail.file);
	expect(tails.chunksOf(tail)).toEqual([]);
	tails.release(tail);
	expect(tails.size).toBe(0);
});

/**
 * Lines whose sync failed are written again so that the next sync brings them to the disk: at the place where they are, whoever
 * else writes to the file or renames it.
 */
import { appendFileSync, readFileSync, renameSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { observeSteps } from "../../../src/platform/step.ts";
import { FileSink } from "../../../src/sinks/file/file-sink.ts";
import type { AfterFailedSync, FailedSync } from "../../../src/sinks/file/output-syncs.ts";
import { FaultyMount, faultyMountRefusal } from "../../faulty-mount.ts";
import { temporaryDirectory } from "../../temporary-directory.ts";

let sink: FileSink;
let failed: FailedSync[];
let answer: AfterFailedSync;

beforeEach(() => {
	failed = [];
	answer = "safe";
	sink = new FileSink({
		onFailedSync: async (failure) => {
			failed.push(failure);
			return answer;
		},
	});
	onTestFinished(() => sink.close());
});

/** What {@link failed} says is written again. */
async function rewriteAll(): Promise<void> {
	for (const { path, chunks, ...file } of failed) await sink.rewrite(path, file, await sink.readBack(path, chunks));
}

function failNextSync(): void {
	let left = 1;
	observeSteps(({ name }) => {
		if (name === "output.sync" && left-- > 0) throw Object.assign(new Error("EIO"), { code: "EIO" });
	});
	onTestFinished(() => observeSteps(undefined));
}

test("what others write between the look at a file and the append moves no line: its place is the one that it has", async () => {
	const path = join(temporaryDirectory(), "app.log");
	await sink.file(path);
	appendFileSync(path, "theirs\n");
	await sink.append(path, Buffer.from("one\n"));
	appendFileSync(path, "more of theirs\n");
	await sink.append(path, Buffer.from("two\n"));
	failNextSync();
	await sink.sync();
	const text = readFileSync(path, "utf8");
	expect(failed[0]?.chunks).toMatchObject([{ offset: text.indexOf("one") }, { offset: text.indexOf("two") }]);
	// Half of it has reached the disk.
	writeFileSync(path, text.replace("theirs\none", "theirs\n\0\0e").replace("two\n", "\0\0\0\0"));
	await rewriteAll();
	expect(readFileSync(path, "utf8")).toBe(text);
});

test("lines that are found at another place are written again there: they may be in memory only", async () => {
	const path = join(temporaryDirectory(), "app.log");
	writeFileSync(path, "old\n");
	await sink.file(path);
	await sink.append(path, Buffer.from("one\n"));
	failNextSync();
	await sink.sync();
	truncateSync(path, 0);
	appendFileSync(path, "theirs\none\n");
	const written: number[] = [];
	observeSteps((step) => {
		if (step.name === "output.rewrite" && step.call === "write") written.push(step.position ?? -1);
	});
	await rewriteAll();
	expect(written).toEqual(["theirs\n".length]);
	expect(readFileSync(path, "utf8")).toBe("theirs\none\n");
});

test.each([
	["half of them", "theirs\none\ntw", "theirs\none\ntwo\n"],
	["half of somebody's line", "theirs\nthei", "theirs\nthei\none\ntwo\n"],
	["what only looks like their beginning", "theirs o", "theirs o\none\ntwo\n"],
	["whole lines", "theirs\n", "theirs\none\ntwo\n"],
	["nothing", "", "one\ntwo\n"],
])("lines that have no place any more are appended whole where the file ends with %s", async (_, there, expected) => {
	const path = join(temporaryDirectory(), "app.log");
	writeFileSync(path, "old\n".repeat(1000));
	await sink.file(path);
	await sink.append(path, Buffer.from("one\ntwo\n"));
	failNextSync();
	await sink.sync();
	truncateSync(path, 0);
	appendFileSync(path, there);
	await rewriteAll();
	expect(readFileSync(path, "utf8")).toBe(expected);
	await rewriteAll();
	expect(readFileSync(path, "utf8")).toBe(expected);
});

test("a file that is renamed while its lines are written again gets them, and the one that came in its place does not", async () => {
	const path = join(temporaryDirectory(), "app.log");
	await sink.file(path);
	await sink.append(path, Buffer.from("one\n"));
	failNextSync();
	await sink.sync();
	truncateSync(path, 0);
	const rewriting = rewriteAll();
	// It is found by now, and opened when this thread rests.
	const { ino } = statSync(path);
	for (let age = 1; age < 20; age++) {
		renameSync(age === 1 ? path : `${path}.${age - 1}`, `${path}.${age}`);
		writeFileSync(path, "");
		await new Promise((resolve) => setImmediate(resolve));
	}
	await rewriting;
	expect(statSync(`${path}.19`).ino).toBe(ino);
	expect(readFileSync(`${path}.19`, "utf8")).toBe("one\n");
	expect(readFileSync(path, "utf8")).toBe("");
});

describe.skipIf(faultyMountRefusal !== undefined)(`on a mount (${faultyMountRefusal ?? "as root"})`, () => {
	// They were found in memory, at another place than they were thought to be, and taken for safe.
	test("lines behind those of others are on the disk after they were written again, though the sync had lost them", async () => {
		const mount = await FaultyMount.start();
		const path = join(mount.path, "app.log");
		await sink.file(path);
		appendFileSync(path, "theirs\n");
		await sink.append(path, Buffer.from("ours\n"));
		await mount.fail("sync", "EIO", { loses: true });
		await sink.sync();
		await mount.goOn();
		await rewriteAll();
		await mount.evict();
		expect(readFileSync(path, "utf8")).toBe(`${"\0".repeat("theirs\n".length)}ours\n`);
	});

	// The second sync, which worked, was taken for a proof of what the first one had lost.
	test("lines of a logman before this one are on the disk after a sync that fails and one that works", async () => {
		const mount = await FaultyMount.start();
		const path = join(mount.path, "app.log");
		const text = `${"a line\n".repeat(20_000)}the last\n`;
		writeFileSync(path, text);
		const { ino: inode, dev: device } = statSync(path);
		answer = "owed";
		sink.markUnsynced([{ path, inode, device }]);
		await mount.fail("sync", "EIO", { loses: true });
		await sink.sync();
		expect(failed).toMatchObject([{ path, isWhole: false, chunks: [] }]);
		await mount.goOn();
		expect(await sink.sync()).toBe(true);
		expect(sink.isSynced).toBe(true);
		await mount.evict();
		expect(readFileSync(path, "utf8")).toBe(text);
	});
});

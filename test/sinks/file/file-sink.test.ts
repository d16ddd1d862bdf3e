import {
	appendFileSync,
	existsSync,
	mkdirSync,
	readdirSync,
	readFileSync,
	readlinkSync,
	renameSync,
	rmSync,
	statSync,
	truncateSync,
	writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { beforeEach, expect, onTestFinished, test, vi } from "vitest";
import { observeSteps } from "../../../src/platform/step.ts";
import { FileSink, OtherFileError } from "../../../src/sinks/file/file-sink.ts";
import type { FailedSync } from "../../../src/sinks/file/output-syncs.ts";
import { temporaryDirectory } from "../../temporary-directory.ts";

let directory: string;
let sink: FileSink;
/** What could not be synced, and what the one who is told of it answers. */
let failures: FailedSync[];
let isSavedElsewhere: boolean;

beforeEach(() => {
	directory = temporaryDirectory();
	failures = [];
	isSavedElsewhere = true;
	sink = makeSink();
});

function makeSink(maxTailBytes = 1024 * 1024): FileSink {
	const made = new FileSink({
		maxTailBytes,
		onFailedSync: async (failed) => {
			failures.push(failed);
			return isSavedElsewhere ? "safe" : "unsafe";
		},
	});
	onTestFinished(() => made.close());
	return made;
}

async function write(name: string, text: string): Promise<string> {
	const path = join(directory, name);
	await sink.file(path);
	await sink.append(path, Buffer.from(text));
	return path;
}

/** Lets syncs of the given step fail while `work` goes on, in their place. */
async function failingSyncs(step: string, work: () => Promise<void>, count = Number.POSITIVE_INFINITY): Promise<void> {
	let left = count;
	observeSteps(({ name }) => {
		if (name === step && --left >= 0)
			throw Object.assign(new Error("EIO: let fail by a test"), { code: "EIO", syscall: "fdatasync" });
	});
	try {
		await work();
	} finally {
		observeSteps(undefined);
	}
}

test("many files are written with few descriptors, each file its own lines", async () => {
	for (let round = 0; round < 3; round++) {
		for (let index = 0; index < 300; index++) await write(`${index}.log`, `${index} ${round}\n`);
		expect(sink.openCount).toBeLessThanOrEqual(128);
	}
	for (let index = 0; index < 300; index++) {
		expect(readFileSync(join(directory, `${index}.log`), "utf8")).toBe(`${index} 0\n${index} 1\n${index} 2\n`);
	}
	expect(sink.unsynced).toHaveLength(300);
	expect(await sink.sync()).toBe(true);
	expect(failures).toEqual([]);
	expect(sink.isSynced).toBe(true);
});

test("an append finds its file after its descriptor was closed for others", async () => {
	const path = join(directory, "first.log");
	await sink.file(path);
	for (let index = 0; index < 200; index++) await sink.file(join(directory, `${index}.log`));
	await sink.append(path, Buffer.from("a line\n"));
	expect(readFileSync(path, "utf8")).toBe("a line\n");
});

test("after a rename, and after the removal of its folder, the lines go to a new file", async () => {
	const path = await write("logs/app.log", "one\n");
	renameSync(path, `${path}.1`);
	await write("logs/app.log", "two\n");
	expect(readFileSync(path, "utf8")).toBe("two\n");
	rmSync(join(directory, "logs"), { recursive: true });
	await write("logs/app.log", "three\n");
	expect(readFileSync(path, "utf8")).toBe("three\n");
	await vi.waitFor(() => expect(sink.openCount).toBe(1));
});

test("a sync of a file that is gone or moved makes no new one", async () => {
	const [moved, never] = [join(directory, "moved.log"), join(directory, "never", "was.log")];
	sink.markUnsynced([moved, never].map((path) => ({ path, device: 0, inode: 0 })));
	expect(await sink.sync()).toBe(true);
	expect(failures).toEqual([]);
	expect(sink.isSynced).toBe(true);
	expect(readdirSync(directory)).toEqual([]);
});

// A file that was renamed before its sync was passed over: the one that had come in its place was synced instead.
test("a file that was renamed is synced under its new name, also by the logman that comes next", async () => {
	const path = await write("app.log", "a line\n");
	const { ino: inode, dev: device } = statSync(path);
	sink.close();
	renameSync(path, `${path}.1`);
	writeFileSync(path, "");
	const next = makeSink();
	next.markUnsynced([{ path, device, inode }]);
	const synced: string[] = [];
	observeSteps((step) => {
		if (step.name === "output.sync-closed" && "fd" in step) synced.push(pathOf(step.fd));
	});
	onTestFinished(() => observeSteps(undefined));
	expect(await next.sync()).toBe(true);
	expect(synced).toEqual([`${path}.1`]);
});

test("a file that can't be reached any more is told of, and holds up no other's sync", async () => {
	writeFileSync(join(directory, "file"), "");
	sink.markUnsynced([{ path: join(directory, "file", "below.log"), device: 0, inode: 0 }]);
	await write("good.log", "a line\n");
	expect(await sink.sync()).toBe(true);
	expect(failures).toMatchObject([{ error: { code: "ENOTDIR" }, isWhole: false, chunks: [] }]);
	expect(sink.isSynced).toBe(true);
	await sink.sync();
	expect(failures).toHaveLength(1);
});

test("what went to a file is synced, wherever it was moved, when a directory has come in its place", async () => {
	const path = await write("app.log", "a line\n");
	renameSync(path, `${path}.1`);
	mkdirSync(path);
	renameSync(`${path}.1`, join(directory, "elsewhere"));
	const synced: string[] = [];
	observeSteps((step) => {
		if (step.name === "output.sync" && "fd" in step) synced.push(pathOf(step.fd));
	});
	onTestFinished(() => observeSteps(undefined));
	await expect(sink.file(path)).rejects.toThrow("EISDIR");
	expect(await sink.sync()).toBe(true);
	expect(synced).toEqual([join(directory, "elsewhere")]);
	expect(sink.openCount).toBe(0);
	rmSync(path, { recursive: true });
	await write("app.log", "another\n");
	expect(readFileSync(path, "utf8")).toBe("another\n");
});

test("a forgotten file is closed, and is no one's business any more", async () => {
	const path = await write("app.log", "a line\n");
	sink.forget(path);
	expect(sink.openCount).toBe(0);
	expect(sink.isSynced).toBe(true);
	rmSync(path);
	await sink.sync();
	expect(existsSync(path)).toBe(false);
});

test("the folders of new files are synced with them", async () => {
	const folders: string[] = [];
	await write("a/b/app.log", "a line\n");
	observeSteps((step) => {
		if (step.call === "syncFolder") folders.push(step.path);
	});
	onTestFinished(() => observeSteps(undefined));
	await sink.sync();
	const expected = [join(directory, "a", "b"), join(directory, "a"), directory];
	expect(folders.slice(0, 3)).toEqual(expected);
	// Those above may be new as well: nobody knows who made them.
	expect(folders.slice(3).every((folder) => directory.startsWith(folder))).toBe(true);
	const { length } = folders;
	await write("a/b/app.log", "another\n");
	await sink.sync();
	expect(folders).toHaveLength(length);
});

// After a failed sync Linux takes pages for clean that never reached the disk: a second sync alone proves nothing.
test("what a sync did not bring to the disk is handed over, and no longer counts as unsynced", async () => {
	const path = await write("app.log", "one\n");
	await sink.sync();
	await write("app.log", "two\n");
	await write("app.log", "three\n");
	await failingSyncs("output.sync", async () => expect(await sink.sync()).toBe(true));
	const { ino: inode, dev: device } = statSync(path);
	expect(failures).toMatchObject([{ path, inode, device, isWhole: true, error: { code: "EIO" } }]);
	expect(await sink.readBack(path, failures[0]?.chunks ?? [])).toEqual([
		{ offset: 4, bytes: Buffer.from("two\n") },
		{ offset: 8, bytes: Buffer.from("three\n") },
	]);
	expect(sink.isSynced).toBe(true);
});

test("what nobody could take over is written again at its place before the next sync counts", async () => {
	const path = await write("app.log", "one\n");
	isSavedElsewhere = false;
	await failingSyncs("output.sync", async () => expect(await sink.sync()).toBe(false));
	expect(sink.isSynced).toBe(false);
	// What a disk leaves whose pages were dropped.
	truncateSync(path, 0);
	truncateSync(path, 4);
	await write("app.log", "two\n");
	expect(await sink.sync()).toBe(true);
	expect(readFileSync(path, "utf8")).toBe("one\ntwo\n");
});

test("lines written again stay once where they are, go behind what others wrote, and not into a file that was removed", async () => {
	const path = await write("app.log", "ours\n");
	const { ino: inode, dev: device } = statSync(path);
	const chunks = [{ offset: 0, bytes: Buffer.from("ours\n") }];
	await sink.rewrite(path, { inode, device }, chunks);
	expect(readFileSync(path, "utf8")).toBe("ours\n");
	writeFileSync(path, "theirs\n");
	await sink.rewrite(path, { inode, device }, chunks);
	expect(readFileSync(path, "utf8")).toBe("theirs\nours\n");
	await sink.rewrite(path, { inode, device }, chunks);
	expect(readFileSync(path, "utf8")).toBe("theirs\nours\n");
	appendFileSync(path, "more of theirs\n");
	renameSync(path, `${path}.1`);
	await sink.rewrite(path, { inode, device }, chunks);
	expect(readFileSync(`${path}.1`, "utf8")).toBe("theirs\nours\nmore of theirs\n");
	rmSync(`${path}.1`);
	await sink.rewrite(path, { inode, device }, chunks);
	expect(existsSync(path)).toBe(false);
});

test("beyond its memory it takes lines from their file again, and tells when they are not what they were", async () => {
	sink = makeSink(300);
	const path = await write("app.log", "kept\n");
	for (let index = 0; index < 100; index++) await write("app.log", `${index} not kept\n`);
	isSavedElsewhere = false;
	await failingSyncs("output.sync", async () => expect(await sink.sync()).toBe(false));
	const chunks = failures[0]?.chunks ?? [];
	expect(chunks).toHaveLength(2);
	const all = await sink.readBack(path, chunks);
	expect(Buffer.concat(all.map(({ bytes }) => bytes))).toEqual(readFileSync(path));
	truncateSync(path, 20);
	await expect(sink.readBack(path, chunks)).rejects.toThrow("can't be read back");
});

// The second sync of a file, begun while the first was under way, closed its descriptor: the number was another file's then.
test("syncs of one file that are asked for at once leave it open, and forget nothing that came meanwhile", async () => {
	const path = await write("app.log", "one\n");
	const both = [sink.sync(), sink.sync(path)];
	await write("app.log", "two\n");
	both.push(sink.sync(path));
	await write("app.log", "three\n");
	expect(await Promise.all(both)).toEqual([true, true, true]);
	await write("app.log", "four\n");
	expect(sink.openCount).toBe(1);
	expect(await sink.sync()).toBe(true);
	expect(sink.isSynced).toBe(true);
	expect(readFileSync(path, "utf8")).toBe("one\ntwo\nthree\nfour\n");
});

// What grew in a chunk of which only the checksum was kept counted as synced with it.
test("what comes while a sync is under way counts as synced only after the next one", async () => {
	sink = makeSink(0);
	await write("app.log", "one\n");
	const first = sink.sync();
	await write("app.log", "two\n");
	await first;
	isSavedElsewhere = false;
	await failingSyncs("output.sync", async () => expect(await sink.sync()).toBe(false));
	expect(failures.at(-1)?.chunks).toMatchObject([{ offset: 4, length: 4 }]);
});

test("a file replaced by another one while its descriptor was closed gets nothing", async () => {
	const path = join(directory, "app.log");
	const { state } = await sink.file(path);
	for (let index = 0; index < 200; index++) await sink.file(join(directory, `${index}.log`));
	renameSync(path, `${path}.1`);
	writeFileSync(path, "");
	await expect(sink.append(path, Buffer.from("a line\n"), state)).rejects.toThrow(OtherFileError);
	expect(readFileSync(path, "utf8")).toBe("");
	await sink.append(path, Buffer.from("a line\n"), (await sink.file(path)).state);
	expect(readFileSync(path, "utf8")).toBe("a line\n");
});

test("a new file whose folder can't be synced counts as a failure, and is synced again with it", async () => {
	const path = await write("app.log", "one\n");
	await failingSyncs("output.sync-folder", async () => expect(await sink.sync()).toBe(true));
	expect(failures).toMatchObject([{ path, isWhole: true, error: { code: "EIO" } }]);
	const folders: string[] = [];
	await write("app.log", "two\n");
	observeSteps((step) => {
		if (step.call === "syncFolder") folders.push(step.path);
	});
	onTestFinished(() => observeSteps(undefined));
	expect(await sink.sync()).toBe(true);
	expect(folders[0]).toBe(directory);
});

test("rewriting that fails again and again keeps what is to be written", async () => {
	const path = await write("app.log", "one\n");
	isSavedElsewhere = false;
	await failingSyncs("output.sync", async () => expect(await sink.sync()).toBe(false));
	truncateSync(path, 0);
	truncateSync(path, 4);
	for (let round = 0; round < 3; round++) {
		await failingSyncs("output.sync-rewritten", async () => expect(await sink.sync()).toBe(false));
		await write("app.log", `more ${round}\n`);
	}
	expect(await sink.sync()).toBe(true);
	expect(readFileSync(path, "utf8")).toBe("one\nmore 0\nmore 1\nmore 2\n");
});

function pathOf(fd: number): string {
	return readlinkSync(`/proc/self/fd/${fd}`);
}

test("a file that was there already has its name brought to the disk too, and those of its folders: its maker may have died before", async () => {
	const folders: string[] = [];
	mkdirSync(join(directory, "deep"));
	writeFileSync(join(directory, "deep", "app.log"), "from another life\n");
	observeSteps((step) => {
		if (step.call === "syncFolder") folders.push(step.path);
	});
	try {
		await write("deep/app.log", "a line\n");
		expect(await sink.sync()).toBe(true);
		expect(folders.slice(0, 3)).toEqual([join(directory, "deep"), directory, dirname(directory)]);
		expect(folders.at(-1)).toBe("/");
		// Once is enough, but for the folder of a new file.
		folders.length = 0;
		await write("deep/app.log", "another\n");
		await write("deep/new.log", "a line\n");
		expect(await sink.sync()).toBe(true);
		expect(folders).toEqual([join(directory, "deep")]);
	} finally {
		observeSteps(undefined);
	}
});

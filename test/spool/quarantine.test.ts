import { execFileSync } from "node:child_process";
import {
	chmodSync,
	existsSync,
	linkSync,
	lstatSync,
	mkdirSync,
	mkdtempSync,
	readdirSync,
	readFileSync,
	readlinkSync,
	rmSync,
	statSync,
	symlinkSync,
	unlinkSync,
	writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Quarantine, type QuarantineOptions, type QuarantineOutcome } from "../../src/spool/quarantine.ts";

describe("Quarantine", () => {
	let folder: string;
	let directory: string;

	beforeEach(() => {
		folder = mkdtempSync(join(tmpdir(), "pylog-quarantine-"));
		directory = join(folder, "quarantine");
	});
	afterEach(() => {
		vi.useRealTimers();
		rmSync(folder, { recursive: true, force: true });
	});

	function open(options?: QuarantineOptions): Quarantine {
		return new Quarantine(directory, options);
	}
	function file(name: string, content: string): string {
		const path = join(folder, name);
		writeFileSync(path, content);
		return path;
	}
	function keptPath(outcome: QuarantineOutcome): string {
		expect(outcome).toMatchObject({ kind: "kept", reasonError: undefined });
		return outcome.kind === "kept" ? outcome.path : "";
	}

	it("moves a file in and writes beside it why, and where it was", () => {
		const path = file("bad.json", "half");
		const { ino } = statSync(path);
		const kept = keptPath(open().take(path, "it is not JSON"));
		expect(existsSync(path)).toBe(false);
		expect(statSync(kept).ino).toBe(ino);
		expect(kept).toMatch(/-bad\.json$/);
		const about: unknown = JSON.parse(readFileSync(`${kept}.reason.json`, "utf8"));
		expect(about).toMatchObject({ reason: "it is not JSON", from: path, bytes: 4, isCut: false });
		expect(statSync(directory).mode & 0o777).toBe(0o700);
		expect(statSync(`${kept}.reason.json`).mode & 0o777).toBe(0o600);
	});

	it("keeps bytes under a name that is safe, whatever it was called", () => {
		const name = `../../etc/passwd\n\0${"é".repeat(500)}`;
		const kept = keptPath(open().keepBytes(name, Buffer.from("bytes"), "a bad record"));
		expect(join(kept, "..")).toBe(directory);
		expect(readFileSync(kept, "utf8")).toBe("bytes");
		expect(statSync(kept).mode & 0o777).toBe(0o600);
		expect(open().list()).toMatchObject([{ path: kept, bytes: 5, reason: "a bad record" }]);
	});

	it("never puts one thing in the place of another of the same name at the same time", () => {
		vi.useFakeTimers({ toFake: ["Date"] });
		const quarantine = open();
		for (let index = 0; index < 100; index++) {
			keptPath(quarantine.take(file("same", `${index}`), "again"));
			keptPath(quarantine.keepBytes("same", Buffer.from(`${index}`), "again"));
		}
		expect(quarantine.list()).toHaveLength(200);
	});

	it("lists the longest kept first, without the reasons' own files", () => {
		const quarantine = open();
		const names = ["c", "a", "b"];
		for (const name of names) keptPath(quarantine.take(file(name, name), `reason ${name}`));
		expect(quarantine.list().map(({ reason }) => reason)).toEqual(names.map((name) => `reason ${name}`));
	});

	it("is empty before there is a folder, and lists what came without a reason", () => {
		expect(open().list()).toEqual([]);
		mkdirSync(directory, { mode: 0o700 });
		writeFileSync(join(directory, "control-17"), "x");
		writeFileSync(join(directory, "lonely.reason.json"), "{}");
		expect(open().list()).toMatchObject([
			{ name: "control-17", reason: undefined },
			{ name: "lonely.reason.json", reason: undefined },
		]);
	});

	it("takes links, FIFOs and folders as what they are", () => {
		const target = file("target", "not to be touched");
		symlinkSync(target, join(folder, "link"));
		execFileSync("mkfifo", [join(folder, "fifo")]);
		mkdirSync(join(folder, "full", "inner"), { recursive: true });
		const quarantine = open();
		const link = keptPath(quarantine.take(join(folder, "link"), "a link"));
		const fifo = keptPath(quarantine.take(join(folder, "fifo"), "a FIFO"));
		const full = keptPath(quarantine.take(join(folder, "full"), "a folder"));
		expect(readlinkSync(link)).toBe(target);
		expect(lstatSync(fifo).isFIFO()).toBe(true);
		expect(readdirSync(full)).toEqual(["inner"]);
		expect(readFileSync(target, "utf8")).toBe("not to be touched");
	});

	it("says that something is gone", () => {
		expect(open().take(join(folder, "missing"), "x")).toEqual({ kind: "gone" });
	});

	it("leaves a thing where it is when it can't be moved, and says why", () => {
		const path = file("bad", "bad");
		symlinkSync(folder, directory);
		expect(open().take(path, "x")).toMatchObject({ kind: "failed", error: { code: "PYLOG_SPOOL_UNSAFE" } });
		expect(open().keepBytes("bad", Buffer.from("bad"), "x")).toMatchObject({ kind: "failed" });
		unlinkSync(directory);
		writeFileSync(directory, "in the way");
		expect(open().take(path, "x")).toMatchObject({ kind: "failed", error: { code: "PYLOG_SPOOL_UNSAFE" } });
		expect(readFileSync(path, "utf8")).toBe("bad");
	});

	it("keeps the beginning of what is too large, and leaves its other names alone", () => {
		const path = file("large", "abcdefghij".repeat(20_000));
		linkSync(path, join(folder, "other-name"));
		const quarantine = open({ maxEntryBytes: 150_001 });
		const taken = quarantine.take(path, "too large");
		expect(taken).toMatchObject({ kind: "kept", isCut: true });
		expect(existsSync(path)).toBe(false);
		expect(statSync(join(folder, "other-name")).size).toBe(200_000);
		expect(readFileSync(keptPath(taken), "utf8")).toBe("abcdefghij".repeat(15_000).concat("a"));
		const bytes = quarantine.keepBytes("bytes", Buffer.alloc(200_000, "x"), "too large");
		expect(bytes).toMatchObject({ kind: "kept", isCut: true });
		expect(statSync(keptPath(bytes)).size).toBe(150_001);
		const about: unknown = JSON.parse(readFileSync(`${keptPath(bytes)}.reason.json`, "utf8"));
		expect(about).toMatchObject({ bytes: 200_000, isCut: true });
	});

	it("drops what was kept longest when there are too many, with its reason, and counts it", () => {
		const quarantine = open({ maxEntries: 16 });
		const outcomes = Array.from({ length: 40 }, (_, index) =>
			quarantine.keepBytes(`${index}`, Buffer.from("x"), `reason ${index}`),
		);
		const kept = quarantine.list();
		expect(kept.length).toBeLessThanOrEqual(16);
		expect(kept.map(({ reason }) => reason)).toEqual(
			Array.from({ length: kept.length }, (_, index) => `reason ${40 - kept.length + index}`),
		);
		expect(readdirSync(directory)).toHaveLength(kept.length * 2);
		expect(quarantine.droppedEntries).toBe(40 - kept.length);
		const told = outcomes.reduce((sum, outcome) => sum + (outcome.kind === "kept" ? outcome.droppedEntries : 0), 0);
		expect(told).toBe(quarantine.droppedEntries);
	});

	it("drops what was kept longest when it is too much, what an earlier process left included", () => {
		const limits = { maxTotalBytes: 100_000, maxEntryBytes: 20_000 };
		for (let index = 0; index < 12; index++) {
			// Each with a quarantine of its own, as after a restart.
			open(limits).take(file("large", "x".repeat(15_000)), `reason ${index}`);
		}
		const sizes = readdirSync(directory).map((name) => statSync(join(directory, name)).size);
		expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThanOrEqual(100_000);
		expect(open().list().at(-1)?.reason).toBe("reason 11");
		expect(open().list().length).toBeGreaterThan(3);
	});

	it("never removes a folder that has content", () => {
		const quarantine = open({ maxEntries: 4 });
		mkdirSync(join(folder, "project"));
		file("project/work", "by mistake");
		const kept = keptPath(quarantine.take(join(folder, "project"), "a folder"));
		for (let index = 0; index < 20; index++) quarantine.keepBytes("x", Buffer.from("x"), "x");
		expect(readFileSync(join(kept, "work"), "utf8")).toBe("by mistake");
		expect(quarantine.list()[0]?.reason).toBe("a folder");
		expect(quarantine.list().length).toBeLessThanOrEqual(4);
	});

	it("moves files on a full disk, and says what it could not write", () => {
		const small = file("small", "bad");
		const large = file("large", "x".repeat(5000));
		const dist = JSON.stringify(new URL("../../dist/spool/quarantine.js", import.meta.url).href);
		const script = `process.on("SIGXFSZ", () => {});
			const { Quarantine } = await import(${dist});
			const quarantine = new Quarantine(${JSON.stringify(directory)}, { maxEntryBytes: 4096 });
			const told = (outcome) => console.log(outcome.kind, (outcome.error ?? outcome.reasonError)?.details.errno);
			told(quarantine.take(${JSON.stringify(small)}, "r".repeat(2000)));
			told(quarantine.take(${JSON.stringify(large)}, "too large"));
			told(quarantine.keepBytes("bytes", Buffer.alloc(2000), "bad record"));
			told(quarantine.keepBytes("bytes", Buffer.alloc(20), "bad record"));`;
		const limited = 'ulimit -f 1; exec "$0" --input-type=module -e "$1"';
		const answer = execFileSync("bash", ["-c", limited, process.execPath, script], { encoding: "utf8" });
		expect(answer).toBe("kept EFBIG\nfailed EFBIG\nfailed EFBIG\nkept undefined\n");
		expect(existsSync(small)).toBe(false);
		expect(statSync(large).size).toBe(5000);
		expect(open().list()).toMatchObject([{ bytes: 3, reason: undefined }, { reason: "bad record" }]);
		expect(readdirSync(directory)).toHaveLength(3);
	});

	it("refuses a folder that others could have written", () => {
		mkdirSync(directory);
		writeFileSync(join(directory, "planted"), "x");
		chmodSync(directory, 0o777);
		const path = file("bad", "bad");
		expect(open().take(path, "x")).toMatchObject({ kind: "failed", error: { code: "PYLOG_SPOOL_UNSAFE" } });
	});
});

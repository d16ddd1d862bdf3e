/** The check of a spool: real files, damaged on purpose. */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
	chmodSync,
	closeSync,
	copyFileSync,
	mkdirSync,
	mkdtempSync,
	openSync,
	readdirSync,
	readFileSync,
	readSync,
	renameSync,
	rmSync,
	statSync,
	symlinkSync,
	truncateSync,
	unlinkSync,
	writeFileSync,
	writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, expect, test } from "vitest";
import { logman } from "../../src/logman/logman.ts";
import { Definition } from "../../src/spool/definition.ts";
import { Producer } from "../../src/spool/producer.ts";
import { segmentHeader } from "../../src/spool/segment-header.ts";
import { type SpoolReport, verifySpool } from "../../src/spool/verify-spool.ts";

let directory: string;
let cacheDir: string;
let producer: Producer;

beforeEach(() => {
	directory = mkdtempSync(join(tmpdir(), "pylog-verify-"));
	cacheDir = join(directory, "cache");
	producer = Producer.open({ cacheDir });
});

afterEach(() => {
	producer.close();
	rmSync(directory, { recursive: true, force: true });
});

test("where there is no spool there is no report", () => {
	expect(verifySpool(join(directory, "nothing"))).toBeUndefined();
	expect(readdirSync(directory)).toEqual(["cache"]);
});

test("a spool in use is sound, and its records are counted", () => {
	expect(problemsOf(verify())).toEqual([]);
	append(3000);
	append(200, 0);
	const report = verify();
	expect(problemsOf(report)).toEqual([]);
	expect(report).toMatchObject({ producers: { living: 1, dead: 0 }, records: 3200, checkpoints: [], quarantine: [] });
	expect(report.segments).toBeGreaterThan(2);
	producer.close();
	expect(verify()).toMatchObject({ producers: { living: 0, dead: 1 }, records: 3200, problems: [] });
});

test("a spool is sound while and after a logman delivers, with segments that are used again", async () => {
	for (let round = 0; round < 5; round++) {
		append(4000);
		append(100, 0);
		await drain();
		const report = verify();
		expect(problemsOf(report)).toEqual([]);
		expect(report.checkpoints.length).toBeGreaterThan(0);
	}
});

test("a record larger than any segment is sound", () => {
	append(10);
	append(1, 1, "x".repeat(5_000_000));
	append(10);
	expect(verify()).toMatchObject({ records: 21, problems: [] });
});

test("nothing is changed by looking, neither in content nor in times", async () => {
	append(2000);
	await drain();
	append(2000);
	flip(segment(), 200);
	const before = fingerprint(directory);
	expect(verify().problems).not.toEqual([]);
	expect(fingerprint(directory)).toEqual(before);
});

test("every flipped bit of a segment's header and records is found", () => {
	append(40);
	append(1, 1, "x".repeat(3000));
	append(40);
	const path = segment();
	const end = endOfRecords(path);
	// The header's bytes behind its checksum are reserved: nothing is read from them.
	const offsets = fc.oneof(fc.nat(segmentHeader.checksum + 3), fc.integer({ min: 64, max: end - 1 }));
	fc.assert(
		fc.property(offsets, fc.nat(7), (offset, bit) => {
			flip(path, offset, bit);
			const report = verify();
			flip(path, offset, bit);
			expect(report.problems.length).toBeGreaterThan(0);
		}),
		{ numRuns: 60 },
	);
	expect(problemsOf(verify())).toEqual([]);
});

test("a damaged record is told with its place, its size and how many records it was", () => {
	append(100);
	const path = segment();
	const [first = 0, second = 0] = recordOffsets(path).slice(50);
	flip(path, first + 50);
	expect(verify().problems).toEqual([
		{
			kind: "record",
			path,
			offset: first,
			what: `${second - first} bytes are no valid record`,
			meaning: "1 record is lost. The logman keeps the bytes in quarantine/ and goes on behind them.",
			remedy: expect.stringContaining(`skip=${first}`) as unknown,
		},
	]);
});

test("damage of what is delivered is told as such", async () => {
	append(100);
	await drain();
	flip(segment(), 500);
	expect(verify().problems).toMatchObject([
		{ kind: "record", meaning: expect.stringContaining("nothing is lost") as unknown },
	]);
});

test("a stretch of zeros in the middle is no end, also where the producer lives", () => {
	append(2000);
	const path = segment();
	const offsets = recordOffsets(path);
	const first = offsets.at(100) ?? 0;
	const behind = offsets.at(150) ?? 0;
	fill(path, first, behind - first);
	expect(verify().problems).toMatchObject([
		{ kind: "record", path, offset: first, meaning: expect.stringMatching(/^50 records are lost\./) as unknown },
	]);
});

test("damage behind which no record follows is told with its place", () => {
	append(100);
	const path = segment();
	const last = recordOffsets(path).at(-1) ?? 0;
	flip(path, last + 50);
	expect(verify().problems).toMatchObject([
		{ kind: "record", path, offset: last, what: "bytes up to the end of the file are no valid record" },
	]);
});

test("a record that is gone without a trace is told as a gap, records in the wrong order as such", () => {
	append(100);
	const path = segment();
	const offsets = recordOffsets(path);
	const [from = 0, to = 0, end = 0] = offsets.slice(50, 53);
	const whole = readFileSync(path);
	const without = Buffer.concat([whole.subarray(0, from), whole.subarray(to), Buffer.alloc(to - from)]);
	change(path, 0, whole.length, (bytes) => void without.copy(bytes));
	expect(verify().problems).toMatchObject([
		{ kind: "gap", path, offset: from, what: expect.stringMatching(/^1 record is missing before record /) as unknown },
	]);
	const swapped = Buffer.concat([
		whole.subarray(0, from),
		whole.subarray(to, end),
		whole.subarray(from, to),
		whole.subarray(end),
	]);
	change(path, 0, whole.length, (bytes) => void swapped.copy(bytes));
	expect(problemsOf(verify())).toEqual(["gap", "gap", "order", "gap"]);
});

test("a zeroed tail is found by what the producer has counted", () => {
	append(100);
	const path = segment();
	const last = recordOffsets(path).at(-1) ?? 0;
	fill(path, last, 4096);
	expect(verify().problems).toMatchObject([
		{ kind: "gap", path, meaning: expect.stringContaining("1 are lost") as unknown },
	]);
});

test("a definition that is gone is told once, with how many records refer to it", () => {
	append(30);
	flip(segment(), 64 + 60);
	const report = verify();
	expect(problemsOf(report)).toEqual(["record", "definition"]);
	expect(report.problems[1]).toMatchObject({ offset: 64, meaning: expect.stringContaining("30 records") as unknown });
});

test("a definition without an absolute path is told", () => {
	append(3, 1, "message", "relative.log");
	expect(verify().problems).toMatchObject([
		{ kind: "definition", what: expect.stringContaining('"relative.log"') as unknown },
	]);
});

test("a segment cut at any byte is told, and never ends the check", () => {
	append(200);
	const whole = readFileSync(segment());
	fc.assert(
		fc.property(fc.nat(endOfRecords(segment())), (sizeBytes) => {
			const copy = join(directory, "copy");
			// Node's own cpSync keeps the modes of folders in some versions only.
			execFileSync("cp", ["-a", cacheDir, copy]);
			truncateSync(join(copy, "producers", String(producer.number), "normal-0.seg"), sizeBytes);
			const report = verifySpool(copy);
			rmSync(copy, { recursive: true });
			const kinds = report?.problems.map(({ kind }) => kind);
			const headerEnd = segmentHeader.checksum + 4;
			expect(kinds?.[0]).toMatch(sizeBytes === 0 ? /gap/ : sizeBytes < headerEnd ? /segment|truncated/ : /truncated/);
		}),
		{ numRuns: 25, examples: [[0], [1], [63], [64]] },
	);
	expect(readFileSync(segment()).equals(whole)).toBe(true);
});

test("a segment that is not there is told, but not one that was delivered", async () => {
	append(3000);
	producer.close();
	const taken = readdirSync(dirname(segment())).filter((name) => name.startsWith("normal-"));
	expect(taken.length).toBeGreaterThan(2);
	unlinkSync(segment(1));
	expect(verify().problems).toMatchObject([{ kind: "missing", what: "segment 2 of the normal lane is not there" }]);
	producer = Producer.open({ cacheDir });
	append(3000);
	await drain();
	// The producer may have given it back already.
	rmSync(segment(0), { force: true });
	expect(problemsOf(verify())).toEqual([]);
});

test("files that are none of the lane's segments are told", () => {
	append(3000);
	const other = Producer.open({ cacheDir });
	const namesake = Producer.open({ cacheDir: join(directory, "other") });
	try {
		append(10, 1, "message", "/dev/null", other);
		append(10, 1, "message", "/dev/null", namesake);
		const folder = dirname(segment());
		copyFileSync(join(dirname(folder), String(other.number), "normal-0.seg"), join(folder, "normal-90.seg"));
		symlinkSync(segment(), join(folder, "normal-91.seg"));
		mkdirSync(join(folder, "normal-92.seg"));
		writeFileSync(join(folder, "normal-93.seg"), "no segment at all");
		writeFileSync(join(folder, "normal-94.seg"), Buffer.alloc(65_536));
		expect(namesake.number).toBe(producer.number);
		copyFileSync(
			join(directory, "other/producers", String(namesake.number), "normal-0.seg"),
			join(folder, "normal-95.seg"),
		);
		const told = verify().problems.map(({ kind, path, what }) => [kind, basename(path), what]);
		expect(told).toHaveLength(5);
		expect(told).toEqual(
			expect.arrayContaining([
				["segment", "normal-90.seg", expect.stringContaining("another producer (2)")],
				["segment", "normal-91.seg", "it is a symbolic link"],
				["segment", "normal-92.seg", "it is a directory"],
				["segment", "normal-93.seg", "its header is no valid one"],
				["segment", "normal-95.seg", expect.stringContaining("another life of the spool")],
			]),
		);
	} finally {
		other.close();
		namesake.close();
	}
});

test("each slot of the checkpoint is checked", async () => {
	append(100);
	await drain();
	append(100);
	await drain();
	const path = join(cacheDir, "checkpoint");
	const generations = verify().checkpoints;
	expect(generations).toHaveLength(2);
	flip(path, 70);
	const [problem] = verify().problems;
	expect(problem).toMatchObject({ kind: "checkpoint", path, offset: 0 });
	expect(problem?.meaning).toContain(`generation ${generations[1]}`);
	flip(path, statSync(path).size / 2);
	const report = verify();
	expect(report.checkpoints).toEqual([]);
	expect(report.problems.map(({ kind, offset }) => [kind, offset])).toEqual([
		["checkpoint", 0],
		["checkpoint", statSync(path).size / 2],
	]);
});

test("a checkpoint that is ahead of the data is told", async () => {
	append(100);
	const early = join(directory, "early.seg");
	copyFileSync(segment(), early);
	append(100);
	await drain();
	copyFileSync(early, segment());
	producer.close();
	expect(problemsOf(verify())).toEqual(["position"]);
});

test("a damaged control file is told, and the segments are checked all the same", () => {
	append(100);
	flip(segment(), 1000);
	for (const offset of [0, 8, 12]) {
		flip(join(cacheDir, "control"), offset);
		expect(problemsOf(verify())).toEqual(["control", "record"]);
		flip(join(cacheDir, "control"), offset);
	}
	renameSync(join(cacheDir, "control"), join(directory, "control"));
	expect(problemsOf(verify())).toEqual(["control", "record"]);
});

test("a counter below a number that is taken is told", () => {
	append(100);
	producer.control.store("nextNumber", 50);
	expect(problemsOf(verify())).toEqual(["numbering"]);
});

test("a producer whose folder was removed is told", () => {
	append(100);
	rmSync(dirname(segment()), { recursive: true });
	expect(verify().problems).toMatchObject([
		{ kind: "slot", what: expect.stringContaining(`producer ${producer.number}`) as unknown },
	]);
});

test("a cache directory that is open to others is told", () => {
	chmodSync(cacheDir, 0o755);
	expect(verify().problems).toMatchObject([{ kind: "unsafe", remedy: `chmod go-rwx '${cacheDir}'` }]);
});

test("parked lines and what is in quarantine are told as content; a parked file without its note is a problem", async () => {
	const output = join(directory, "blocked.log");
	mkdirSync(output);
	append(3, 1, "message", output);
	append(2, 1, "message", "relative.log");
	await drain();
	const report = verify();
	expect(report.parked).toMatchObject([{ output, bytes: 24 }]);
	expect(report.quarantine).toMatchObject([{ reason: "its output is no absolute path: relative.log", bytes: 16 }]);
	expect(problemsOf(report)).toEqual(["definition"]);
	const parked = report.parked[0]?.file ?? "";
	unlinkSync(parked.replace(/log$/, "json"));
	expect(verify().problems).toMatchObject([{ kind: "definition" }, { kind: "parked", path: parked }]);
});

function verify(): SpoolReport {
	const report = verifySpool(cacheDir);
	if (report === undefined) throw new Error("there is no spool");
	return report;
}

function problemsOf({ problems }: SpoolReport): string[] {
	return problems.map(({ kind }) => kind);
}

function append(
	count: number,
	lane: 0 | 1 = 1,
	message = "message",
	output = join(directory, "app.log"),
	by = producer,
): void {
	const definition = Definition.ofLogger({
		output,
		format: "text",
		logform: "",
		name: "",
		hostname: "test",
		pid: process.pid,
		thread: 0,
		fields: "",
	});
	const callSite = Definition.ofCallSite("test.ts:1");
	const entry = { level: 30, timeMs: 0, flags: 1, definition, callSite, message, fields: "", error: "" };
	for (let index = 0; index < count; index++) by.append(lane, entry);
}

async function drain(): Promise<void> {
	await logman({ cacheDir, signal: AbortSignal.abort() });
}

function segment(place = 0): string {
	return join(cacheDir, "producers", String(producer.number), `normal-${place}.seg`);
}

/** Where the records of a segment start, by its length words alone. */
function recordOffsets(path: string): number[] {
	const bytes = readFileSync(path);
	const offsets: number[] = [];
	for (let at = 64; bytes.readInt32LE(at) !== 0; at += bytes.readInt32LE(at)) offsets.push(at);
	return offsets;
}

function endOfRecords(path: string): number {
	const last = recordOffsets(path).at(-1) ?? 64;
	return last + readFileSync(path).readInt32LE(last);
}

function flip(path: string, offset: number, bit = 3): void {
	change(path, offset, 1, (bytes) => bytes.writeUInt8(bytes.readUInt8(0) ^ (1 << bit)));
}

function fill(path: string, offset: number, count: number): void {
	change(path, offset, count, (bytes) => bytes.fill(0));
}

function change(path: string, offset: number, count: number, edit: (bytes: Buffer) => void): void {
	const fd = openSync(path, "r+");
	try {
		const bytes = Buffer.alloc(count);
		readSync(fd, bytes, 0, count, offset);
		edit(bytes);
		writeSync(fd, bytes, 0, count, offset);
	} finally {
		closeSync(fd);
	}
}

/** Content and times of everything below a directory. */
function fingerprint(top: string): Record<string, string> {
	const found: Record<string, string> = {};
	for (const entry of readdirSync(top, { recursive: true, withFileTypes: true })) {
		const path = join(entry.parentPath, entry.name);
		const { mtimeMs, ctimeMs, size } = statSync(path);
		const hash = entry.isFile() ? createHash("sha256").update(readFileSync(path)).digest("hex") : "";
		found[path] = `${mtimeMs} ${ctimeMs} ${size} ${hash}`;
	}
	return found;
}

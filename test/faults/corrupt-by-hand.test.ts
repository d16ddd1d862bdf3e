/**
 * Files that somebody made on purpose, with every checksum right: what a reader of them can be made to do. A logman in a
 * process of its own, on what ships, neither crashes nor hangs nor fills the memory, and writes only what was logged.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { CheckpointFile } from "../../src/spool/checkpoint.ts";
import { checkpointHeader } from "../../src/spool/checkpoint-layout.ts";
import { encodeSlot } from "../../src/spool/checkpoint-slot.ts";
import { ControlFile } from "../../src/spool/control-file.ts";
import { recordHeader, recordKinds } from "../../src/spool/record-codec.ts";
import { CaseRunner } from "../fixtures/faults/case-runner.ts";
import type { Examination } from "../fixtures/faults/corruption-runner.ts";
import { readFiles } from "../fixtures/faults/spool-files.ts";
import { linesOf } from "../running-logman.ts";
import { SegmentBuilder } from "../spool/segment-builder.ts";
import { loggerDefinition } from "../spool/spool-records.ts";
import { temporaryDirectory } from "../temporary-directory.ts";

/** What a damaged spool may cost at most, on a machine that has other work as well. */
const mostMs = 30_000;
const mostMiB = 400;

let directory: string;
let cacheDir: string;
let output: string;
let runner: CaseRunner;

beforeEach(() => {
	directory = temporaryDirectory();
	cacheDir = join(directory, "spool");
	output = join(directory, "app.log");
	const control = ControlFile.open(cacheDir);
	control.store("nextNumber", 1_000_000);
	control.close();
	runner = new CaseRunner(cacheDir);
	onTestFinished(() => runner.close());
});

/** The logman drained it, and nothing was too much. */
async function examine(): Promise<Examination> {
	const examined = await runner.examine();
	if (examined === undefined) throw new Error(`a logman crashed or did not come to an end: ${runner.said}`);
	expect([examined.verify.code, examined.first.code, examined.second.code]).toEqual([undefined, undefined, undefined]);
	expect(examined.first.ms).toBeLessThan(mostMs);
	expect(examined.verify.ms).toBeLessThan(mostMs);
	expect(examined.peakMiB).toBeLessThan(mostMiB);
	expect(examined.isChangedByVerify).toBe(false);
	expect(examined.isSecondQuiet).toBe(true);
	return examined;
}

/** A logman and `verify` say with a code why they can't go on, and change nothing. */
async function examineRefused(): Promise<Examination> {
	const examined = await runner.examine();
	if (examined === undefined) throw new Error(`a logman crashed or did not come to an end: ${runner.said}`);
	expect(examined.verify.code).toBeUndefined();
	expect([examined.first.code, examined.second.code]).toEqual(["PYLOG_SPOOL_UNSAFE", "PYLOG_SPOOL_UNSAFE"]);
	return examined;
}

/** A segment of producer 1, with a definition that leads to the output. */
function segment(index = 1, sizeBytes?: number): { builder: SegmentBuilder; definition: number } {
	const builder = new SegmentBuilder(1, "normal", index, sizeBytes);
	const message = JSON.stringify(loggerDefinition({ output, logform: "%loglevel% %time% %file% | " }));
	return { builder, definition: builder.add({ kind: recordKinds.loggerDefinition, message }) };
}

/** One record that nothing is wrong with. */
function writeSound(): void {
	const { builder, definition } = segment();
	builder.add({ sequence: 1, number: 1, definition, message: "sound" });
	builder.write(cacheDir, 1, 0);
}

const messages = (): string[] => linesOf(output).map((line) => line.replace(/^.*? \| /, ""));

describe("something else in the place of", () => {
	const others: readonly [what: string, put: (path: string) => void][] = [
		["a directory", (path) => mkdirSync(path)],
		["a FIFO", (path) => void execFileSync("mkfifo", ["-m", "600", path])],
		["a link to a file", (path) => symlinkSync(join(directory, "elsewhere"), path)],
		["a link to a device", (path) => symlinkSync("/dev/zero", path)],
		[
			"a socket",
			(path) => {
				const server = createServer().listen(path);
				onTestFinished(() => void server.close());
			},
		],
	];

	test.each(others)(
		"the checkpoint, %s, is refused with a code, told by verify, and nothing waits for it",
		async (_, put) => {
			writeSound();
			const path = join(cacheDir, "checkpoint");
			renameSync(path, join(directory, "elsewhere"));
			put(path);
			const { problems, isChangedByVerify } = await examineRefused();
			expect(problems).toEqual(["unsafe"]);
			expect(isChangedByVerify).toBe(false);
			rmSync(path, { recursive: true });
			await examine();
			expect(messages()).toEqual(["sound"]);
		},
	);

	test.each(others)(
		"the control file, %s, is refused with a code, told by verify, and nothing waits for it",
		async (_, put) => {
			writeSound();
			const path = join(cacheDir, "control");
			renameSync(path, join(directory, "elsewhere"));
			put(path);
			expect((await examineRefused()).problems).toEqual(["unsafe"]);
			rmSync(path, { recursive: true });
			await runner.examine();
			expect(messages()).toEqual(["sound"]);
		},
	);

	test.each(others)("a segment, %s, costs its records, and nothing waits for it", async (_, put) => {
		writeSound();
		const path = join(cacheDir, "producers", "1", "normal-0.seg");
		renameSync(path, join(directory, "elsewhere"));
		put(path);
		await examine();
		expect(messages()).toEqual([]);
	});
});

describe("a checkpoint with a right checksum", () => {
	const start = { place: 0, index: 1, offset: 64, sequence: 0 };
	const sound = { horizon: 5, delivered: [0, 0] as const, chains: [], outputs: [], parked: {}, unsynced: [] };
	const state = { path: "/a", target: "/a", device: 1, inode: 2, sizeBytes: 3, tail: 4, skippedBytes: 0 };
	const shapes: readonly [what: string, json: string][] = [
		["no JSON", "{"],
		["null", "null"],
		["an array", "[]"],
		["nothing in it", "{}"],
		["outputs that are none", '{"outputs":{},"parked":{},"unsynced":[]}'],
		["an output without a path", `{"outputs":[${JSON.stringify({ ...state, path: 7 })}],"parked":{},"unsynced":[]}`],
		["an output of null", '{"outputs":[null],"parked":{},"unsynced":[]}'],
		["a size below nothing", `{"outputs":[${JSON.stringify({ ...state, sizeBytes: -1 })}],"parked":{},"unsynced":[]}`],
		["a size beyond all", `{"outputs":[${JSON.stringify({ ...state, sizeBytes: 1e300 })}],"parked":{},"unsynced":[]}`],
		[
			"a parked range of texts",
			`{"outputs":[${JSON.stringify({ ...state, parked: { from: "0", to: "9" } })}],"parked":{},"unsynced":[]}`,
		],
		["parked of a text", '{"outputs":[],"parked":{"/a":"7"},"unsynced":[]}'],
		["parked of another kind", '{"outputs":[],"parked":[1],"unsynced":[]}'],
		["a prototype", '{"outputs":[],"parked":{"__proto__":{"x":1}},"unsynced":[]}'],
		["unsynced of numbers", '{"outputs":[],"parked":{},"unsynced":[7]}'],
		["deeply nested", "[".repeat(50_000)],
	];

	/** A slot for generation 1 with any JSON and header. */
	function slotWith(json: string | undefined, edit: (bytes: Buffer) => void = () => undefined): Buffer {
		const whole = encodeSlot(sound, 1, 131_072);
		const head = whole.subarray(0, whole.length - whole.readUInt32LE(checkpointHeader.jsonBytes));
		const bytes = json === undefined ? whole : Buffer.concat([head, Buffer.from(json)]);
		bytes.writeUInt32LE(bytes.length - head.length, checkpointHeader.jsonBytes);
		edit(bytes);
		bytes.writeUInt32LE(0, checkpointHeader.crc);
		bytes.writeUInt32LE(crc32(bytes), checkpointHeader.crc);
		return bytes;
	}

	function place(bytes: Buffer): void {
		const path = join(cacheDir, "checkpoint");
		const file = readFileSync(path);
		bytes.copy(file, 131_072);
		writeFileSync(path, file);
	}

	test.each(shapes)("and %s does not count, and stops nothing", async (_, json) => {
		writeSound();
		place(slotWith(json));
		await examine();
		expect(messages()).toEqual(["sound"]);
	});

	const numbers: readonly [what: string, edit: (bytes: Buffer) => void][] = [
		["a horizon that is no number", (bytes) => void bytes.writeDoubleLE(Number.NaN, checkpointHeader.horizon)],
		["a horizon beyond all", (bytes) => void bytes.writeDoubleLE(1e300, checkpointHeader.horizon)],
		["a horizon below nothing", (bytes) => void bytes.writeDoubleLE(-5, checkpointHeader.horizon)],
		["half a number delivered", (bytes) => void bytes.writeDoubleLE(0.5, checkpointHeader.deliveredNormal)],
		[
			"an endless generation",
			(bytes) => void bytes.writeDoubleLE(Number.POSITIVE_INFINITY, checkpointHeader.generation),
		],
		["the other slot's generation", (bytes) => void bytes.writeDoubleLE(2, checkpointHeader.generation)],
		["slots of two gigabytes", (bytes) => void bytes.writeUInt32LE(2 ** 31, checkpointHeader.slotBytes)],
	];

	test.each(numbers)("and %s does not count, and stops nothing", async (_, edit) => {
		writeSound();
		place(slotWith(undefined, edit));
		await examine();
		expect(messages()).toEqual(["sound"]);
		expect(readFileSync(join(cacheDir, "checkpoint")).length).toBe(262_144);
	});

	test("and a position where no record can begin makes the segment be read from its start", async () => {
		const { builder, definition } = segment();
		for (const sequence of [1, 2, 3]) builder.add({ sequence, number: sequence, definition, message: `${sequence}` });
		builder.write(cacheDir, 1, 0);
		for (const offset of [3, 65, 120, 0xffff_fff0, 65_537]) {
			const file = CheckpointFile.open(join(cacheDir, "checkpoint"));
			const from = { ...start, offset, sequence: 1 };
			file.write({ ...sound, chains: [{ producer: 1, nonce: 77, lane: 1, from, to: from }] });
			file.close();
			rmSync(output, { force: true });
			builder.write(cacheDir, 1, 0);
			await examine();
			expect(messages(), `from ${offset}`).toEqual(["2", "3"]);
		}
	});

	test("and a range of a parked file that is larger than any file allocates nothing", async () => {
		writeSound();
		const parked = { from: 0, to: Number.MAX_SAFE_INTEGER };
		const file = CheckpointFile.open(join(cacheDir, "checkpoint"));
		file.write({ ...sound, outputs: [{ ...state, path: output, target: output, parked }], parked: { [output]: 0 } });
		file.close();
		mkdirSync(join(cacheDir, "parked"), { recursive: true });
		await examine();
		expect(messages()).toEqual(["sound"]);
	});
});

describe("a segment with right checksums", () => {
	const large = 4 * 1024 * 1024;

	test("whose call sites lie in one another does not fill the memory", async () => {
		// Each is the text of the one before it, and all behind: as texts of their own they would come to gigabytes.
		const { builder, definition } = segment(1, large);
		const start = builder.offset;
		const most = 1500;
		const sites: number[] = [];
		builder.nest(most, (large / 2 - start) & ~7, (at) => sites.push(at));
		let number = 0;
		for (const callSite of sites)
			builder.add({ sequence: ++number, number, definition, callSite, message: `${number}` });
		builder.write(cacheDir, 1, 0);
		await examine();
		expect(messages()).toHaveLength(most);
	});

	test("with a broken definition puts thousands of records into quarantine in a moment", async () => {
		const { builder, definition } = segment(1, large);
		const count = 20_000;
		for (let number = 1; number <= count; number++) {
			builder.add({ sequence: number, number, definition: number % 2 === 0 ? 0 : definition, message: `${number}` });
		}
		builder.write(cacheDir, 1, 0);
		await examine();
		expect(messages()).toHaveLength(count / 2);
	});

	test("with thousands of damaged places costs a moment, and all of them are kept and counted", async () => {
		const { builder, definition } = segment(1, large);
		const count = 20_000;
		for (let number = 1; number <= count; number++) {
			builder.add({ sequence: number * 2, number, definition, message: "x" });
			if (number < count) builder.claim(1, 7);
		}
		builder.write(cacheDir, 1, 0);
		await examine();
		expect(messages()).toHaveLength(count);
		const reports = readFileSync(join(cacheDir, "pylog_error.log"), "utf8");
		const missing = [...reports.matchAll(/(\d+) records of producer 1 are missing/g)].map(([, each]) => Number(each));
		expect(missing.reduce((sum, each) => sum + each, 0)).toBe(count);
		const kept = readFiles(join(cacheDir, "quarantine"));
		const bytes = [...kept]
			.filter(([name]) => name.endsWith("-segment"))
			.reduce((sum, [, { length }]) => sum + length, 0);
		expect(bytes).toBe((count - 1) * 56);
	});

	test("with lengths between its records that could all be true costs a moment", async () => {
		const { builder, definition } = segment(1, large);
		for (let number = 1; builder.offset < large - 4096; number++) {
			builder.add({ sequence: number, number, definition, message: "x" });
			// A gap of which each eight bytes claim to be a record over most of what follows.
			builder.claim(16, (large - builder.offset - 64 - (number % 7) * 48) & ~7);
		}
		builder.write(cacheDir, 1, 0);
		await examine();
		expect(messages().every((message) => message === "x")).toBe(true);
	});

	test("that claims a record of gigabytes in a file with a hole costs no memory", async () => {
		const { builder, definition } = segment();
		builder.add({ sequence: 1, number: 1, definition, message: "before" });
		const at = builder.offset;
		const path = builder.write(cacheDir, 1, 0);
		const bytes = readFileSync(path);
		bytes.writeUInt32LE(2 ** 31 - 64, at);
		bytes.writeUInt32LE(2 ** 31 - 64 - 48, at + recordHeader.messageBytes);
		// Its header is damaged as well, so that the file's size counts.
		bytes.writeUInt32LE(9, 8);
		writeFileSync(path, bytes);
		truncateSync(path, 8 * 2 ** 30);
		const second = segment(2);
		second.builder.add({ sequence: 3, number: 3, definition: second.definition, message: "behind" });
		second.builder.write(cacheDir, 1, 1);
		await examine();
		expect(messages()).toEqual(["before", "behind"]);
	});

	test("of another producer, in the place of one's own, is not written a second time", async () => {
		writeSound();
		const other = new SegmentBuilder(2, "normal", 1, undefined, 99);
		const message = JSON.stringify(loggerDefinition({ output, logform: "%loglevel% | " }));
		const definition = other.add({ kind: recordKinds.loggerDefinition, message });
		other.add({ sequence: 1, number: 2, definition, message: "of producer 2" });
		other.write(cacheDir, 2, 0);
		other.write(cacheDir, 1, 0);
		await examine();
		expect(messages()).toEqual(["of producer 2"]);
		expect(readFileSync(join(cacheDir, "pylog_error.log"), "utf8")).toContain("nothing of this producer is");
	});

	test("that has numbers and sequences of others is written as it is", async () => {
		for (const producer of [1, 2, 3]) {
			const builder = new SegmentBuilder(producer, "normal", 1, undefined, producer);
			const message = JSON.stringify(loggerDefinition({ output, logform: "%loglevel% | " }));
			const definition = builder.add({ kind: recordKinds.loggerDefinition, message });
			for (const sequence of [1, 2, 2, 3]) {
				builder.add({ sequence, number: 7, definition, message: `${producer} ${sequence}` });
			}
			builder.write(cacheDir, producer, 0);
		}
		await examine();
		expect(messages().toSorted()).toEqual([1, 2, 3].flatMap((one) => [1, 2, 3].map((other) => `${one} ${other}`)));
	});

	test("whose numbers the counter never gave holds nothing back, and the counter goes above them", async () => {
		const { builder, definition } = segment();
		[5, 2_000_000, 3_000_000].forEach((number, at) =>
			builder.add({ sequence: at + 1, number, definition, message: `${number}` }),
		);
		builder.write(cacheDir, 1, 0);
		expect((await examine()).problems).toEqual(["numbering"]);
		expect(messages()).toEqual(["5", "2000000", "3000000"]);
		const control = ControlFile.open(cacheDir);
		expect(control.load("nextNumber")).toBeGreaterThan(3_000_000);
		control.close();
		expect(readFileSync(join(cacheDir, "pylog_error.log"), "utf8")).toContain("below a number that was taken");
	});

	test("with times, offsets and levels that no clock has makes lines that are valid", async () => {
		const { builder, definition } = segment();
		const times = [Number.NaN, 1e300, -1e300, Number.POSITIVE_INFINITY, -1, 0, 8.64e15 + 1, 2 ** 53];
		times.forEach((timeMs, at) => {
			const record = builder.add({ sequence: at + 1, number: at + 1, definition, message: `${at}`, timeMs });
			builder.patch(record, (bytes) => {
				bytes[recordHeader.level] = 255;
				bytes.writeInt8(at % 2 === 0 ? 127 : -128, recordHeader.utcOffsetQuarters);
				bytes[recordHeader.flags] = 0xf6;
			});
		});
		builder.write(cacheDir, 1, 0);
		await examine();
		const lines = linesOf(output);
		expect(lines).toHaveLength(times.length);
		for (const line of lines) {
			expect(line).toMatch(/^LEVEL255 \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d - \| \d$/);
		}
	});

	test("whose texts are hostile makes one line of each record, without a control character", async () => {
		const { builder, definition } = segment();
		const texts = [
			"\0",
			"\u001b[2J\u001b]0;x\u0007",
			"a\r\nINFO 2026 | forged",
			"\u2028\u202e",
			"x".repeat(10_000),
			"",
			"\ud800",
		];
		texts.forEach((message, at) => builder.add({ sequence: at + 1, number: at + 1, definition, message }));
		builder.write(cacheDir, 1, 0);
		await examine();
		expect(readFileSync(output, "utf8")).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028\u202e]/);
		expect(linesOf(output).filter((line) => line.startsWith("LEVEL0"))).toHaveLength(texts.length);
		expect(linesOf(output).filter((line) => !/^LEVEL0|^ {4}/.test(line))).toEqual([]);
	});

	const definitions: readonly [what: string, text: string][] = [
		["no JSON", "{"],
		["a list", "[1,2]"],
		["a number", "7"],
		["a relative path", '{"output":"app.log"}'],
		["a path with a NUL", '{"output":"/tmp/a\\u0000b"}'],
		["a path that is no text", '{"output":{"toString":1}}'],
		["a prototype", '{"__proto__":{"output":"/tmp/x"},"constructor":1}'],
		["deep nesting", `{"output":${"[".repeat(20_000)}`],
	];

	test.each(definitions)("and a definition of %s puts its records into quarantine, as text", async (_, text) => {
		const { builder, definition } = segment();
		const wrong = builder.add({ kind: recordKinds.loggerDefinition, message: text });
		builder.add({ sequence: 1, number: 1, definition: wrong, message: "set aside" });
		builder.add({ sequence: 2, number: 2, definition, message: "sound" });
		builder.write(cacheDir, 1, 0);
		expect((await examine()).problems).toEqual(["definition"]);
		expect(messages()).toEqual(["sound"]);
		const kept = execFileSync("grep", ["-rl", "set aside", join(cacheDir, "quarantine")], { encoding: "utf8" });
		expect(kept.trim().split("\n")).toHaveLength(1);
	});

	test("and values of a definition that are of another type are read as empty", async () => {
		const builder = new SegmentBuilder(1, "normal", 1);
		const strange = {
			output,
			format: 7,
			logform: "%nonsense% %",
			name: [],
			hostname: null,
			pid: 1e300,
			thread: "x",
			fields: {},
		};
		const definition = builder.add({ kind: recordKinds.loggerDefinition, message: JSON.stringify(strange) });
		builder.add({ sequence: 1, number: 1, definition, message: "sound" });
		builder.write(cacheDir, 1, 0);
		await examine();
		expect(messages()).toEqual(["sound"]);
	});

	test("and links in a circle, to itself or far away, with two segments of one index, comes to an end", async () => {
		for (const [place, index, link] of [
			[0, 1, 1],
			[1, 2, 0],
			[2, 3, 2],
			[3, 3, 0xffff_ffff],
		] as const) {
			const { builder, definition } = segment(index);
			builder.add({ sequence: index, number: index, definition, message: `${index}` });
			builder.addLink(link, index + 1);
			builder.write(cacheDir, 1, place);
		}
		await examine();
		expect(messages()).toEqual(["1", "2", "3"]);
	});
});

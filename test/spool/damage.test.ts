/** Whatever stands in the segments, the reader gives all that is whole, tells of the rest, and comes to an end. */
import {
	copyFileSync,
	openSync,
	closeSync,
	readdirSync,
	readFileSync,
	renameSync,
	rmSync,
	symlinkSync,
	truncateSync,
	writeFileSync,
	writeSync,
} from "node:fs";
import { basename, join } from "node:path";
import { beforeEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { ControlFile } from "../../src/spool/control-file.ts";
import { Definition } from "../../src/spool/definition.ts";
import { Producer } from "../../src/spool/producer.ts";
import { recordHeader, recordKinds } from "../../src/spool/record-codec.ts";
import { segmentHeader, segmentHeaderBytes } from "../../src/spool/segment-header.ts";
import { SegmentReader } from "../../src/spool/segment-reader.ts";
import { SpoolReader } from "../../src/spool/spool-reader.ts";
import { temporaryDirectory } from "../temporary-directory.ts";
import {
	entryOf,
	messagesOf,
	newDefinition,
	type ReadRecord,
	ReaderNotes,
	readOn,
	repeatableRandom,
} from "./spool-records.ts";

/** A log record of a sound spool, and where it stands. */
interface Standing {
	readonly path: string;
	readonly offset: number;
	readonly end: number;
	readonly message: string;
}

interface Look {
	readonly records: readonly ReadRecord[];
	readonly messages: readonly string[];
	readonly notes: ReaderNotes;
}

let cacheDir: string;
let control: ControlFile;

beforeEach(() => {
	cacheDir = temporaryDirectory();
	control = ControlFile.open(cacheDir);
	onTestFinished(() => control.close());
});

/**
 * Two producers that have ended: the first with three segments in its normal lane, since a large record ends one early,
 * and one in its priority lane; the second producer with one.
 */
function makeSpool(): void {
	const large = Producer.open({ cacheDir });
	const small = Producer.open({ cacheDir });
	const [one, other] = [newDefinition(), newDefinition({ name: "other" })];
	const callSite = Definition.ofCallSite("app.ts:1");
	for (let index = 0; index < 18; index++) {
		const message = `large/${index}`.padEnd(index % 7 === 6 ? 70_000 : 40 + ((index * 31) % 170), ".");
		large.append(1, entryOf(one, message, { callSite, fields: `"index":${index}` }));
		if (index % 3 === 0) large.append(0, entryOf(one, `priority/${index}`));
		if (index % 3 === 1) small.append(1, entryOf(other, `small/${index}`));
	}
	large.close();
	small.close();
}

function segmentPaths(): string[] {
	const producers = join(cacheDir, "producers");
	return readdirSync(producers).flatMap((number) =>
		readdirSync(join(producers, number))
			.filter((name) => name.endsWith(".seg"))
			.map((name) => join(producers, number, name)),
	);
}

/** Where the log records stand, by their lengths alone. */
function standingIn(path: string): Standing[] {
	const bytes = readFileSync(path);
	const found: Standing[] = [];
	for (let at = segmentHeaderBytes, length = 0; (length = bytes.readUInt32LE(at)) !== 0; at += length) {
		if (bytes[at + recordHeader.kind] !== recordKinds.log) continue;
		const start = at + 48;
		const message = bytes.toString("utf8", start, start + bytes.readUInt32LE(at + recordHeader.messageBytes));
		found.push({ path, offset: at, end: at + length, message });
	}
	return found;
}

/** End of the records of a segment, its link included. */
function contentEnd(path: string): number {
	const bytes = readFileSync(path);
	let at = segmentHeaderBytes;
	while (bytes.readUInt32LE(at) !== 0) at += bytes.readUInt32LE(at);
	return at;
}

function look(): Look {
	const notes = new ReaderNotes();
	const reader = new SpoolReader(control, undefined, notes);
	try {
		const records = readOn(reader);
		return { records, messages: messagesOf(records), notes };
	} finally {
		reader.close();
	}
}

function expectAscending(records: readonly ReadRecord[]): void {
	for (const lane of ["priority", "normal"]) {
		const numbers = records.filter((record) => record.lane === lane).map(({ queue }) => queue);
		for (let at = 1; at < numbers.length; at++) expect(numbers[at]).toBeGreaterThan(numbers[at - 1] as number);
	}
}

describe("a truncated segment", () => {
	it("gives what is left of it, wherever it was cut, and every other segment", () => {
		makeSpool();
		const all = segmentPaths().flatMap(standingIn);
		const whole = look();
		expect(whole.messages.toSorted()).toEqual(all.map(({ message }) => message).toSorted());
		expect(whole.notes.damages).toEqual([]);
		for (const path of segmentPaths()) {
			const saved = readFileSync(path);
			const end = contentEnd(path);
			for (let length = end + 16; length >= 0; length -= length > 1000 && length < end - 200 ? 1000 : 8) {
				truncateSync(path, length);
				const { records, messages, notes } = look();
				const left = all.filter((each) => each.path !== path || each.end <= length).map(({ message }) => message);
				expect(messages.toSorted(), `${basename(path)} cut at ${length}`).toEqual(left.toSorted());
				expectAscending(records);
				// With its whole header gone, and no other segment that tells whose it is, a file of zeros was never begun.
				if (length < end && length > 0) expect(notes.damages, `cut at ${length}`).not.toEqual([]);
			}
			writeFileSync(path, saved);
		}
	});

	it("that is cut while it is read gives no byte that was not in it", () => {
		makeSpool();
		const all = new Set(
			segmentPaths()
				.flatMap(standingIn)
				.map(({ message }) => message),
		);
		for (const path of segmentPaths()) {
			const saved = readFileSync(path);
			for (let length = contentEnd(path); length > 0; length -= length > 1000 ? 10_000 : 40) {
				const reader = new SpoolReader(control, undefined, new ReaderNotes());
				const records: ReadRecord[] = [];
				let count = 0;
				reader.read(() => ((count += 1) === 8 ? "last" : "on"));
				truncateSync(path, length);
				records.push(...readOn(reader));
				for (const { message } of records) expect(all.has(message), message.slice(0, 80)).toBe(true);
				reader.close();
				writeFileSync(path, saved);
			}
		}
	});
});

describe("a segment header with a flipped bit", () => {
	it("costs no record, as long as another header tells the producer's nonce", () => {
		makeSpool();
		const whole = look().messages.toSorted();
		const paths = segmentPaths().filter((path) => path.includes("/1/"));
		expect(paths).toHaveLength(4);
		for (const path of paths) {
			const saved = readFileSync(path);
			for (let bit = 0; bit < segmentHeaderBytes * 8; bit += path.endsWith("normal-1.seg") ? 1 : 5) {
				const bytes = Buffer.from(saved);
				bytes[bit >>> 3] = (bytes[bit >>> 3] as number) ^ (1 << (bit & 7));
				writeFileSync(path, bytes);
				const { records, messages, notes } = look();
				expect(messages.toSorted(), `bit ${bit} of ${basename(path)}`).toEqual(whole);
				expectAscending(records);
				const isCovered = bit >>> 3 < segmentHeader.checksum + 4;
				expect(notes.damages.map(({ offset }) => offset)).toEqual(isCovered ? [0] : []);
			}
			writeFileSync(path, saved);
		}
	});

	it("of a producer's only segment costs its records, which are told of as damage and as missing", () => {
		makeSpool();
		const whole = look().messages;
		const path = segmentPaths().find((each) => each.includes("/2/")) as string;
		const bytes = readFileSync(path);
		bytes[9] = 1;
		writeFileSync(path, bytes);
		const notes = new ReaderNotes();
		const reader = new SpoolReader(control, undefined, notes);
		expect(messagesOf(readOn(reader))).toEqual(whole.filter((message) => !message.startsWith("small/")));
		expect(notes.damages).toHaveLength(1);
		expect(notes.damages[0]?.bytes.equals(bytes)).toBe(true);
		reader.markDelivered();
		reader.retire();
		expect(notes.gaps).toEqual([{ producer: 2, lane: "normal", count: 6, sequence: 7 }]);
		reader.close();
	});

	it("does not end the lane of a producer that lives", () => {
		const producer = Producer.open({ cacheDir });
		onTestFinished(() => producer.close());
		const definition = newDefinition();
		const notes = new ReaderNotes();
		const reader = new SpoolReader(control, undefined, notes);
		onTestFinished(() => reader.close());
		producer.append(1, entryOf(definition, "first"));
		expect(messagesOf(readOn(reader))).toEqual(["first"]);
		for (let index = 0; index < 60; index++) producer.append(1, entryOf(definition, `${index}`.padEnd(1400)));
		const path = segmentPaths().find((each) => each.endsWith("normal-1.seg")) as string;
		flip(path, 12);
		expect(readOn(reader)).toHaveLength(60);
		expect(notes.damages.map(({ offset }) => offset)).toEqual([0]);
		producer.append(1, entryOf(definition, "last"));
		expect(messagesOf(readOn(reader))).toEqual(["last"]);
		expect(notes.gaps).toEqual([]);
	});
});

/** Changes bytes in place, as a disk does: the file stays the same for who has it mapped. */
function overwrite(path: string, offset: number, bytes: Uint8Array): void {
	const fd = openSync(path, "r+");
	writeSync(fd, bytes, 0, bytes.length, offset);
	closeSync(fd);
}

function flip(path: string, offset: number): void {
	overwrite(path, offset, Buffer.from([(readFileSync(path)[offset] as number) ^ 0x10]));
}

describe("damaged bytes", () => {
	it("cost the records they are in, and no other", () => {
		makeSpool();
		const paths = segmentPaths();
		const all = paths.flatMap(standingIn);
		const random = repeatableRandom(7);
		for (let round = 0; round < 250; round++) {
			const path = paths[random(paths.length)] as string;
			const saved = readFileSync(path);
			const from = segmentHeaderBytes + random(contentEnd(path) - segmentHeaderBytes);
			const garbage = Buffer.from(Array.from({ length: 1 + random(round % 2 === 0 ? 4 : 600) }, () => random(256)));
			garbage[0] = (saved[from] as number) ^ 1;
			overwrite(path, from, garbage.subarray(0, Math.max(1, saved.length - from)));
			const to = from + garbage.length;
			const { records, messages, notes } = look();
			const left = all.filter((each) => each.path !== path || each.end <= from || each.offset >= to);
			const about = `round ${round}: ${garbage.length} bytes at ${from} of ${basename(path)}`;
			expect(messages.toSorted(), about).toEqual(left.map(({ message }) => message).toSorted());
			expectAscending(records);
			expect(notes.damages, about).not.toEqual([]);
			const lost = all.length - left.length;
			expect(
				notes.gaps.reduce((sum, { count }) => sum + count, 0),
				about,
			).toBeLessThanOrEqual(lost);
			writeFileSync(path, saved);
		}
	});

	it("are handed over, each stretch once, as often as the reader comes by", () => {
		makeSpool();
		const path = segmentPaths().find((each) => each.endsWith("1/normal-0.seg")) as string;
		const [, second, third] = standingIn(path);
		flip(path, (second?.offset ?? 0) + 60);
		const notes = new ReaderNotes();
		const reader = new SpoolReader(control, undefined, notes);
		readOn(reader);
		for (const lane of [0, 1] as const) reader.isEmpty(lane);
		readOn(reader);
		expect(notes.damages).toHaveLength(1);
		const [damage] = notes.damages;
		expect(damage?.path).toBe(path);
		expect(damage?.offset).toBe(second?.offset);
		expect(damage?.bytes).toEqual(readFileSync(path).subarray(second?.offset, third?.offset));
		expect(notes.gaps).toEqual([{ producer: 1, lane: "normal", count: 1, sequence: 3 }]);
		reader.close();
	});

	it("at the very end of an ended producer are handed over once, however often somebody asks", () => {
		makeSpool();
		const path = segmentPaths().find((each) => each.endsWith("2/normal-0.seg")) as string;
		flip(path, contentEnd(path) - 4);
		const notes = new ReaderNotes();
		const reader = new SpoolReader(control, undefined, notes);
		for (let time = 0; time < 3; time++) {
			readOn(reader);
			expect(reader.isEmpty(1)).toBe(true);
			reader.checkLiveness(true);
		}
		expect(notes.damages).toHaveLength(1);
		reader.close();
	});

	it("in a definition leave its records readable, without what was in it", () => {
		makeSpool();
		const path = segmentPaths().find((each) => each.endsWith("2/normal-0.seg")) as string;
		flip(path, segmentHeaderBytes + 60);
		const { records } = look();
		const small = records.filter(({ message }) => message.startsWith("small/"));
		expect(small).toHaveLength(6);
		for (const { definition } of small) expect(definition).toMatchObject({ output: "", logform: "", pid: 0 });
	});

	it("in the link to the next segment of a producer that lives do not end its lane", () => {
		const producer = Producer.open({ cacheDir });
		onTestFinished(() => producer.close());
		const definition = newDefinition();
		const notes = new ReaderNotes();
		const reader = new SpoolReader(control, undefined, notes);
		onTestFinished(() => reader.close());
		for (let index = 0; index < 60; index++) producer.append(1, entryOf(definition, `${index}`.padEnd(1400)));
		const path = segmentPaths().find((each) => each.endsWith("normal-0.seg")) as string;
		flip(path, contentEnd(path) - 10);
		expect(readOn(reader)).toHaveLength(60);
		expect(notes.damages).toHaveLength(1);
		expect(notes.gaps).toEqual([]);
		producer.append(1, entryOf(definition, "last"));
		expect(messagesOf(readOn(reader))).toEqual(["last"]);
	});

	it("cost nothing that is committed while the reader looks for the segment behind them", async () => {
		const producer = Producer.open({ cacheDir });
		onTestFinished(() => producer.close());
		const definition = newDefinition();
		const notes = new ReaderNotes();
		const reader = new SpoolReader(control, undefined, notes);
		onTestFinished(() => reader.close());
		const log = (message: string): boolean => producer.append(1, entryOf(definition, message.padEnd(1400)));
		for (let index = 0; index < 60; index++) log(`${index}`);
		await vi.waitFor(() => expect(segmentPaths()).toHaveLength(3));
		log("damaged");
		readOn(reader);
		const path = segmentPaths().find((each) => each.endsWith("normal-1.seg")) as string;
		reader.close();
		flip(path, contentEnd(path) - 10);
		const again = new SpoolReader(control, undefined, notes);
		onTestFinished(() => again.close());
		vi.spyOn(SegmentReader, "headerOf").mockImplementationOnce((each) => {
			// At this moment the producer fills its segment, and begins the one that was made ready.
			for (let index = 0; index < 200; index++) log(`behind ${index}`);
			vi.restoreAllMocks();
			return SegmentReader.headerOf(each);
		});
		const messages = [...messagesOf(readOn(again)), ...messagesOf(readOn(again))];
		expect(messages.filter((message) => message.startsWith("behind"))).toHaveLength(200);
		expect(messages).toHaveLength(260);
		expect(notes.gaps).toEqual([{ producer: 1, lane: "normal", count: 1, sequence: 62 }]);
	});

	it("at the end of what a living producer has written cost no record that comes after", () => {
		const producer = Producer.open({ cacheDir });
		onTestFinished(() => producer.close());
		const definition = newDefinition();
		const notes = new ReaderNotes();
		const reader = new SpoolReader(control, undefined, notes);
		onTestFinished(() => reader.close());
		for (let index = 0; index < 3; index++) producer.append(1, entryOf(definition, `${index}`));
		const path = segmentPaths()[0] as string;
		flip(path, (standingIn(path)[2]?.offset ?? 0) + 50);
		expect(messagesOf(readOn(reader))).toEqual(["0", "1"]);
		for (let index = 3; index < 6; index++) producer.append(1, entryOf(definition, `${index}`));
		expect(messagesOf(readOn(reader))).toEqual(["3", "4", "5"]);
		expect(notes.damages).toHaveLength(1);
		expect(notes.gaps).toEqual([{ producer: 1, lane: "normal", count: 1, sequence: 4 }]);
	});
});

describe("a segment file", () => {
	it("that is missing costs its own records, and is told of as a gap", () => {
		makeSpool();
		const all = segmentPaths().flatMap(standingIn);
		for (const path of segmentPaths().filter((each) => each.includes("/1/"))) {
			const aside = join(cacheDir, "aside");
			renameSync(path, aside);
			const notes = new ReaderNotes();
			const reader = new SpoolReader(control, undefined, notes);
			const left = all.filter((each) => each.path !== path).map(({ message }) => message);
			expect(messagesOf(readOn(reader)).toSorted()).toEqual(left.toSorted());
			const tail = [...reader.producers].flatMap((producer) => [producer.missing(0), producer.missing(1)]);
			const told = [...tail, ...notes.gaps.map(({ count }) => count)].reduce((sum, count) => sum + count, 0);
			expect(told).toBe(all.length - left.length);
			reader.close();
			renameSync(aside, path);
		}
	});

	it("that is a folder, a link or a copy of another one is no segment", () => {
		makeSpool();
		const whole = look().messages;
		const directory = join(cacheDir, "producers", "1");
		copyFileSync(join(directory, "normal-0.seg"), join(directory, "normal-7.seg"));
		copyFileSync(join(directory, "normal-0.seg"), join(directory, "priority-9.seg"));
		symlinkSync("/dev/zero", join(directory, "normal-8.seg"));
		symlinkSync(directory, join(directory, "normal-x.seg"));
		const { messages, notes } = look();
		expect(messages).toEqual(whole);
		expect(notes.damages).toEqual([]);
		const lost = standingIn(join(directory, "normal-1.seg")).length;
		rmSync(join(directory, "normal-1.seg"));
		symlinkSync("/dev/zero", join(directory, "normal-1.seg"));
		expect(look().messages.length).toBe(whole.length - lost);
	});
});

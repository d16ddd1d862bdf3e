import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
	type ChainState,
	type Checkpoint,
	CheckpointFile,
	type OutputState,
	readCheckpoint,
} from "../../src/spool/checkpoint.ts";
import { temporaryDirectory } from "../temporary-directory.ts";
import { repeatableRandom } from "./spool-records.ts";

const word = fc.integer({ min: 0, max: 0xffff_ffff });
const anyPosition = fc.record({ place: word, index: word, offset: word, sequence: word });
const anyChain: fc.Arbitrary<ChainState> = fc.record({
	producer: word,
	nonce: word,
	lane: fc.constantFrom(0, 1),
	from: anyPosition,
	to: anyPosition,
});
const anyOutput: fc.Arbitrary<OutputState> = fc.record(
	{
		path: fc.string(),
		target: fc.string({ unit: "binary" }),
		device: fc.maxSafeNat(),
		inode: fc.maxSafeNat(),
		sizeBytes: fc.maxSafeNat(),
		tail: word,
		skippedBytes: fc.nat(),
		lead: fc.string(),
		parked: fc.record({ from: fc.nat(), to: fc.nat() }),
	},
	{ requiredKeys: ["path", "target", "device", "inode", "sizeBytes", "tail", "skippedBytes"] },
);
const anyCheckpoint: fc.Arbitrary<Checkpoint> = fc.record({
	horizon: fc.maxSafeNat(),
	delivered: fc.tuple(fc.maxSafeNat(), fc.maxSafeNat()),
	chains: fc.array(anyChain),
	outputs: fc.array(anyOutput, { maxLength: 3 }),
	parked: fc.dictionary(fc.string(), fc.nat(), { noNullPrototype: true }),
	unsynced: fc.array(fc.record({ path: fc.string(), device: fc.maxSafeNat(), inode: fc.maxSafeNat() }), {
		maxLength: 3,
	}),
	dropped: fc.dictionary(fc.string(), fc.record({ count: fc.nat(), notice: fc.string() }), { noNullPrototype: true }),
});

function checkpointAt(horizon: number, changes: Partial<Checkpoint> = {}): Checkpoint {
	return { horizon, delivered: [0, 0], chains: [], outputs: [], parked: {}, unsynced: [], ...changes };
}

function manyChains(count: number): readonly ChainState[] {
	const position = { place: 1, index: 2, offset: 64, sequence: 4 };
	return Array.from({ length: count }, (_, producer) => ({
		producer,
		nonce: 5,
		lane: 1,
		from: position,
		to: position,
	}));
}

function withFile<T>(path: string, use: (file: CheckpointFile) => T): T {
	const file = CheckpointFile.open(path);
	try {
		return use(file);
	} finally {
		file.close();
	}
}

/** Offset of the slot that holds a horizon, and the length of what is in it. */
function findSlot(bytes: Buffer, horizon: number): { start: number; end: number } {
	const slotBytes = bytes.readUInt32LE(4) || bytes.readUInt32LE(128 * 1024 + 4);
	const start = [0, slotBytes].find((at) => bytes.readDoubleLE(at + 16) === horizon);
	if (start === undefined) throw new Error(`no slot has the horizon ${horizon}`);
	const end = start + 64 + bytes.readUInt32LE(start + 40) * 48 + bytes.readUInt32LE(start + 44);
	return { start, end };
}

describe("a checkpoint", () => {
	it("comes back as it was stored, also to who only looks", () => {
		const directory = temporaryDirectory();
		let file = 0;
		fc.assert(
			fc.property(fc.array(anyCheckpoint, { minLength: 1, maxLength: 4 }), (checkpoints) => {
				const path = join(directory, `checkpoint-${file++}`);
				withFile(path, (opened) => {
					expect(opened.latest).toBeUndefined();
					for (const checkpoint of checkpoints) {
						opened.write(checkpoint);
						expect(opened.latest).toEqual(checkpoint);
						expect(readCheckpoint(path)).toEqual(checkpoint);
					}
				});
				expect(withFile(path, ({ latest }) => latest)).toEqual(checkpoints.at(-1));
			}),
			{ numRuns: 60 },
		);
	});

	it("is not there when there is no file, an empty one or garbage", () => {
		const path = join(temporaryDirectory(), "checkpoint");
		expect(readCheckpoint(path)).toBeUndefined();
		writeFileSync(path, "", { mode: 0o600 });
		expect(readCheckpoint(path)).toBeUndefined();
		const random = repeatableRandom(1);
		for (let round = 0; round < 20; round++) {
			writeFileSync(path, Buffer.from(Array.from({ length: 5000 }, () => random(256))));
			expect(readCheckpoint(path)).toBeUndefined();
			expect(withFile(path, ({ latest }) => latest)).toBeUndefined();
		}
	});

	it("counts by its generation, wherever it stands and however often the file is opened", () => {
		const path = join(temporaryDirectory(), "checkpoint");
		for (let horizon = 1; horizon <= 9; horizon++) {
			withFile(path, (file) => {
				expect(file.latest?.horizon).toBe(horizon === 1 ? undefined : horizon - 1);
				file.write(checkpointAt(horizon));
			});
			expect(readCheckpoint(path)?.horizon).toBe(horizon);
		}
	});

	it("that was torn at any byte leaves the one before it", () => {
		const path = join(temporaryDirectory(), "checkpoint");
		withFile(path, (file) => {
			for (const horizon of [1, 2, 3, 4]) {
				file.write(checkpointAt(horizon, { chains: manyChains(3), parked: { "/logs/app.log": horizon } }));
			}
		});
		const whole = readFileSync(path);
		for (const newest of [4, 3]) {
			// With 4 in place 3 is the older one; without it, 3 is the newest and what it replaced was 1.
			const bytes = Buffer.from(whole);
			const slot = findSlot(bytes, newest);
			const other = findSlot(bytes, newest === 4 ? 3 : 4);
			if (newest === 3) bytes.fill(0, other.start, other.end);
			for (let torn = slot.start; torn < slot.end; torn++) {
				const before = Buffer.from(bytes);
				// The write came as far as `torn`; behind it is what was there: zeros in a new slot, or the slot's former content.
				const random = repeatableRandom(torn);
				for (let at = torn; at < slot.end; at++)
					before[at] = (before[at] as number) ^ (at === torn ? 0xff : random(256));
				writeFileSync(path, before);
				expect(readCheckpoint(path)?.horizon, `torn at ${torn - slot.start}`).toBe(newest === 4 ? 3 : undefined);
			}
			writeFileSync(path, bytes);
			expect(readCheckpoint(path)?.horizon).toBe(newest);
		}
	});

	it("with any bit flipped does not count, and the other slot does", () => {
		const path = join(temporaryDirectory(), "checkpoint");
		withFile(path, (file) => {
			for (const horizon of [1, 2]) file.write(checkpointAt(horizon, { chains: manyChains(1) }));
		});
		const whole = readFileSync(path);
		const slot = findSlot(whole, 2);
		for (let bit = slot.start * 8; bit < slot.end * 8; bit++) {
			const bytes = Buffer.from(whole);
			bytes[bit >>> 3] = (bytes[bit >>> 3] as number) ^ (1 << (bit & 7));
			writeFileSync(path, bytes);
			expect(readCheckpoint(path)?.horizon, `bit ${bit - slot.start * 8}`).toBe(1);
		}
	});

	it("whose header names sizes that the file does not have is damaged, not a reason to fail", () => {
		const path = join(temporaryDirectory(), "checkpoint");
		withFile(path, (file) => {
			for (const horizon of [1, 2]) file.write(checkpointAt(horizon));
		});
		const bytes = readFileSync(path);
		const { start } = findSlot(bytes, 2);
		bytes.writeUInt32LE(0xffff_ffff, start + 4);
		bytes.writeUInt32LE(0x0200_0000, start + 40);
		bytes.writeUInt32LE(0x7fff_ffff, start + 44);
		writeFileSync(path, bytes);
		expect(readCheckpoint(path)?.horizon).toBe(1);
		expect(withFile(path, ({ latest }) => latest?.horizon)).toBe(1);
	});
});

describe("a checkpoint larger than its slot", () => {
	it("moves to a file with larger slots, as often as it has to", () => {
		const path = join(temporaryDirectory(), "checkpoint");
		withFile(path, (file) => {
			file.write(checkpointAt(1));
			for (const [horizon, chains] of [
				[2, 3000],
				[3, 1],
				[4, 10_000],
				[5, 10_001],
			] as const) {
				const checkpoint = checkpointAt(horizon, { chains: manyChains(chains) });
				file.write(checkpoint);
				expect(readCheckpoint(path)).toEqual(checkpoint);
			}
		});
		expect(withFile(path, ({ latest }) => latest?.chains.length)).toBe(10_001);
		expect(readdirSync(join(path, ".."))).toEqual(["checkpoint", "checkpoint.synced"]);
		expect(statSync(path).mode & 0o777).toBe(0o600);
	});

	it("that was torn leaves the one before it, in the larger file", () => {
		const path = join(temporaryDirectory(), "checkpoint");
		withFile(path, (file) => {
			file.write(checkpointAt(1, { parked: { a: 1 } }));
			file.write(checkpointAt(2, { chains: manyChains(5000) }));
		});
		const bytes = readFileSync(path);
		const { start, end } = findSlotIn(bytes, 2);
		for (const torn of [start, start + 3, start + 60, start + 70, end - 1]) {
			const before = Buffer.from(bytes);
			before.fill(0, torn, end);
			writeFileSync(path, before);
			expect(readCheckpoint(path)).toEqual(checkpointAt(1, { parked: { a: 1 } }));
		}
	});

	it("never takes up what a killed writer left of an earlier move", () => {
		const path = join(temporaryDirectory(), "checkpoint");
		const leftover = Buffer.alloc(2 * 1024 * 1024, "left over");
		writeFileSync(`${path}.new`, leftover, { mode: 0o600 });
		withFile(path, (file) => {
			file.write(checkpointAt(1));
			file.write(checkpointAt(2, { chains: manyChains(5000) }));
		});
		expect(readCheckpoint(path)?.horizon).toBe(2);
		expect(readFileSync(path).includes("left over")).toBe(false);
		expect(existsSync(`${path}.new`)).toBe(false);
	});
});

/** As {@link findSlot}, in a file whose slots have any size. */
function findSlotIn(bytes: Buffer, horizon: number): { start: number; end: number } {
	for (let start = 0; start + 64 <= bytes.length; start += 128 * 1024) {
		if (bytes.readUInt32LE(start) !== 0x504b4350 || bytes.readDoubleLE(start + 16) !== horizon) continue;
		return { start, end: start + 64 + bytes.readUInt32LE(start + 40) * 48 + bytes.readUInt32LE(start + 44) };
	}
	throw new Error(`no slot has the horizon ${horizon}`);
}

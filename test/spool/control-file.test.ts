import {
	chmodSync,
	existsSync,
	mkdirSync,
	readdirSync,
	readFileSync,
	rmSync,
	statSync,
	symlinkSync,
	writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { CheckpointFile } from "../../src/spool/checkpoint.ts";
import { Quarantine } from "../../src/spool/quarantine.ts";
import { ControlFile } from "../../src/spool/control-file.ts";
import {
	controlBytes,
	controlHeader,
	controlMagic,
	controlWords,
	slotCount,
	slotWords,
} from "../../src/spool/control-layout.ts";
import { Lease } from "../../src/spool/lease.ts";
import { Producer } from "../../src/spool/producer.ts";
import { startFixture } from "../fixture-process.ts";
import { temporaryDirectory } from "../temporary-directory.ts";
import { entryOf, newDefinition } from "./spool-records.ts";

const damaged = (what: string): Error =>
	expect.objectContaining({
		code: "PYLOG_SPOOL_DAMAGED",
		message: expect.stringContaining(what) as string,
	}) as Error;

function open(cacheDir: string): ControlFile {
	const control = ControlFile.open(cacheDir);
	onTestFinished(() => control.close());
	return control;
}

function change(cacheDir: string, edit: (bytes: Buffer) => Buffer | undefined): void {
	const path = join(cacheDir, "control");
	const bytes = readFileSync(path);
	writeFileSync(path, edit(bytes) ?? bytes);
}

const asOfAnotherBoot = (bytes: Buffer): undefined =>
	void bytes.fill(0x5a, controlHeader.bootId, controlHeader.bootId + 16);

/** Appends records as one process that ends without a word. */
function appendAndLeave(cacheDir: string, count: number): number {
	const producer = Producer.open({ cacheDir });
	const definition = newDefinition();
	for (let index = 0; index < count; index++) producer.append(1, entryOf(definition, `record ${index}`));
	producer.close();
	return producer.number;
}

/** Names in quarantine, without the reasons beside them. */
const asideOf = (cacheDir: string): string[] =>
	readdirSync(join(cacheDir, "quarantine")).filter((name) => !name.endsWith(".reason.json"));

describe("a new spool", () => {
	it("is private, and its first record gets number 1", () => {
		const cacheDir = join(temporaryDirectory(), "deep", "pylog");
		const control = open(cacheDir);
		expect(control.load("nextNumber")).toBe(1);
		expect(control.load("nextProducer")).toBe(1);
		expect(statSync(cacheDir).mode & 0o777).toBe(0o700);
		expect(statSync(control.paths.control).mode & 0o777).toBe(0o600);
		expect(statSync(control.paths.control).size).toBe(controlBytes);
		expect(statSync(control.paths.control).blocks * 512).toBeGreaterThanOrEqual(controlBytes);
	});

	it("is made once by many processes that open it at the same moment", async () => {
		const cacheDir = join(temporaryDirectory(), "pylog");
		const openers = [1, 2, 3, 4, 5, 6].map(() => startFixture("control-opener", cacheDir, "1000"));
		for (const opener of openers) await opener.line();
		for (const opener of openers) opener.tell("go");
		const slots = await Promise.all(
			openers.map(async (opener) => (JSON.parse(await opener.line()) as { slot: number }).slot),
		);
		expect(slots.toSorted((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5]);
		const control = open(cacheDir);
		expect(control.load("nextNumber")).toBe(6001);
		expect(control.load("slotsUsed")).toBe(6);
		expect(asideOf(cacheDir)).toEqual([]);
	});

	it("is refused where others could have planted something", () => {
		const cacheDir = join(temporaryDirectory(), "pylog");
		open(cacheDir);
		chmodSync(join(cacheDir, "control"), 0o666);
		expect(() => ControlFile.open(cacheDir)).toThrow(expect.objectContaining({ code: "PYLOG_SPOOL_UNSAFE" }) as Error);
		rmSync(join(cacheDir, "control"));
		symlinkSync(join(cacheDir, "elsewhere"), join(cacheDir, "control"));
		expect(() => ControlFile.open(cacheDir)).toThrow(expect.objectContaining({ code: "PYLOG_SPOOL_UNSAFE" }) as Error);
		expect(existsSync(join(cacheDir, "elsewhere"))).toBe(false);
	});

	it("keeps no descriptors, whatever opening it comes to", () => {
		const cacheDir = join(temporaryDirectory(), "pylog");
		ControlFile.open(cacheDir).close();
		const before = readdirSync("/proc/self/fd").length;
		for (let time = 0; time < 10; time++) ControlFile.open(cacheDir).close();
		change(cacheDir, (bytes) => void bytes.writeUInt32LE(9, controlHeader.version));
		for (let time = 0; time < 10; time++) expect(() => ControlFile.open(cacheDir)).toThrow("version 9");
		expect(readdirSync("/proc/self/fd").length).toBe(before);
	});
});

describe("slots", () => {
	it("are given to producers one each, and again when they are free", () => {
		const control = open(temporaryDirectory());
		expect([11, 12, 13].map((producer) => control.claimSlot(producer))).toEqual([0, 1, 2]);
		const bound = control.slotWord(1) + slotWords.bound;
		control.mapping.words[bound] = 5;
		control.releaseSlot(1, 12);
		expect(control.mapping.words[bound]).toBe(0);
		expect(control.claimSlot(14)).toBe(1);
		expect(control.claimSlot(15)).toBe(3);
		expect(control.load("slotsUsed")).toBe(4);
	});

	it("are not freed for a producer that does not own them any more", () => {
		const control = open(temporaryDirectory());
		control.claimSlot(11);
		expect(control.passSlot(0, 11, 12)).toBe(true);
		const appended = control.slotWord(0) + slotWords.appended;
		control.mapping.words[appended] = 5;
		control.releaseSlot(0, 11);
		expect(control.mapping.words[control.slotWord(0) + slotWords.owner]).toBe(12);
		expect(control.mapping.words[appended]).toBe(5);
		expect(control.passSlot(0, 11, 13)).toBe(false);
	});

	it("of dead producers go to new ones when all are taken, and only theirs", () => {
		const cacheDir = temporaryDirectory();
		const living = Producer.open({ cacheDir });
		onTestFinished(() => living.close());
		const { control } = living;
		const dead = appendAndLeave(cacheDir, 1);
		for (let slot = 2; slot < slotCount; slot++) {
			control.mapping.words[control.slotWord(slot) + slotWords.owner] = living.number;
		}
		expect(control.claimSlot(99)).toBeUndefined();
		const next = Producer.open({ cacheDir });
		expect(control.mapping.words[control.slotWord(1) + slotWords.owner]).toBe(next.number);
		expect(control.mapping.words[control.slotWord(1) + slotWords.appended + 1]).toBe(0);
		expect(existsSync(join(cacheDir, "producers", String(dead)))).toBe(true);
		expect(() => Producer.open({ cacheDir })).toThrow(
			expect.objectContaining({
				code: "PYLOG_SLOTS_EXHAUSTED",
				message: expect.stringContaining("4096 producer slots") as string,
			}) as Error,
		);
		expect(new Set(readdirSync(join(cacheDir, "producers")))).toEqual(
			new Set([living.number, dead, next.number].map(String)),
		);
		next.close();
	});
});

describe("lanes", () => {
	it("are closed and opened for all", () => {
		const cacheDir = temporaryDirectory();
		const [one, other] = [open(cacheDir), open(cacheDir)];
		one.setClosed("normal", true);
		expect(other.isClosed("normal")).toBe(true);
		expect(other.isClosed("priority")).toBe(false);
		one.setClosed("priority", true);
		other.setClosed("normal", false);
		expect([one.isClosed("priority"), one.isClosed("normal")]).toEqual([true, false]);
	});
});

describe("a spool of another version", () => {
	it("is refused, and left as it is", () => {
		const cacheDir = temporaryDirectory();
		open(cacheDir);
		change(cacheDir, (bytes) => {
			bytes.writeUInt32LE(7, controlHeader.version);
			return bytes.subarray(0, 8192);
		});
		const before = readFileSync(join(cacheDir, "control"));
		expect(() => ControlFile.open(cacheDir)).toThrow(
			expect.objectContaining({
				code: "PYLOG_SPOOL_VERSION",
				message: expect.stringMatching(/version 7; this Pylog knows 1/) as string,
			}) as Error,
		);
		expect(readFileSync(join(cacheDir, "control"))).toEqual(before);
	});
});

describe("a damaged control file", () => {
	const damages: readonly [name: string, edit: (bytes: Buffer) => Buffer | undefined][] = [
		["a flipped bit in its magic", (bytes) => void (bytes[3] = (bytes[3] as number) ^ 4)],
		["another slot count", (bytes) => void bytes.writeUInt32LE(17, controlHeader.slotCount)],
		["its end missing", (bytes) => bytes.subarray(0, controlBytes - 1)],
		["all but its magic missing", (bytes) => bytes.subarray(0, 8)],
		["half its magic overwritten", (bytes) => void bytes.fill("x", 4, 8)],
		["something behind its end", (bytes) => Buffer.concat([bytes, Buffer.alloc(1)])],
		["garbage in its place", (bytes) => Buffer.alloc(bytes.length, "garbage")],
	];

	it.each(damages)("with %s is moved aside, and numbering goes on above all seen", (_, edit) => {
		const cacheDir = temporaryDirectory();
		const producer = appendAndLeave(cacheDir, 5);
		change(cacheDir, edit);
		const control = open(cacheDir);
		expect(control.load("nextNumber")).toBeGreaterThan(5);
		expect(control.load("nextProducer")).toBe(producer + 1);
		expect(control.load("reservedKib")).toBe(64);
		expect(asideOf(cacheDir)).toEqual([expect.stringMatching(/-control$/)]);
		const [kept] = new Quarantine(join(cacheDir, "quarantine")).list();
		expect(kept?.reason).toMatch(/^the control file is damaged: it (does not start with|says it has|has) /);
	});

	// What a power failure leaves of one that was being made.
	it("with half its magic is unfinished: it is made in its place, and numbering goes on above all seen", () => {
		const cacheDir = temporaryDirectory();
		const producer = appendAndLeave(cacheDir, 5);
		change(cacheDir, (bytes) => bytes.subarray(0, 3));
		const control = open(cacheDir);
		expect(control.load("nextNumber")).toBeGreaterThan(5);
		expect(control.load("nextProducer")).toBe(producer + 1);
		expect(asideOf(cacheDir)).toEqual([]);
	});

	it("is refused while a producer lives, and replaced when it has ended", async () => {
		const cacheDir = temporaryDirectory();
		const holder = startFixture("slot-holder", cacheDir);
		await holder.line();
		const whole = readFileSync(join(cacheDir, "control"));
		for (const [name, edit] of damages) {
			writeFileSync(join(cacheDir, "control"), whole);
			change(cacheDir, edit);
			expect(() => ControlFile.open(cacheDir), name).toThrow(damaged("in use by producers 1"));
		}
		expect(asideOf(cacheDir)).toEqual([]);
		await holder.kill();
		expect(open(cacheDir).load("nextProducer")).toBe(2);
		expect(asideOf(cacheDir)).toHaveLength(1);
	});

	it("is refused while a logman lives, who would read nothing that is logged with another", () => {
		const cacheDir = temporaryDirectory();
		open(cacheDir);
		const lease = Lease.acquire(join(cacheDir, "logman.lock"));
		onTestFinished(() => lease.release());
		change(cacheDir, (bytes) => void bytes.fill(1, 0, 8));
		expect(() => ControlFile.open(cacheDir)).toThrow(damaged("in use by the logman"));
	});

	it("that was emptied or removed is refused as well while a producer lives", async () => {
		const cacheDir = temporaryDirectory();
		const holder = startFixture("slot-holder", cacheDir);
		await holder.line();
		change(cacheDir, (bytes) => void bytes.fill(0));
		expect(() => ControlFile.open(cacheDir)).toThrow(damaged("in use by producers 1"));
		rmSync(join(cacheDir, "control"));
		expect(() => ControlFile.open(cacheDir)).toThrow(damaged("in use by producers 1"));
		await holder.kill();
		expect(open(cacheDir).load("nextProducer")).toBe(2);
	});
});

describe("a lost control file", () => {
	it("is made anew above every number in segments and checkpoint", () => {
		const cacheDir = temporaryDirectory();
		appendAndLeave(cacheDir, 7);
		rmSync(join(cacheDir, "control"));
		const fromSegments = ControlFile.open(cacheDir);
		expect(fromSegments.load("nextNumber")).toBeGreaterThan(7);
		expect(fromSegments.load("nextProducer")).toBe(2);
		fromSegments.close();
		const checkpoint = CheckpointFile.open(join(cacheDir, "checkpoint"));
		const end = { place: 0, index: 1, offset: 64, sequence: 0 };
		checkpoint.write({
			horizon: 2 ** 40 + 5,
			delivered: [0, 0],
			chains: [{ producer: 77, nonce: 1, lane: 1, from: end, to: end }],
			outputs: [],
			parked: {},
			unsynced: [],
		});
		checkpoint.close();
		rmSync(join(cacheDir, "control"));
		const fromCheckpoint = open(cacheDir);
		expect(fromCheckpoint.counter()).toBeGreaterThan(2 ** 40 + 5);
		expect(fromCheckpoint.counter()).toBeLessThan(2 ** 40 + 2 ** 30);
		expect(fromCheckpoint.load("nextProducer")).toBe(78);
	});

	it("is made anew beside what is no folder of a producer, and no segment", () => {
		const cacheDir = temporaryDirectory();
		appendAndLeave(cacheDir, 7);
		const producers = join(cacheDir, "producers");
		for (const name of ["99999999999999999999", "4294967296", "0", "-1", "x", "1e3"]) mkdirSync(join(producers, name));
		writeFileSync(join(producers, "3"), "a file");
		mkdirSync(join(producers, "1", "normal-7.seg"));
		symlinkSync("/dev/zero", join(producers, "1", "normal-8.seg"));
		writeFileSync(join(producers, "1", "normal-9.seg"), Buffer.alloc(5000, "garbage"));
		rmSync(join(cacheDir, "control"));
		const control = open(cacheDir);
		expect(control.load("nextNumber")).toBeGreaterThan(7);
		expect(control.load("nextProducer")).toBe(4);
	});

	it("skips a number whose name is taken by something else", () => {
		const cacheDir = temporaryDirectory();
		open(cacheDir);
		const producers = join(cacheDir, "producers");
		writeFileSync(join(producers, "1"), "a file");
		mkdirSync(join(producers, "2"));
		writeFileSync(join(producers, "2", "something"), "");
		expect(appendAndLeave(cacheDir, 1)).toBe(3);
	});
});

describe("after a reboot", () => {
	it("the control file is made anew in its place, above all numbers, with all slots free", () => {
		const cacheDir = temporaryDirectory();
		appendAndLeave(cacheDir, 5);
		change(cacheDir, (bytes) => {
			asOfAnotherBoot(bytes);
			// More numbers were taken than are in segments: those lines are in their files already.
			bytes.writeUInt32LE(1_000_000, controlWords.nextNumber * 4);
			bytes.writeUInt32LE(40, controlWords.nextProducer * 4);
			return bytes;
		});
		const control = open(cacheDir);
		expect(control.counter()).toBeGreaterThan(1_000_000);
		expect(control.load("nextProducer")).toBe(40);
		expect(control.load("slotsUsed")).toBe(0);
		expect(control.mapping.words[control.slotWord(0) + slotWords.owner]).toBe(0);
		expect(asideOf(cacheDir)).toEqual([]);
		const next = control.counter();
		expect(open(cacheDir).counter()).toBe(next);
	});

	it("numbering goes on above 2^32 though nobody had stored the high bits yet", () => {
		const cacheDir = temporaryDirectory();
		open(cacheDir);
		const checkpoint = CheckpointFile.open(join(cacheDir, "checkpoint"));
		checkpoint.write({ horizon: 2 ** 32 - 10, delivered: [0, 0], chains: [], outputs: [], parked: {}, unsynced: [] });
		checkpoint.close();
		change(cacheDir, (bytes) => {
			asOfAnotherBoot(bytes);
			bytes.writeUInt32LE(50_000_000, controlWords.nextNumber * 4);
			return bytes;
		});
		expect(open(cacheDir).counter()).toBeGreaterThan(2 ** 32 + 50_000_000);
	});

	it("a death in the middle of that loses no number", () => {
		const cacheDir = temporaryDirectory();
		open(cacheDir);
		change(cacheDir, (bytes) => {
			bytes.writeUInt32LE(1_000_000, controlWords.nextNumber * 4);
			// The magic is what is written last.
			return bytes.fill(0, 0, 8);
		});
		const control = open(cacheDir);
		expect(control.counter()).toBeGreaterThan(1_000_000);
		expect(readFileSync(control.paths.control, "latin1").slice(0, 8)).toBe(controlMagic);
		expect(asideOf(cacheDir)).toEqual([]);
	});

	it("is not, as long as a producer lives: some processes may know the boot by another name", async () => {
		const cacheDir = temporaryDirectory();
		const holder = startFixture("slot-holder", cacheDir);
		await holder.line();
		change(cacheDir, asOfAnotherBoot);
		const control = open(cacheDir);
		expect(control.load("slotsUsed")).toBe(1);
		expect(control.load("nextNumber")).toBe(2);
	});
});

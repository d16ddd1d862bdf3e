/**
 * The control file: the few words all producers and the logman share, mapped into each of them.
 *
 * Invariants: it is made or renewed only under its own `flock`; once mapped it is never truncated or replaced while a
 * producer lives; numbering goes on above every number ever seen, also after a reboot.
 */

import { closeSync, fstatSync, lstatSync, readSync } from "node:fs";
import { join } from "node:path";
import { rename, writeWhole } from "../platform/durable-file.ts";
import { flockRelease, flockWait } from "../platform/libc.ts";
import { Doorbell } from "../platform/doorbell.ts";
import { bootId, networkFileSystem } from "../platform/machine.ts";
import { Mapping } from "../platform/mapping.ts";
import { ensureOwnedDirectory, openOwnedFile } from "../platform/owned-files.ts";
import { refusePlantedLinks } from "../platform/planted-links.ts";
import { reserve } from "../platform/reserve.ts";
import { announceStore } from "../platform/step.ts";
import { PylogError, systemCode } from "../shared/errors.ts";
import { type Lane, laneIndex } from "../shared/lane.ts";
import { liftQueueNumber, type QueueNumber, queueNumber } from "../shared/numbers.ts";
import {
	clampWord,
	controlBytes,
	controlHeader,
	controlMagic,
	controlWords,
	numberHighValues,
	slotBytes,
	slotCount,
	slotInBetween,
	slotsStartByte,
	slotWords,
	spoolVersion,
} from "./control-layout.ts";
import { CheckpointFile } from "./checkpoint.ts";
import { Inbox } from "./inbox.ts";
import { isLeaseHeld } from "./lease.ts";
import { highestNumbers, livingProducers } from "./numbering.ts";
import { type SpoolPaths, spoolPaths } from "./paths.ts";

export class ControlFile {
	readonly paths: SpoolPaths;
	readonly mapping: Mapping;
	/** Wakes the logman. */
	readonly doorbell: Doorbell;
	/** The word never goes back, unless somebody else writes it. */
	#mostSlotsUsed = 0;

	private constructor(paths: SpoolPaths, mapping: Mapping) {
		this.paths = paths;
		this.mapping = mapping;
		this.doorbell = new Doorbell(mapping, controlWords.sleeping);
	}

	/**
	 * Opens the spool at `cacheDir`, making it where it is missing. Blocks for a few system calls.
	 *
	 * @throws PylogError PYLOG_SPOOL_UNSAFE, PYLOG_SPOOL_NETWORK, PYLOG_SPOOL_VERSION, PYLOG_SPOOL_DAMAGED,
	 *   PYLOG_SPOOL_FULL, or the file system's own error.
	 */
	static open(cacheDir: string): ControlFile {
		try {
			return ControlFile.#open(spoolPaths(cacheDir));
		} catch (cause) {
			throw systemCode(cause) === undefined || cause instanceof PylogError ? cause : unusable(cacheDir, cause);
		}
	}

	static #open(paths: SpoolPaths): ControlFile {
		refusePlantedLinks(paths.cacheDir);
		ensureOwnedDirectory("spool.folder", paths.cacheDir);
		refuseNetwork(paths.cacheDir);
		for (const folder of [paths.producers, paths.parked, paths.quarantine])
			ensureOwnedDirectory("spool.subfolder", folder);
		for (;;) {
			const fd = openOwnedFile("control.create", paths.control, "missing");
			try {
				flockWait(fd);
				if (wasReplaced(fd, paths.control) || !prepare(fd, paths)) continue;
				return new ControlFile(paths, Mapping.map(fd, controlBytes));
			} finally {
				flockRelease(fd);
				closeSync(fd);
			}
		}
	}

	/** A shared word, by its name in `controlWords`, within what it can mean. */
	load(word: keyof typeof controlWords): number {
		const value = clampWord(word, Atomics.load(this.mapping.words, controlWords[word]) >>> 0);
		if (word !== "slotsUsed") return value;
		this.#mostSlotsUsed = Math.max(this.#mostSlotsUsed, value);
		return this.#mostSlotsUsed;
	}

	store(word: keyof typeof controlWords, value: number): void {
		Atomics.store(this.mapping.words, controlWords[word], value | 0);
	}

	/** Adds to a shared word and returns what it was before. */
	add(word: keyof typeof controlWords, value: number): number {
		return Atomics.add(this.mapping.words, controlWords[word], value | 0) >>> 0;
	}

	/** The full number the next record gets, as far as the high bits are known. */
	counter(): QueueNumber {
		return queueNumber(this.load("numberHigh") * 2 ** 32 + this.load("nextNumber"));
	}

	/** Index of a slot's first word. */
	slotWord(slot: number): number {
		return (slotsStartByte + slot * slotBytes) / 4;
	}

	/** Takes a free slot for a producer; `undefined` when all are taken. */
	claimSlot(producer: number): number | undefined {
		const words = this.mapping.words;
		for (let slot = 0; slot < slotCount; slot++) {
			const owner = this.slotWord(slot) + slotWords.owner;
			if (Atomics.load(words, owner) !== 0) continue;
			if (Atomics.compareExchange(words, owner, 0, producer) !== 0) continue;
			this.raiseSlotsUsed(slot + 1);
			return slot;
		}
		return undefined;
	}

	/** Frees a producer's slot, unless another producer has taken it over. */
	releaseSlot(slot: number, producer: number): void {
		this.passSlot(slot, producer, 0);
	}

	/** Hands a slot over with its words cleared; `false` when it is not `from`'s any more. 0 stands for nobody. */
	passSlot(slot: number, from: number, to: number): boolean {
		const { words } = this.mapping;
		const start = this.slotWord(slot);
		const owner = start + slotWords.owner;
		if (Atomics.compareExchange(words, owner, from | 0, slotInBetween) !== (from | 0)) return false;
		for (let word = 1; word < slotBytes / 4; word++) Atomics.store(words, start + word, 0);
		Atomics.store(words, owner, to | 0);
		return true;
	}

	isClosed(lane: Lane): boolean {
		return (this.load("closedLanes") & (1 << laneIndex[lane])) !== 0;
	}

	setClosed(lane: Lane, closed: boolean): void {
		const bit = 1 << laneIndex[lane];
		if (closed) Atomics.or(this.mapping.words, controlWords.closedLanes, bit);
		else Atomics.and(this.mapping.words, controlWords.closedLanes, ~bit);
	}

	/** Sets the counter of queue numbers to `atLeast` (low 32 bits) where it is below: somebody has set it back. */
	raiseNumber(atLeast: number): void {
		const words = this.mapping.words;
		for (;;) {
			const now = Atomics.load(words, controlWords.nextNumber);
			if (((atLeast - now) | 0) <= 0) return;
			announceStore("control.raise-number");
			if (Atomics.compareExchange(words, controlWords.nextNumber, now, atLeast | 0) === now) return;
		}
	}

	close(): void {
		this.mapping.unmap();
	}

	/** Notes that so many slots have been taken: whoever reads them must not stop before. */
	raiseSlotsUsed(atLeast: number): void {
		const words = this.mapping.words;
		for (;;) {
			const now = Atomics.load(words, controlWords.slotsUsed);
			if (now >= atLeast) return;
			if (Atomics.compareExchange(words, controlWords.slotsUsed, now, atLeast) === now) return;
		}
	}
}

function unusable(cacheDir: string, cause: unknown): PylogError {
	const why = cause instanceof Error ? cause.message : String(cause);
	return new PylogError(
		"PYLOG_SPOOL_UNUSABLE",
		`Pylog can't use the cache directory ${cacheDir}: ${why}. ` +
			"Set the option cacheDir, or PYLOG_CACHE_DIR, to a directory this user can write to.",
		{ cause, details: { cacheDir } },
	);
}

function refuseNetwork(cacheDir: string): void {
	const network = networkFileSystem(cacheDir);
	if (network === undefined) return;
	throw new PylogError(
		"PYLOG_SPOOL_NETWORK",
		`Pylog's cacheDir ${cacheDir} is on ${network}, where mapped memory is not coherent. Choose a local disk.`,
		{ details: { cacheDir, network } },
	);
}

/** Whether the file was moved aside by whoever held the lock before. */
function wasReplaced(fd: number, path: string): boolean {
	return lstatSync(path, { throwIfNoEntry: false })?.ino !== fstatSync(fd).ino;
}

/** Makes the open, locked control file ready to be mapped; `false` when it was moved aside and must be opened again. */
function prepare(fd: number, paths: SpoolPaths): boolean {
	const header = Buffer.alloc(64);
	readSync(fd, header, 0, header.length, 0);
	const sizeBytes = fstatSync(fd).size;
	// The magic is written last: without it, the file is new, or whoever made it died.
	const isUnfinished = sizeBytes <= controlBytes && header.readBigUInt64LE(controlHeader.magic) === 0n;
	const problem = isUnfinished ? undefined : findProblem(header, sizeBytes);
	const isOfThisBoot = header.subarray(controlHeader.bootId, controlHeader.bootId + 16).equals(bootId());
	if (!isUnfinished && problem === undefined && isOfThisBoot) return true;
	const users = usersOf(paths);
	if (users !== undefined) {
		// Nobody outlives a boot. Where /proc is hidden from some processes, they know the boot by another name.
		if (!isUnfinished && problem === undefined) return true;
		throw damagedInUse(paths, problem ?? "it was emptied or removed", users);
	}
	if (problem !== undefined) {
		rename("control.set-aside", paths.control, join(paths.quarantine, `control-${Date.now()}`));
		return false;
	}
	renew(fd, paths);
	return true;
}

function findProblem(header: Buffer, sizeBytes: number): string | undefined {
	if (header.toString("latin1", 0, 8) !== controlMagic) return "it does not start with its magic";
	if (sizeBytes < header.length) return `its size is ${sizeBytes}, not ${controlBytes}`;
	const version = header.readUInt32LE(controlHeader.version);
	if (version !== spoolVersion) {
		throw new PylogError(
			"PYLOG_SPOOL_VERSION",
			`The spool is of format version ${version}; this Pylog knows ${spoolVersion}. ` +
				"Drain it with the Pylog that wrote it, then remove the cache directory.",
			{ details: { version, known: spoolVersion } },
		);
	}
	if (header.readUInt32LE(controlHeader.slotCount) !== slotCount) return "its slot count is wrong";
	return sizeBytes === controlBytes ? undefined : `its size is ${sizeBytes}, not ${controlBytes}`;
}

/** Who has the control file mapped at this moment, as text; `undefined` for nobody. */
function usersOf(paths: SpoolPaths): string | undefined {
	const living = livingProducers(paths);
	const users = living.length > 0 ? [`producers ${living.join(", ")}`] : [];
	if (isLeaseHeld(paths.lease)) users.push("the logman");
	return users.length > 0 ? users.join(" and ") : undefined;
}

/** It can't be replaced then: those who have it mapped would go on in the old one, and nobody would read what they log. */
function damagedInUse(paths: SpoolPaths, problem: string, users: string): PylogError {
	return new PylogError(
		"PYLOG_SPOOL_DAMAGED",
		`The control file ${paths.control} is damaged (${problem}) and in use by ${users}. ` +
			"End those processes; the next start repairs it.",
		{ details: { path: paths.control, problem, users } },
	);
}

/** The number counter and the number of the next producer, before they are written anew; zeros in a new file. */
function readCounters(fd: number, near: QueueNumber): { next: number; nextProducer: number } {
	const bytes = Buffer.alloc(slotsStartByte);
	readSync(fd, bytes, 0, bytes.length, 0);
	const low = bytes.readUInt32LE(controlWords.nextNumber * 4);
	const high = bytes.readUInt32LE(controlWords.numberHigh * 4) % numberHighValues;
	return {
		// The counter may have passed 2^32 since the high bits were stored.
		next: Math.max(high * 2 ** 32 + low, liftQueueNumber(low, near)),
		nextProducer: bytes.readUInt32LE(controlWords.nextProducer * 4),
	};
}

/**
 * Numbers skipped after a reboot or a loss. Lines written within the last sync interval before a power failure may have
 * higher numbers than anything that reached the disk of the spool; nobody logs so many in that time.
 */
export const numbersSkipped: number = 2 ** 24;

function renew(fd: number, paths: SpoolPaths): void {
	const seen = highestNumbers(paths);
	const before = readCounters(fd, queueNumber(seen.queue));
	const highest = Math.max(seen.queue, before.next - 1);
	const next = highest <= 0 ? 1 : highest + 1 + numbersSkipped;
	const nextProducer = Math.max(seen.producer + 1, before.nextProducer, 1) % 2 ** 32;
	const bytes = Buffer.alloc(controlBytes);
	bytes.writeUInt32LE(spoolVersion, controlHeader.version);
	bytes.writeUInt32LE(slotCount, controlHeader.slotCount);
	bootId().copy(bytes, controlHeader.bootId);
	bytes.writeDoubleLE(Date.now(), controlHeader.createdMs);
	bytes.writeUInt32LE(next % 2 ** 32, controlWords.nextNumber * 4);
	bytes.writeUInt32LE(Math.floor(next / 2 ** 32), controlWords.numberHigh * 4);
	bytes.writeUInt32LE(nextProducer, controlWords.nextProducer * 4);
	bytes.writeUInt32LE(seen.reservedKib, controlWords.reservedKib * 4);
	if (!reserve("control.reserve", fd, controlBytes)) {
		throw new PylogError("PYLOG_SPOOL_FULL", `No space for the control file ${paths.control} (${controlBytes} bytes).`);
	}
	reserveForLogman(paths);
	writeWhole("control.renew", fd, bytes, 0);
	// The magic last: without it, all this is done again.
	writeWhole("control.magic", fd, Buffer.from(controlMagic, "latin1"), 0);
}

/** What a logman needs to make room on a full disk has to be there before producers fill it. */
function reserveForLogman(paths: SpoolPaths): void {
	CheckpointFile.open(paths.checkpoint).close();
	new Inbox(paths.cacheDir).ensure();
}

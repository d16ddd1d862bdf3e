/**
 * The control file: the few words all producers and the logman share, mapped into each of them.
 *
 * Invariants: it is made or renewed only under its own `flock`; once mapped it is never truncated or replaced while a
 * producer lives; numbering goes on above every number ever seen, also after a reboot. One that is ready is opened
 * without the lock: whoever is stopped while it holds that stops nobody else.
 */

import { closeSync, fstatSync, lstatSync } from "node:fs";
import { syncNewFolders } from "../platform/durable-file.ts";
import { flockRelease } from "../platform/libc.ts";
import { Doorbell } from "../platform/doorbell.ts";
import { networkFileSystem } from "../platform/machine.ts";
import { Mapping } from "../platform/mapping.ts";
import { ensureOwnedDirectory, openOwnedFile, openPlainFile } from "../platform/owned-files.ts";
import { refusePlantedLinks } from "../platform/planted-links.ts";
import { announceStore } from "../platform/step.ts";
import { PylogError, systemCode } from "../shared/errors.ts";
import { type Lane, laneIndex } from "../shared/lane.ts";
import { type QueueNumber, queueNumber } from "../shared/numbers.ts";
import {
	clampWord,
	controlBytes,
	controlWords,
	slotBytes,
	slotCount,
	slotInBetween,
	slotsStartByte,
	slotWords,
} from "./control-layout.ts";
import { prepareControl, waitForMaker, wasReplaced } from "./control-preparation.ts";
import { isReady, reserveWhole } from "./control-readiness.ts";
import { isLeaseHeld } from "./lease.ts";
import { type SpoolPaths, spoolPaths } from "./paths.ts";

/** Storing into all slots takes less than one; a logman that is stopped in the middle of it takes for ever. */
const longestTellingMs = 100;

export class ControlFile {
	readonly paths: SpoolPaths;
	readonly mapping: Mapping;
	/** Wakes the logman. */
	readonly doorbell: Doorbell;
	/** What was wrong with the file before, where this opening made another one. */
	readonly replaced: string | undefined;
	/** The word never goes back, unless somebody else writes it. */
	#mostSlotsUsed = 0;
	readonly #inode: number;

	private constructor(paths: SpoolPaths, fd: number, replaced: string | undefined) {
		this.paths = paths;
		this.replaced = replaced;
		this.#inode = fstatSync(fd).ino;
		const mapping = Mapping.map(fd, controlBytes);
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
		const firstMade = ensureOwnedDirectory("spool.folder", paths.cacheDir);
		refuseNetwork(paths.cacheDir);
		if (firstMade !== undefined) syncNewFolders("spool.sync-new-folders", firstMade, paths.cacheDir);
		for (const folder of [paths.producers, paths.parked, paths.quarantine])
			ensureOwnedDirectory("spool.subfolder", folder);
		let replaced: string | undefined;
		for (;;) {
			const fd = openOwnedFile("control.create", paths.control, "missing");
			try {
				if (!isReady(fd)) {
					waitForMaker(fd, paths);
					if (wasReplaced(fd, paths.control)) continue;
					const { problem, isAside } = prepareControl(fd, paths);
					replaced ??= problem;
					if (isAside) continue;
				}
				// Also one that has been there: a copy of a spool may have holes, and a store into one can end the process.
				reserveWhole(fd, paths);
				return new ControlFile(paths, fd, replaced);
			} finally {
				flockRelease(fd);
				closeSync(fd);
			}
		}
	}

	/** Whether the file is still the one of its cache directory: nobody removed that, or moved it. One system call. */
	get isInPlace(): boolean {
		return lstatSync(this.paths.control, { throwIfNoEntry: false })?.ino === this.#inode;
	}

	/**
	 * Whether another control file is in its place, ready for use: the spool was emptied or removed, and is made anew. One
	 * that is just missing is not replaced: who has this one mapped goes on with it. One system call, usually.
	 */
	get isReplaced(): boolean {
		if (this.isInPlace) return false;
		const fd = openPlainFile(this.paths.control);
		if (fd === undefined) return false;
		try {
			return fstatSync(fd).ino !== this.#inode && isReady(fd);
		} finally {
			closeSync(fd);
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

	/** Makes sure that all slots with an owner are looked at. Returns whether some were not. */
	recountSlots(): boolean {
		const { words } = this.mapping;
		let used = slotCount;
		while (used > 0 && Atomics.load(words, this.slotWord(used - 1) + slotWords.owner) === 0) used -= 1;
		const wasLow = this.load("slotsUsed") < used;
		if (wasLow) this.raiseSlotsUsed(used);
		return wasLow;
	}

	/** Index of a slot's first word. */
	slotWord(slot: number): number {
		return (slotsStartByte + slot * slotBytes) / 4;
	}

	/**
	 * Runs `tell`, in which the holder of the lease stores into slots of producers it believes to live, each after a look
	 * at the owner. A slot that is handed on between that look and the store is not used before `tell` has returned.
	 */
	whileTelling(tell: () => void): void {
		this.store("telling", 1);
		try {
			tell();
		} finally {
			this.store("telling", 0);
		}
	}

	/** Takes a free slot for a producer; `undefined` when all are taken. */
	claimSlot(producer: number): number | undefined {
		const words = this.mapping.words;
		for (let slot = 0; slot < slotCount; slot++) {
			const owner = this.slotWord(slot) + slotWords.owner;
			if (Atomics.load(words, owner) !== 0) continue;
			announceStore("slot.claim");
			if (Atomics.compareExchange(words, owner, 0, producer) !== 0) continue;
			announceStore("slot.count");
			this.raiseSlotsUsed(slot + 1);
			return slot;
		}
		return undefined;
	}

	/** Frees a producer's slot, unless another producer has taken it over. */
	releaseSlot(slot: number, producer: number): void {
		this.passSlot(slot, producer, 0);
	}

	/**
	 * Hands a slot over with its words cleared; `false` when it is not `from`'s any more, or when somebody has been
	 * storing into slots for too long. 0 stands for nobody. Waits for what is being stored into it as `from`'s.
	 */
	passSlot(slot: number, from: number, to: number): boolean {
		const { words } = this.mapping;
		const start = this.slotWord(slot);
		const owner = start + slotWords.owner;
		announceStore("slot.take-over");
		if (Atomics.compareExchange(words, owner, from | 0, slotInBetween) !== (from | 0)) return false;
		if (!this.#untilNobodyTells()) {
			Atomics.store(words, owner, from | 0);
			return false;
		}
		announceStore("slot.clear");
		for (let word = 1; word < slotBytes / 4; word++) Atomics.store(words, start + word, 0);
		announceStore("slot.give");
		Atomics.store(words, owner, to | 0);
		return true;
	}

	/** Asks the logman for a sync; it hears of it when it is rung. */
	wantFlush(): void {
		announceStore("control.want-flush");
		this.store("flushWanted", 1);
	}

	/** Asks the logman to drain and leave; it hears of it when it is rung. */
	wantStop(): void {
		announceStore("control.want-stop");
		this.store("stopWanted", 1);
	}

	isClosed(lane: Lane): boolean {
		return (this.load("closedLanes") & (1 << laneIndex[lane])) !== 0;
	}

	setClosed(lane: Lane, closed: boolean): void {
		const bit = 1 << laneIndex[lane];
		announceStore("control.close-lane");
		if (closed) Atomics.or(this.mapping.words, controlWords.closedLanes, bit);
		else Atomics.and(this.mapping.words, controlWords.closedLanes, ~bit);
	}

	/**
	 * Sets the counter of queue numbers to `atLeast` (low 32 bits) where it is below: somebody has set it back, or put an older
	 * copy of the file in place. Returns whether it was.
	 */
	raiseCounter(atLeast: number): boolean {
		const { words } = this.mapping;
		for (;;) {
			const now = Atomics.load(words, controlWords.nextNumber);
			// By the sign of their difference, as all counts of 32 bits.
			if (((atLeast - now) | 0) <= 0) return false;
			announceStore("control.raise-number");
			if (Atomics.compareExchange(words, controlWords.nextNumber, now, atLeast | 0) === now) return true;
		}
	}

	close(): void {
		this.mapping.unmap();
	}

	/** A holder of the lease that died while it told stores nothing any more. */
	#untilNobodyTells(): boolean {
		for (let waitedMs = 0; this.load("telling") !== 0 && isLeaseHeld(this.paths.lease); waitedMs++) {
			if (waitedMs >= longestTellingMs) return false;
			Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
		}
		return true;
	}

	/** Notes that so many slots have been taken: whoever reads them must not stop before. */
	raiseSlotsUsed(atLeast: number): void {
		const words = this.mapping.words;
		for (;;) {
			const now = Atomics.load(words, controlWords.slotsUsed);
			if (now >>> 0 >= atLeast) return;
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

/**
 * What a producer takes when it opens: a number, a folder of that name with a held lock in it, and a slot in the control
 * file. In this order, so that a folder whose lock is free is a dead producer's, and a slot's owner has a folder.
 */

import { lstatSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { makeFolder, removeTree, rename, writeWhole } from "../platform/durable-file.ts";
import { FileLock, isLocked } from "../platform/file-lock.ts";
import { announceStore } from "../platform/step.ts";
import { threadId } from "../platform/thread.ts";
import { PylogError, systemCode } from "../shared/errors.ts";
import { randomDigits } from "../shared/random-word.ts";
import type { ControlFile } from "./control-file.ts";
import { slotCount, slotInBetween, slotWords } from "./control-layout.ts";
import { aliveFile, producerDirectory, type SpoolPaths } from "./paths.ts";

/** What a rename says when something else has the name of a producer's folder. */
const takenName: ReadonlySet<string | undefined> = new Set(["ENOTEMPTY", "EEXIST", "ENOTDIR"]);

/** Makes a producer's folder, visible only once its lock is held. */
export function claimFolder(control: ControlFile): { number: number; alive: FileLock } {
	const { paths } = control;
	const draft = join(paths.producers, `.${process.pid}-${threadId}-${randomDigits()}`);
	makeFolder("producer.draft", draft, 0o700);
	let alive: FileLock | undefined;
	try {
		alive = FileLock.tryAcquire("producer.lock", aliveFile(draft));
		if (alive === undefined) {
			throw new PylogError("PYLOG_SPOOL_DAMAGED", `Somebody locked ${aliveFile(draft)}, a new file.`);
		}
		return { number: moveIn(control, draft), alive };
	} catch (error) {
		alive?.release();
		removeTree("producer.give-up-draft", draft);
		throw error;
	}
}

/** Gives a finished draft the next free number. */
function moveIn(control: ControlFile, draft: string): number {
	for (;;) {
		announceStore("producer.number");
		const number = control.add("nextProducer", 1);
		if (number === 0) continue;
		try {
			rename("producer.name", draft, producerDirectory(control.paths, number));
			return number;
		} catch (error) {
			if (!takenName.has(systemCode(error))) throw error;
		}
	}
}

/**
 * Gives back a folder that can't be used. Its lock is held until it is gone: else a logman could remove it first, another
 * producer take its name, and this would remove the other one's.
 */
export function giveUpFolder({ paths }: ControlFile, number: number, alive: FileLock): void {
	const directory = producerDirectory(paths, number);
	try {
		// Where the cache directory was replaced, one of this name may be a living producer's of the new spool.
		if (alive.isInPlace(aliveFile(directory))) removeTree("producer.give-up", directory);
	} catch (error) {
		// Somebody moved a folder of this name in as soon as this one was empty: it is theirs.
		if (!takenName.has(systemCode(error))) throw error;
	} finally {
		alive.release();
	}
}

const draftAgeMs = 60_000;
/** A stopped logman may let no slot be taken: each costs a while. */
const longestTakeMs = 1000;

/** Removes folders of producers that died before they had a number. Never throws. */
export function sweepDrafts({ producers }: SpoolPaths): void {
	try {
		for (const name of readdirSync(producers).filter((each) => each.startsWith("."))) {
			const draft = join(producers, name);
			const isOld = Date.now() - (lstatSync(draft, { throwIfNoEntry: false })?.ctimeMs ?? Date.now()) > draftAgeMs;
			if (isOld && !isLocked(aliveFile(draft))) removeTree("producer.sweep-draft", draft);
		}
	} catch {
		// The next sweep comes to it.
	}
}

/** Takes a slot for a producer; `undefined` when all belong to living ones. */
export function claimSlot(control: ControlFile, number: number): number | undefined {
	return control.claimSlot(number) ?? takeSlotOfDead(control, number);
}

/** With all slots taken: one whose producer is dead. Its folder and records stay as they are. */
function takeSlotOfDead(control: ControlFile, number: number): number | undefined {
	const { words } = control.mapping;
	const giveUpMs = performance.now() + longestTakeMs;
	for (let slot = 0; slot < slotCount; slot++) {
		const holder = Atomics.load(words, control.slotWord(slot) + slotWords.owner);
		if (holder === 0 || holder === slotInBetween) continue;
		if (isLocked(aliveFile(producerDirectory(control.paths, holder >>> 0)))) continue;
		if (control.passSlot(slot, holder, number)) return slot;
		if (performance.now() > giveUpMs) return undefined;
	}
	return undefined;
}

/** A full disk is no reason not to log: what the file says of its producer is for people, its lock counts. */
export function sayWho({ fd }: FileLock, slot: number): void {
	try {
		writeWhole("producer.say", fd, Buffer.from(`slot ${slot}\npid ${process.pid}\nthread ${threadId}\n`));
	} catch {
		// Nobody can read who it is.
	}
}

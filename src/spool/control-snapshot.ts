/**
 * The control file as it reads at one moment, for those who only look: nothing is mapped, made, renewed or locked.
 *
 * The words are those of one `read`, each whole, but not all of the same instant: producers go on meanwhile. Slots of
 * an earlier boot are left out, for no producer of that boot lives.
 */

import { closeSync, readSync } from "node:fs";
import { bootId } from "../platform/machine.ts";
import { findControlProblem } from "./control-header.ts";
import {
	clampWord,
	controlBytes,
	controlHeader,
	controlWords,
	slotBytes,
	slotCount,
	slotsStartByte,
	slotWords,
} from "./control-layout.ts";
import { openRegularFile } from "./regular-file.ts";
import { type ImpossibleWord, impossibleWords } from "./word-limits.ts";

/** A producer's slot. Counts are the low 32 bits; where there are two, the priority lane's comes first. */
export interface SlotSnapshot {
	readonly slot: number;
	readonly producer: number;
	readonly appended: readonly [number, number];
	readonly written: readonly [number, number];
	readonly durable: readonly [number, number];
	readonly dropped: number;
	readonly dropsTold: number;
}

export interface ControlSnapshot {
	/** Why no process could use the file as it is; `undefined` for a sound one. The rest means little then. */
	readonly problem: string | undefined;
	readonly version: number;
	/** Whether it was written in another version of the format: nothing else of it is known then. */
	readonly isOtherVersion: boolean;
	/** When it was made, milliseconds since the Unix epoch. */
	readonly createdMs: number;
	readonly isOfThisBoot: boolean;
	readonly slots: readonly SlotSnapshot[];
	/** Whether there is an owner in a slot that the file calls never taken. */
	readonly hasWrongSlotCount: boolean;
	/** Shared words that hold what nobody of ours writes. */
	readonly impossibleWords: readonly ImpossibleWord[];
	/** A shared word, by its name in `controlWords`. */
	word(name: keyof typeof controlWords): number;
}

/**
 * Reads a control file; `undefined` where there is none, or none yet. Blocks for a few system calls.
 *
 * @throws the file system's own error where it gives no answer.
 */
export function readControl(path: string): ControlSnapshot | undefined {
	const bytes = Buffer.alloc(controlBytes);
	const { sizeBytes, problem } = readStart(path, bytes);
	if (problem === undefined && bytes.every((byte) => byte === 0)) return undefined;
	const isOfThisBoot = bytes.subarray(controlHeader.bootId, controlHeader.bootId + 16).equals(bootId());
	const found = findControlProblem(bytes, sizeBytes);
	return {
		problem: problem ?? found?.what,
		version: bytes.readUInt32LE(controlHeader.version),
		isOtherVersion: found?.version !== undefined,
		createdMs: bytes.readDoubleLE(controlHeader.createdMs),
		isOfThisBoot,
		slots: isOfThisBoot ? readSlots(bytes) : [],
		hasWrongSlotCount: isOfThisBoot && bytes.readUInt32LE(controlWords.slotsUsed * 4) < countTaken(bytes),
		impossibleWords: isOfThisBoot ? impossibleWords((name) => bytes.readUInt32LE(controlWords[name] * 4)) : [],
		word: (name) => clampWord(name, bytes.readUInt32LE(controlWords[name] * 4)),
	};
}

/** Fills `bytes` from the start of the file, as far as it goes. Says why where that is no file. */
function readStart(path: string, bytes: Buffer): { readonly sizeBytes: number; readonly problem?: string } {
	const look = openRegularFile(path);
	if (look.kind === "missing") return { sizeBytes: 0 };
	if (look.kind === "other") return { sizeBytes: 0, problem: look.what };
	try {
		readSync(look.fd, bytes, 0, bytes.length, 0);
		return { sizeBytes: look.sizeBytes };
	} finally {
		closeSync(look.fd);
	}
}

/** What the count of slots has to be for all owners to be seen; what it is, where that is more and possible. */
function countTaken(bytes: Buffer): number {
	const said = bytes.readUInt32LE(controlWords.slotsUsed * 4);
	for (let slot = slotCount - 1; slot >= said; slot--) {
		if (bytes.readUInt32LE(slotsStartByte + slot * slotBytes + slotWords.owner * 4) !== 0) return slot + 1;
	}
	return Math.min(said, slotCount);
}

function readSlots(bytes: Buffer): SlotSnapshot[] {
	const slots: SlotSnapshot[] = [];
	const used = Math.min(countTaken(bytes), slotCount);
	for (let slot = 0; slot < used; slot++) {
		const start = slotsStartByte + slot * slotBytes;
		const word = (index: number): number => bytes.readUInt32LE(start + index * 4);
		const pair = (index: number): [number, number] => [word(index), word(index + 1)];
		if (word(slotWords.owner) === 0) continue;
		slots.push({
			slot,
			producer: word(slotWords.owner),
			appended: pair(slotWords.appended),
			written: pair(slotWords.written),
			durable: pair(slotWords.durable),
			dropped: word(slotWords.dropped),
			dropsTold: word(slotWords.dropsTold),
		});
	}
	return slots;
}

/**
 * The control file as it reads at one moment, for those who only look: nothing is mapped, made, renewed or locked.
 *
 * The words are those of one `read`, each whole, but not all of the same instant: producers go on meanwhile. Slots of
 * an earlier boot are left out, for no producer of that boot lives.
 */

import { closeSync, fstatSync, lstatSync, readSync } from "node:fs";
import { bootId } from "../platform/machine.ts";
import { openPlainFile } from "../platform/owned-files.ts";
import {
	clampWord,
	controlBytes,
	controlHeader,
	controlMagic,
	controlWords,
	slotBytes,
	slotCount,
	slotsStartByte,
	slotWords,
	spoolVersion,
} from "./control-layout.ts";

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
	/** A shared word, by its name in `controlWords`. */
	word(name: keyof typeof controlWords): number;
}

/**
 * Reads a control file; `undefined` where there is none, or none yet. Blocks for a few system calls.
 *
 * @throws the file system's own error for a file that is there and can't be read.
 */
export function readControl(path: string): ControlSnapshot | undefined {
	const file = readStart(path);
	if (file === undefined) return undefined;
	// Empty is what a maker that died leaves; what is no file at all stands in the way of the next one.
	if (file.isRegular && file.bytes.every((byte) => byte === 0)) return undefined;
	const bytes = Buffer.alloc(controlBytes);
	file.bytes.copy(bytes);
	const isOfThisBoot = bytes.subarray(controlHeader.bootId, controlHeader.bootId + 16).equals(bootId());
	return {
		problem: file.isRegular ? findProblem(bytes, file.sizeBytes) : "it is no regular file of its own",
		version: bytes.readUInt32LE(controlHeader.version),
		isOtherVersion: hasMagic(bytes) && bytes.readUInt32LE(controlHeader.version) !== spoolVersion,
		createdMs: bytes.readDoubleLE(controlHeader.createdMs),
		isOfThisBoot,
		slots: isOfThisBoot ? readSlots(bytes) : [],
		word: (name) => clampWord(name, bytes.readUInt32LE(controlWords[name] * 4)),
	};
}

interface ControlStart {
	readonly bytes: Buffer;
	readonly sizeBytes: number;
	/** Not a link, a folder, a FIFO. */
	readonly isRegular: boolean;
}

function readStart(path: string): ControlStart | undefined {
	const fd = openPlainFile(path);
	if (fd === undefined) {
		const isThere = lstatSync(path, { throwIfNoEntry: false }) !== undefined;
		return isThere ? { bytes: Buffer.alloc(0), sizeBytes: 0, isRegular: false } : undefined;
	}
	try {
		const bytes = Buffer.alloc(controlBytes);
		const filled = bytes.subarray(0, readSync(fd, bytes, 0, bytes.length, 0));
		return { bytes: filled, sizeBytes: fstatSync(fd).size, isRegular: true };
	} finally {
		closeSync(fd);
	}
}

function hasMagic(bytes: Buffer): boolean {
	return bytes.toString("latin1", 0, 8) === controlMagic;
}

function findProblem(bytes: Buffer, sizeBytes: number): string | undefined {
	if (!hasMagic(bytes)) return `it does not start with ${controlMagic}`;
	const version = bytes.readUInt32LE(controlHeader.version);
	if (version !== spoolVersion) return `it is of format version ${version}, and this Pylog knows ${spoolVersion}`;
	const slots = bytes.readUInt32LE(controlHeader.slotCount);
	if (slots !== slotCount) return `it says it has ${slots} slots, not ${slotCount}`;
	return sizeBytes === controlBytes ? undefined : `it has ${sizeBytes} bytes, not ${controlBytes}`;
}

function readSlots(bytes: Buffer): SlotSnapshot[] {
	const slots: SlotSnapshot[] = [];
	const used = Math.min(bytes.readUInt32LE(controlWords.slotsUsed * 4), slotCount);
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

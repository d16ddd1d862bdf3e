/**
 * Slots of the checkpoint file that hold bytes which are no checkpoint: what a death in the middle of a write leaves, which is
 * nothing to tell of, and anything else, which is damage.
 */

import { closeSync, readSync } from "node:fs";
import { checkpointHeaderBytes, firstSlotBytes } from "./checkpoint-layout.ts";
import { readExactly, readNewest, readSlot, readSlotHeader, type Slot } from "./checkpoint-slot.ts";
import { openRegularFile } from "./regular-file.ts";

export interface DamagedSlot {
	readonly offset: number;
	/** Its bytes, a mebibyte at most, without the zeros at their end. */
	readonly bytes: Buffer;
}

/** What stands in one of the two slots. Without a generation it is empty, torn or damaged. */
export interface SlotLook {
	readonly offset: number;
	readonly generation: number | undefined;
	/** Whether a write into it looks as if a death had ended it. */
	readonly isTorn: boolean;
	readonly damage: DamagedSlot | undefined;
}

const mostBytes = 1024 * 1024;

/** A checkpoint file for those who only look: its two slots, or why it can't be read. No slots where there is no file. */
export function lookAtCheckpoint(path: string): { readonly slots: readonly SlotLook[]; readonly problem?: string } {
	const look = openRegularFile(path);
	if (look.kind === "missing") return { slots: [] };
	if (look.kind === "other") return { slots: [], problem: look.what };
	try {
		return { slots: lookAtSlots(look.fd, readNewest(look.fd)) };
	} finally {
		closeSync(look.fd);
	}
}

/** Both slots of a file. @param newest The one that counts, as `readNewest` gives it. */
export function lookAtSlots(fd: number, newest: Slot | undefined): readonly SlotLook[] {
	const slotBytes = newest?.slotBytes ?? firstSlotBytes;
	return [0, slotBytes].map((offset) => {
		const generation = readSlot(fd, offset)?.generation;
		// A copy of the first slot is no state of its own: what stood there is lost.
		const isCopy = offset > 0 && generation === readSlot(fd, 0)?.generation;
		if (generation !== undefined && !isCopy) return { offset, generation, isTorn: false, damage: undefined };
		const isTorn = isTornWrite(fd, offset, newest);
		const bytes = isTorn ? undefined : contentOf(fd, offset, slotBytes);
		const isEmpty = bytes === undefined || bytes.length === 0;
		return { offset, generation: undefined, isTorn, damage: isEmpty ? undefined : { offset, bytes } };
	});
}

/**
 * A write begins with the header. So it names the generation that follows the newest valid one (or, where there is none
 * yet, the first), and the size that all slots of the file have.
 */
function isTornWrite(fd: number, offset: number, newest: Slot | undefined): boolean {
	const header = readSlotHeader(fd, offset);
	if (header === undefined || header.totalBytes > header.slotBytes) return false;
	const isNext = header.generation === (newest?.generation ?? 0) + 1;
	return isNext && header.slotBytes === (newest?.slotBytes ?? firstSlotBytes);
}

function contentOf(fd: number, offset: number, slotBytes: number): Buffer {
	if (readExactly(fd, offset, checkpointHeaderBytes)?.every((byte) => byte === 0) === true) return Buffer.alloc(0);
	const bytes = Buffer.alloc(Math.min(slotBytes, mostBytes));
	let end = readSync(fd, bytes, 0, bytes.length, offset);
	while (end > 0 && bytes[end - 1] === 0) end -= 1;
	return bytes.subarray(0, end);
}

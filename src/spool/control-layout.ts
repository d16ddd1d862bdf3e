/**
 * Where the words of the control file stand. All are 32-bit little-endian words; positions are word indices.
 * `docs/spool-format.md` tells their meaning; a test compares it with these tables.
 */

export const controlMagic = "PYLOGCTL";
export const spoolVersion = 1;

/** Slots in a control file: so many producers can live at once. */
export const slotCount = 4096;

/** The fixed part, written once. Bytes. */
export const controlHeader = {
	magic: 0,
	version: 8,
	slotCount: 12,
	bootId: 16,
	createdMs: 32,
} as const;

/** Words that all processes share. Those written often have a cache line (64 bytes) of their own. */
export const controlWords = {
	/** Low 32 bits of the number the next record gets. */
	nextNumber: 16,
	/** The number the next producer gets. */
	nextProducer: 32,
	/** Count of producers that have become visible. */
	producersOpened: 33,
	/** Slots from here on have never been taken. */
	slotsUsed: 34,
	/** Bit 0: priority lane closed; bit 1: normal lane closed. */
	closedLanes: 35,
	/** Level for all processes; 0 leaves it to the loggers. Reserved: nothing writes it yet. */
	level: 36,
	/** KiB of disk all segments have reserved. */
	reservedKib: 37,
	/** High bits of the numbers, as the logman carries them. */
	numberHigh: 38,
	/** 1 while the logman sleeps: the doorbell. */
	sleeping: 48,
	/** Low bits of the written number: every line below it is in its file. */
	written: 64,
	/** Set by a producer that waits for its lines to be on disk. */
	flushWanted: 65,
	/** Set to make the logman drain and leave. */
	stopWanted: 66,
	/** 1 while the logman stores into the slots of producers. */
	telling: 67,
} as const;

export const slotsStartByte = 1024;
export const slotBytes = 64;
export const controlBytes: number = slotsStartByte + slotCount * slotBytes;

/**
 * A shared word as it can be believed: anybody of this user can write any value. What would lead out of the file, or
 * out of the exact numbers, is brought back into them.
 */
export function clampWord(name: keyof typeof controlWords, value: number): number {
	if (name === "slotsUsed") return Math.min(value, slotCount);
	return name === "numberHigh" ? value % highBits : value;
}

/** Owner of a slot that goes from one producer to the next (or to nobody) at this moment. */
export const slotInBetween: number = -1;

/** Words of a producer's slot, from its start. Where a lane has a word of its own, the priority lane's comes first. */
export const slotWords = {
	/** Number of the producer; 0 is a free slot. */
	owner: 0,
	/** Lower bound of the number being taken; 0 outside of an append. */
	bound: 1,
	/** Records appended. */
	appended: 2,
	/** Segments with a lower index may be used again. Written by the logman. */
	freeBelow: 4,
	/** Records whose lines are in their files. Written by the logman. */
	written: 6,
	/** Records whose lines are on disk. Written by the logman. */
	durable: 8,
	/** Records dropped. */
	dropped: 10,
	/** Dropped records that a line in the log tells of. */
	dropsTold: 11,
} as const;

/** Numbers stay below 2^53: so many values have the bits above the counter's 32. */
export const highBits: number = 2 ** 21;

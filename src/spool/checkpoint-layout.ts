/**
 * Where the parts of a checkpoint's slot stand. `docs/spool-format.md` tells their meaning; a test compares it with these
 * tables.
 */

export const checkpointMagic = 0x504b4350;
export const checkpointHeaderBytes = 64;
/** Size of a slot in a new file; it only ever doubles. */
export const firstSlotBytes: number = 128 * 1024;
/** A header that names a larger slot is none. */
export const maxSlotBytes: number = 1024 * 1024 * 1024;

/** Byte offsets in a slot's header. */
export const checkpointHeader = {
	magic: 0,
	slotBytes: 4,
	generation: 8,
	horizon: 16,
	deliveredPriority: 24,
	deliveredNormal: 32,
	chainCount: 40,
	jsonBytes: 44,
	crc: 56,
} as const;

/** 32-bit words of a chain's state, one state after the other behind the header; `from` and `to` are positions. */
export const chainStateWords = 12;
export const chainState = {
	producer: 0,
	nonce: 1,
	lane: 2,
	from: 4,
	to: 8,
} as const;

/** Words of a position. */
export const chainPosition = {
	place: 0,
	index: 1,
	offset: 2,
	sequence: 3,
} as const;

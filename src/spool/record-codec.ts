/**
 * The bytes of a record: header layout, checksum, and the check whether bytes are a record at all.
 *
 * A record is valid if and only if its length word is a multiple of 8 of at least the header's size that fits its
 * segment, its parts fit its length, and its checksum, seeded with the segment's own seed, is right. Bytes left from an
 * earlier use of the segment have another seed and never pass.
 */

/** Byte offsets in a record's header. The length word is the commit word: stored last, zero means the end. */
export const recordHeader = {
	length: 0,
	checksum: 4,
	number: 8,
	sequence: 12,
	timeMs: 16,
	kind: 24,
	level: 25,
	flags: 26,
	utcOffsetQuarters: 27,
	definition: 28,
	callSite: 32,
	messageBytes: 36,
	fieldsBytes: 40,
	errorBytes: 44,
} as const;

export const recordHeaderBytes = 48;

export const recordKinds = {
	log: 1,
	/** Message part is a `LoggerDefinition` as JSON; referred to by its byte offset in the segment. */
	loggerDefinition: 2,
	/** Message part is a call site; referred to by its byte offset in the segment. */
	callSite: 3,
	/** Last record of a segment: `definition` is the next segment's place, `callSite` its index. */
	end: 4,
} as const;

/** Parts of a record larger than this are cut, with a mark. Bytes. */
export const maxPartBytes: number = 4 * 1024 * 1024;

/** Nothing that Pylog writes is longer, by far: what claims to be is none, and no reader makes room for it. Bytes. */
export const maxRecordBytes: number = 64 * 1024 * 1024;

/** Room every segment keeps for its end record and the zero word after it. Bytes. */
export const segmentTailBytes: number = recordHeaderBytes + 8;

/** Bytes a record with `payloadBytes` of message, fields and error takes. */
export function recordBytes(payloadBytes: number): number {
	return (recordHeaderBytes + payloadBytes + 7) & ~7;
}

/**
 * Checksum of a record at word `at` with `length` bytes: over the words from `sequence` on, then the number, then the
 * length, so that the number can be mixed in last. Every step is a bijection of state and word: one changed bit always
 * changes the result.
 */
export function recordChecksum(words: Int32Array, at: number, length: number, seed: number): number {
	return finishChecksum(bodyChecksum(words, at, length, seed), words[at + 2] as number, length);
}

/** The part of the checksum that is known before the record has its number. */
export function bodyChecksum(words: Int32Array, at: number, length: number, seed: number): number {
	let hash = seed;
	const end = at + (length >>> 2);
	for (let word = at + 3; word < end; word++) {
		hash = Math.imul(hash ^ (words[word] as number), 0x9e3779b1);
		hash ^= hash >>> 15;
	}
	return hash;
}

export function finishChecksum(body: number, number: number, length: number): number {
	let hash = Math.imul(body ^ number, 0x9e3779b1);
	hash ^= hash >>> 15;
	hash = Math.imul(hash ^ length, 0x85ebca6b);
	return hash ^ (hash >>> 13);
}

/** Whether a valid record of `length` bytes stands at byte `at` of `words`. The length must fit in `words`. */
export function isRecord(words: Int32Array, at: number, length: number, seed: number): boolean {
	const word = at >>> 2;
	return partsFit(words, at, length) && recordChecksum(words, word, length, seed) === words[word + 1];
}

/** Whether the sizes of the parts of a record at byte `at` make up its length. Looks at its header only. */
export function partsFit(words: Int32Array, at: number, length: number): boolean {
	const word = at >>> 2;
	const messageBytes = words[word + recordHeader.messageBytes / 4] as number;
	const fieldsBytes = words[word + recordHeader.fieldsBytes / 4] as number;
	const errorBytes = words[word + recordHeader.errorBytes / 4] as number;
	if ((messageBytes | fieldsBytes | errorBytes) < 0) return false;
	const parts = messageBytes + fieldsBytes + errorBytes;
	return parts <= length && recordBytes(parts) === length;
}

/** Whether a length word can be one: the segment has room for it at byte `at`. */
export function isPlausibleLength(length: number, at: number, segmentBytes: number): boolean {
	if (length < recordHeaderBytes || length > maxRecordBytes) return false;
	return length % 8 === 0 && at + length <= segmentBytes;
}

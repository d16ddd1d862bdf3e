/**
 * Lays a record out behind the last committed one: all of it but number, checksum and length. Until the length is stored,
 * none of it counts.
 */

import type { LaneIndex } from "../shared/lane.ts";
import { localOffsetQuarters } from "../shared/local-offset.ts";
import type { Draft } from "./draft.ts";
import { recordBytes, recordHeader, recordHeaderBytes, recordKinds } from "./record-codec.ts";
import type { Segment } from "./segment.ts";

/** No time zone changes its offset but at a multiple of this. */
const offsetWindowMs = 15 * 60_000;
const offset = { fromMs: 0, untilMs: 0, quarters: 0 };

/**
 * The segment has room for the record, and the definitions it refers to. Returns the checksum of its body, as
 * `bodyChecksum` has it: taken on the way, while each word is at hand.
 */
export function layOut(segment: Segment, lane: LaneIndex, draft: Draft, sequence: number): number {
	const { words, doubles } = segment.mapping;
	const { words: source, fieldsStart, errorStart, end: payloadBytes, definition, callSite } = draft;
	const at = segment.offset;
	const word = at >>> 2;
	const timeMs = draft.timeMs || Date.now();
	if (!(timeMs >= offset.fromMs && timeMs < offset.untilMs)) lookAtOffset(timeMs);
	// Zeros up to a multiple of 8.
	source[payloadBytes >>> 2] = (source[payloadBytes >>> 2] as number) & ((1 << ((payloadBytes & 3) << 3)) - 1);
	source[(payloadBytes >>> 2) + 1] = 0;
	const length = recordBytes(payloadBytes);
	words[(at + length) >>> 2] = 0;
	words[word + 3] = sequence;
	doubles[(at + recordHeader.timeMs) >>> 3] = timeMs;
	words[word + 6] = recordKinds.log | (draft.level << 8) | (draft.flags << 16) | (offset.quarters << 24);
	words[word + 7] = definition.offset[lane];
	words[word + 8] = callSite === undefined ? 0 : callSite.offset[lane];
	words[word + 9] = fieldsStart;
	words[word + 10] = errorStart - fieldsStart;
	words[word + 11] = payloadBytes - errorStart;
	let hash = segment.seed;
	const payload = word + recordHeaderBytes / 4;
	for (let each = word + 3; each < payload; each++) {
		hash = Math.imul(hash ^ (words[each] as number), 0x9e3779b1);
		hash ^= hash >>> 15;
	}
	const payloadWords = (length - recordHeaderBytes) >>> 2;
	for (let each = 0; each < payloadWords; each++) {
		const value = source[each] as number;
		words[payload + each] = value;
		hash = Math.imul(hash ^ value, 0x9e3779b1);
		hash ^= hash >>> 15;
	}
	return hash;
}

function lookAtOffset(timeMs: number): void {
	offset.fromMs = Math.floor(timeMs / offsetWindowMs) * offsetWindowMs;
	offset.untilMs = offset.fromMs + offsetWindowMs;
	offset.quarters = localOffsetQuarters(timeMs);
}

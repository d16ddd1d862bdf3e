/**
 * Records without a number: what others refer to, and the link to the next segment. Nothing waits for them, and a death
 * in the middle leaves them uncommitted as any other.
 */

import { announceStore } from "../platform/step.ts";
import type { LaneIndex } from "../shared/lane.ts";
import type { Definition } from "./definition.ts";
import {
	bodyChecksum,
	finishChecksum,
	recordBytes,
	recordHeader,
	recordHeaderBytes,
	recordKinds,
} from "./record-codec.ts";
import type { Segment } from "./segment.ts";

/** Writes a definition into the segment; there is room. Definitions have no number: nothing waits for them. */
export function define(segment: Segment, lane: LaneIndex, definition: Definition): void {
	const { offset } = segment;
	announceStore("segment.define");
	const textBytes = segment.mapping.bytes.utf8Write(definition.text, offset + recordHeaderBytes);
	commitUnnumbered(segment, definition.kind, textBytes, 0, 0);
	// Last: what is not committed must not be referred to.
	definition.offset[lane] = offset;
	definition.segment[lane] = segment.serial;
}

/** Links a full segment to the one that follows. */
export function writeEnd(segment: Segment, next: Segment): void {
	announceStore("segment.link");
	commitUnnumbered(segment, recordKinds.end, 0, next.place, next.index);
}

function commitUnnumbered(segment: Segment, kind: number, messageBytes: number, first: number, second: number): void {
	const { bytes, words } = segment.mapping;
	const at = segment.offset;
	const word = at >>> 2;
	const length = recordBytes(messageBytes);
	bytes.fill(0, at + recordHeaderBytes + messageBytes, at + length);
	words.fill(0, word + 1, word + recordHeaderBytes / 4);
	words[(at + length) >>> 2] = 0;
	words[(at + recordHeader.kind) >>> 2] = kind;
	words[(at + recordHeader.definition) >>> 2] = first;
	words[(at + recordHeader.callSite) >>> 2] = second;
	words[(at + recordHeader.messageBytes) >>> 2] = messageBytes;
	words[word + 1] = finishChecksum(bodyChecksum(words, word, length, segment.seed), 0, length);
	Atomics.store(words, word, length);
	segment.offset = at + length;
}

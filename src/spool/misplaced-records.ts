/**
 * Copies of records that stand where they do not belong, in their own segment: their checksums are right there, too. What they
 * would leave out follows behind them.
 */

import { recordHeader, recordKinds } from "./record-codec.ts";
import type { SegmentReader } from "./segment-reader.ts";

/** So many records are looked at behind one that leaves out others. */
const maxLookAhead = 64;
/** And so many stretches without a record are passed over in that. */
const maxSearches = 2;

/**
 * Whether a record that leaves out others is a copy: then those, or the record itself, follow behind it. They would be taken
 * for delivered.
 *
 * @param behind Where the record ends.
 * @param last Sequence of the last one that was read.
 * @param sequence That of the record.
 */
export function isMisplacedRecord(segment: SegmentReader, behind: number, last: number, sequence: number): boolean {
	return hasRecordFrom(segment, behind, (follows) => isAfter(follows, last) && !isAfter(follows, sequence));
}

/**
 * Whether an end record is a copy: then records that were not read yet follow behind it. It has nothing behind it but what is
 * left of the segment's former lives, less than the next record took.
 */
export function isMisplacedEnd(segment: SegmentReader, behind: number, last: number): boolean {
	return hasRecordFrom(segment, behind, (follows) => isAfter(follows, last));
}

function hasRecordFrom(segment: SegmentReader, from: number, isMeant: (sequence: number) => boolean): boolean {
	let at = from;
	let searches = 0;
	for (let steps = 0; steps < maxLookAhead; steps++) {
		const isRecord = segment.recordAt(at) !== 0;
		// Behind a copy there is what is left of the record that it lies on.
		if (!isRecord) searches += 1;
		const next = isRecord ? at : searches <= maxSearches ? segment.search(at) : undefined;
		if (next === undefined) return false;
		const header = segment.inChunk(next);
		const isLog = segment.chunk[header + recordHeader.kind] === recordKinds.log;
		if (isLog && isMeant(segment.words[(header + recordHeader.sequence) >>> 2] as number)) return true;
		at = next + segment.lengthAt(next);
	}
	return false;
}

function isAfter(sequence: number, other: number): boolean {
	return ((sequence - other) | 0) > 0;
}

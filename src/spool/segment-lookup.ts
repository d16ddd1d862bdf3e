/**
 * Finding segments without the link that leads to them: by the headers of all segment files in a producer's folder.
 * Needed after damage, and where no checkpoint tells where to begin.
 */

import type { Lane } from "../shared/lane.ts";
import { segmentFiles } from "./numbering.ts";
import { segmentFile } from "./paths.ts";
import { SegmentReader } from "./segment-reader.ts";

export interface FoundSegment {
	readonly place: number;
	readonly index: number;
}

/**
 * The segment of a lane with the lowest index from `lowestIndex` on; `undefined` where there is none.
 *
 * @param nonce The producer's, where it is known: segments of another life of the spool do not count.
 */
export function findSegment(
	directory: string,
	lane: Lane,
	lowestIndex: number,
	nonce: number | undefined,
): FoundSegment | undefined {
	const prefix = segmentFile(directory, lane, 0).slice(0, -"0.seg".length);
	let best: FoundSegment | undefined;
	for (const path of segmentFiles(directory)) {
		const header = path.startsWith(prefix) ? SegmentReader.headerOf(path) : undefined;
		if (header === undefined || header.lane !== lane || header.index < lowestIndex) continue;
		if (nonce !== undefined && header.nonce !== nonce) continue;
		const place = Number(path.slice(prefix.length, -".seg".length));
		if (!Number.isSafeInteger(place)) continue;
		if (best === undefined || header.index < best.index) best = { place, index: header.index };
	}
	return best;
}

/** The nonce of the producer a folder belongs to, from any header that is whole. */
export function findNonce(directory: string): number | undefined {
	for (const path of segmentFiles(directory)) {
		const header = SegmentReader.headerOf(path);
		if (header !== undefined) return header.nonce;
	}
	return undefined;
}

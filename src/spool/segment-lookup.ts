/**
 * Finding segments without the link that leads to them: by the headers of all segment files in a producer's folder.
 * Needed after damage, and where no checkpoint tells where to begin.
 */

import type { Lane } from "../shared/lane.ts";
import { segmentFiles } from "./numbering.ts";
import { producerOf, segmentFile } from "./paths.ts";
import { nonceFor, type SegmentHeader, segmentHeaderBytes } from "./segment-header.ts";
import { SegmentReader } from "./segment-reader.ts";

type KnownSegment = Omit<SegmentHeader, "sizeBytes">;

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
	const producer = producerOf(directory);
	let best: (FoundSegment & { readonly path: string }) | undefined;
	for (const { path, place } of placesOf(directory, lane)) {
		const header = SegmentReader.headerOf(path);
		if (header === undefined || header.lane !== lane || header.index < lowestIndex) continue;
		if (header.producer !== producer || (nonce !== undefined && header.nonce !== nonce)) continue;
		if (best !== undefined && header.index > best.index) continue;
		// One of them is a copy that somebody put there, and may be damaged.
		const isBetter = best?.index !== header.index || endOfRecords(path, header) > endOfRecords(best.path, header);
		if (isBetter) best = { place, index: header.index, path };
	}
	return best;
}

/** Where the records of a segment end, or the first damage begins. */
function endOfRecords(path: string, header: SegmentHeader): number {
	const segment = SegmentReader.open(path, header);
	if (segment === undefined) return 0;
	try {
		let at = segmentHeaderBytes;
		for (let length = 0; (length = segment.recordAt(at)) !== 0; ) at += length;
		return at;
	} finally {
		segment.close();
	}
}

/**
 * The lowest segment from `identity.index` up to `lastIndex` whose header is damaged: its records tell, since their
 * checksums hold for this segment only.
 */
export function findByRecords(directory: string, identity: KnownSegment, lastIndex: number): FoundSegment | undefined {
	const damaged = [...placesOf(directory, identity.lane)].filter(
		// One that was made ahead and never begun is blank.
		({ path }) => SegmentReader.headerOf(path) === undefined && !SegmentReader.isBlank(path),
	);
	for (let { index } = identity; index <= lastIndex; index++) {
		const found = damaged.find(({ path }) => hasRecords(path, { ...identity, index }));
		if (found !== undefined) return { place: found.place, index };
	}
	return undefined;
}

function hasRecords(path: string, identity: KnownSegment): boolean {
	const segment = SegmentReader.openDamaged(path, identity);
	if (segment === undefined) return false;
	try {
		return segment.recordAt(segmentHeaderBytes) !== 0 || segment.search(segmentHeaderBytes) !== undefined;
	} finally {
		segment.close();
	}
}

/** The files that could be segments of a lane, by their names. */
function* placesOf(directory: string, lane: Lane): Generator<{ readonly path: string; readonly place: number }> {
	const prefix = segmentFile(directory, lane, 0).slice(0, -"0.seg".length);
	for (const path of segmentFiles(directory)) {
		const place = path.startsWith(prefix) ? Number(path.slice(prefix.length, -".seg".length)) : Number.NaN;
		if (Number.isSafeInteger(place)) yield { path, place };
	}
}

/** The nonce of a lane of the producer a folder belongs to, from any header that is whole and its own. */
export function findNonce(directory: string, lane: Lane): number | undefined {
	const producer = producerOf(directory);
	let others: number | undefined;
	for (const path of segmentFiles(directory)) {
		const header = SegmentReader.headerOf(path);
		if (header?.producer !== producer) continue;
		if (header.lane === lane) return header.nonce;
		others = nonceFor(lane, header);
	}
	return others;
}

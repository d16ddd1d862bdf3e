/**
 * Looks through all segments of one lane of one producer, in their order, and tells what is wrong.
 *
 * Which segments must be there: from the one that the checkpoint stands in (or the first) to the newest. Those before
 * it are delivered, and may have been given back or used again at any moment.
 */

import { closeSync, readSync } from "node:fs";
import { basename, join } from "node:path";
import { type Lane, laneIndex } from "../shared/lane.ts";
import type { ChainPosition, Checkpoint } from "./checkpoint.ts";
import { segmentFiles } from "./numbering.ts";
import { openRegularFile } from "./regular-file.ts";
import { checkSegment, type LastRecord } from "./segment-check.ts";
import { decodeSegmentHeader, type SegmentHeader, segmentHeaderBytes } from "./segment-header.ts";
import type { SpoolProblem } from "./spool-problem.ts";

export interface LaneToCheck {
	readonly directory: string;
	readonly producer: number;
	readonly lane: Lane;
	/** Records the producer's slot counted before the look; `undefined` for a producer without a slot. */
	readonly appended: number | undefined;
	/** Reads the checkpoint as it is at that moment. */
	readonly checkpoint: () => Checkpoint | undefined;
}

export interface LaneFindings {
	readonly segments: number;
	/** Valid log records, delivered ones that are still there included. */
	readonly records: number;
	readonly problems: readonly SpoolProblem[];
	/** Low 32 bits of the last record's number. */
	readonly lastNumber: number | undefined;
}

interface FoundSegment {
	readonly path: string;
	readonly place: number;
	readonly sizeBytes: number;
	readonly header: SegmentHeader;
}

const nothingKnown: LastRecord = { sequence: undefined, number: undefined };

export function checkLane(lane: LaneToCheck): LaneFindings {
	const problems: SpoolProblem[] = [];
	const found = findSegments(lane, problems);
	// Read after the headers: what it calls delivered may have been used again since, what it does not has not.
	const state = lane
		.checkpoint()
		?.chains.find((chain) => chain.producer === lane.producer && chain.lane === laneIndex[lane.lane]);
	const nonce = state?.nonce ?? found[0]?.header.nonce;
	const segments = found.filter((segment) => belongsHere(segment, lane, nonce, problems));
	// A segment whose header can't be read is told of already, and may be the one that is missing.
	if (problems.length === 0) tellMissing(lane, segments, state?.from, problems);
	const { records, last } = walk(lane, segments, state?.from, problems);
	if (problems.length === 0) tellLostTail(lane, segments, last, problems);
	return { segments: found.length, records, problems, lastNumber: last.number };
}

function walk(
	lane: LaneToCheck,
	segments: readonly FoundSegment[],
	delivered: ChainPosition | undefined,
	problems: SpoolProblem[],
): { records: number; last: LastRecord } {
	let records = 0;
	let last: LastRecord = nothingKnown;
	let lastIndex = 0;
	for (const { path, header } of segments) {
		const isFirst = header.index === 1;
		const before = isFirst ? { sequence: 0, number: undefined } : header.index === lastIndex + 1 ? last : nothingKnown;
		lastIndex = header.index;
		const findings = checkSegment(path, header, before, delivered);
		last = findings?.last ?? nothingKnown;
		records += findings?.records ?? 0;
		problems.push(...(findings?.problems ?? []));
		const link = findings?.link;
		if (link === undefined) continue;
		const next = segments.find((segment) => segment.header.index === link.index);
		if (link.index === header.index + 1) {
			// Others are told of already.
			const isLast = header === segments.at(-1)?.header;
			if (next === undefined && isLast && isGone(lane, link, delivered))
				problems.push(missingSegment(lane, link.index));
			if (next === undefined || next.place === link.place) continue;
		}
		problems.push({
			kind: "link",
			path,
			offset: undefined,
			what: `its end record leads to segment ${link.index} at place ${link.place}, which is not the one that follows`,
			meaning: "The logman finds the next segment only once the producer has ended; its lines come late.",
			remedy: "End the process that logs there.",
		});
	}
	return { records, last };
}

/** Whether a segment that another leads to should be there and is not: one is whole before anything leads to it. */
function isGone(
	{ directory, lane }: LaneToCheck,
	link: { readonly index: number; readonly place: number },
	delivered: ChainPosition | undefined,
): boolean {
	if (link.index < (delivered?.index ?? 1)) return false;
	// It may have come since the others were looked for, and its place may have been used again.
	const look = lookAt(join(directory, `${lane}-${link.place}.seg`));
	return look.kind === "unused" || (look.kind === "segment" && look.header.index < link.index);
}

/** The segments of a lane by rising index, and what can't be one. Files made ready for later use are left out. */
function findSegments({ directory, lane }: LaneToCheck, problems: SpoolProblem[]): FoundSegment[] {
	const found: FoundSegment[] = [];
	for (const path of segmentFiles(directory)) {
		const place = new RegExp(`^${lane}-(\\d+)\\.seg$`).exec(basename(path))?.[1];
		if (place === undefined) continue;
		const look = lookAt(path);
		if (look.kind === "segment") found.push({ path, place: Number(place), ...look });
		if (look.kind !== "bad") continue;
		problems.push({
			kind: "segment",
			path,
			offset: 0,
			what: look.what,
			meaning:
				"The records in it are lost: the logman passes over it once the producer has ended, and holds back what follows until then.",
			remedy: "Keep a copy of the file, end the process that logs there, and look after the disk.",
		});
	}
	return found.sort((one, other) => one.header.index - other.header.index);
}

type SegmentLook =
	| { readonly kind: "segment"; readonly header: SegmentHeader; readonly sizeBytes: number }
	| { readonly kind: "bad"; readonly what: string }
	/** Removed meanwhile, or made ready and not used yet. */
	| { readonly kind: "unused" };

function lookAt(path: string): SegmentLook {
	const look = openRegularFile(path);
	if (look.kind === "missing") return { kind: "unused" };
	if (look.kind === "other") return { kind: "bad", what: look.what };
	try {
		const bytes = Buffer.alloc(segmentHeaderBytes);
		readSync(look.fd, bytes, 0, bytes.length, 0);
		if (bytes.every((byte) => byte === 0)) return { kind: "unused" };
		const header = decodeSegmentHeader(bytes);
		if (header === undefined) return { kind: "bad", what: "its header is no valid one" };
		return { kind: "segment", header, sizeBytes: look.sizeBytes };
	} finally {
		closeSync(look.fd);
	}
}

/** Whether a segment is the lane's own, and tells where it is not, or is not whole. */
function belongsHere(
	{ path, header, sizeBytes }: FoundSegment,
	lane: LaneToCheck,
	nonce: number | undefined,
	problems: SpoolProblem[],
): boolean {
	const isOwn = header.producer === lane.producer && header.lane === lane.lane && header.nonce === nonce;
	if (!isOwn) {
		problems.push({
			kind: "segment",
			path,
			offset: 0,
			what: `its header says it is of the ${header.lane} lane of another producer (${header.producer}), or of another life of the spool`,
			meaning: "The logman does not read it: its records are not written.",
			remedy: `If it was copied here, put it back where it was: ${join("producers", String(header.producer))}.`,
		});
	} else if (sizeBytes < header.sizeBytes) {
		problems.push({
			kind: "truncated",
			path,
			offset: sizeBytes,
			what: `the file has ${sizeBytes} bytes, its header says ${header.sizeBytes}`,
			meaning:
				"What stood behind is lost. A process that has it mapped is ended by SIGBUS when it touches what is gone.",
			remedy: "End the process that logs there. Never truncate files of the cache directory.",
		});
	}
	return isOwn;
}

function tellMissing(
	lane: LaneToCheck,
	segments: readonly FoundSegment[],
	delivered: ChainPosition | undefined,
	problems: SpoolProblem[],
): void {
	const newest = segments.at(-1)?.header.index ?? 0;
	const first = delivered?.index ?? 1;
	const present = new Set(segments.map(({ header }) => header.index));
	for (let index = first; index <= Math.max(newest, delivered?.index ?? 0); index++) {
		if (present.has(index)) continue;
		problems.push(missingSegment(lane, index));
	}
}

function missingSegment({ directory, lane }: LaneToCheck, index: number): SpoolProblem {
	return {
		kind: "missing",
		path: directory,
		offset: undefined,
		what: `segment ${index} of the ${lane} lane is not there`,
		meaning:
			"Its records are lost: the logman passes over it once the producer has ended, and holds back what follows until then.",
		remedy: "Restore the file if there is a copy, else end the process that logs there.",
	};
}

/** Records that the producer counted and that no segment holds, where nothing else explains it. */
function tellLostTail(
	{ directory, lane, appended }: LaneToCheck,
	segments: readonly FoundSegment[],
	last: LastRecord,
	problems: SpoolProblem[],
): void {
	if (appended === undefined || (segments.length > 0 && last.sequence === undefined)) return;
	const missing = (appended - (last.sequence ?? 0)) | 0;
	if (missing <= 0) return;
	problems.push({
		kind: "gap",
		path: segments.at(-1)?.path ?? directory,
		offset: undefined,
		what: `the ${lane} lane ends before the last record its producer has appended`,
		meaning: `The producer has counted ${appended} records, the segments end with ${(last.sequence ?? 0) >>> 0}: ${missing} are lost.`,
		remedy: "Look for another program that writes in the cache directory, and after the disk.",
	});
}

/**
 * What a spool left by an older run says about numbers: needed when the control file is made anew, after a reboot or
 * because it was lost, so that numbering goes on above all seen.
 */

import { lstatSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { isLocked } from "../platform/file-lock.ts";
import { systemCode } from "../shared/errors.ts";
import { liftQueueNumber, type QueueNumber } from "../shared/numbers.ts";
import { readCheckpoint } from "./checkpoint.ts";
import { aliveFile, producerDirectory, type SpoolPaths } from "./paths.ts";
import { recordHeader, recordKinds } from "./record-codec.ts";
import { segmentHeaderBytes } from "./segment-header.ts";
import { SegmentReader } from "./segment-reader.ts";

export interface HighestNumbers {
	/** Highest queue number in any record or checkpoint; 0 for an empty spool. */
	readonly queue: number;
	/** Whether a checkpoint says so: records have 32 bits of their number only. */
	readonly hasCheckpoint: boolean;
	/** Highest producer number. */
	readonly producer: number;
	/** KiB of disk that segment files take. */
	readonly reservedKib: number;
}

/** Reads every segment once: slow with a large backlog, and needed only when the control file is made anew. */
export function highestNumbers(paths: SpoolPaths): HighestNumbers {
	const checkpoint = readCheckpoint(paths.checkpoint);
	let queue = (checkpoint?.horizon ?? 0) as QueueNumber;
	let producer = checkpoint?.chains.reduce((highest, chain) => Math.max(highest, chain.producer), 0) ?? 0;
	for (const number of producerNumbers(paths)) {
		producer = Math.max(producer, number);
		for (const path of segmentFiles(producerDirectory(paths, number))) {
			const stats = lstatSync(path, { throwIfNoEntry: false });
			if (stats?.isFile() !== true) continue;
			queue = highestInSegment(path, queue);
		}
	}
	return { queue, hasCheckpoint: checkpoint !== undefined, producer, reservedKib: segmentKib(paths) };
}

/** KiB of all segment files. */
export function segmentKib(paths: SpoolPaths): number {
	let kib = 0;
	for (const number of producerNumbers(paths)) {
		for (const path of segmentFiles(producerDirectory(paths, number))) {
			const stats = lstatSync(path, { throwIfNoEntry: false });
			if (stats?.isFile() === true) kib += Math.ceil(stats.size / 1024);
		}
	}
	return kib;
}

/** Numbers of all producers that have a folder, in rising order. A link to one is none. */
export function producerNumbers(paths: SpoolPaths): readonly number[] {
	return readdirSync(paths.producers, { withFileTypes: true })
		.filter((entry) => !entry.isSymbolicLink())
		.map(({ name }) => name)
		.filter((name) => /^[1-9]\d{0,9}$/.test(name) && Number(name) < 2 ** 32)
		.map(Number)
		.sort((a, b) => a - b);
}

/** Numbers of the producers that live: those whose lock is held. */
export function livingProducers(paths: SpoolPaths): readonly number[] {
	return producerNumbers(paths).filter((number) => isLocked(aliveFile(producerDirectory(paths, number))));
}

/** Paths of a producer's segment files. */
export function segmentFiles(directory: string): readonly string[] {
	try {
		return readdirSync(directory)
			.filter((name) => name.endsWith(".seg"))
			.map((name) => join(directory, name));
	} catch (error) {
		// Anything else, such as too many open files, must not pass for a folder without segments.
		if (systemCode(error) === "ENOENT" || systemCode(error) === "ENOTDIR") return [];
		throw error;
	}
}

/** What search for records behind damage may cost is bounded, so hostile lengths cost a moment at most. */
function highestInSegment(path: string, reference: QueueNumber): QueueNumber {
	const segment = SegmentReader.openAny(path);
	if (segment === undefined) return reference;
	try {
		let highest = reference;
		for (let at: number | undefined = segmentHeaderBytes; at !== undefined; ) {
			const length = segment.recordAt(at);
			if (length === 0) {
				at = segment.search(at);
				continue;
			}
			const header = segment.inChunk(at);
			if (segment.chunk[header + recordHeader.kind] === recordKinds.log) {
				const number = liftQueueNumber(segment.words[(header + recordHeader.number) >>> 2] as number, highest);
				if (number > highest) highest = number;
			}
			at += length;
		}
		return highest;
	} finally {
		segment.close();
	}
}

/**
 * What a spool left by an older run says about numbers: needed when the control file is made anew, after a reboot or
 * because it was lost, so that numbering goes on above all seen.
 */

import { lstatSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { isLocked } from "../platform/file-lock.ts";
import { systemCode } from "../shared/errors.ts";
import { liftQueueNumber, type QueueNumber } from "../shared/numbers.ts";
import { readCheckpoint } from "./checkpoint.ts";
import { aliveFile, producerDirectory, type SpoolPaths } from "./paths.ts";
import { isPlausibleLength, isRecord, partsFit, recordHeader, recordHeaderBytes, recordKinds } from "./record-codec.ts";
import { decodeSegmentHeader, segmentHeaderBytes, segmentSeed } from "./segment-header.ts";

export interface HighestNumbers {
	/** Highest queue number in any record or checkpoint; 0 for an empty spool. */
	readonly queue: number;
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
	return { queue, producer, reservedKib: segmentKib(paths) };
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

function highestInSegment(path: string, reference: QueueNumber): QueueNumber {
	const bytes = readWhole(path);
	const header = bytes === undefined ? undefined : decodeSegmentHeader(bytes);
	if (bytes === undefined || header === undefined) return reference;
	const seed = segmentSeed(header.nonce, header.index);
	const words = new Int32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + (bytes.length & ~7)));
	// Hostile lengths must not cost hours: each byte is in one record, and perhaps in what is left of an older one.
	let mayCostBytes = bytes.length * 4;
	let highest = reference;
	let at = segmentHeaderBytes;
	while (at + recordHeaderBytes <= bytes.length && mayCostBytes > 0) {
		const length = words[at >>> 2] as number;
		if (!isPlausibleLength(length, at, words.byteLength) || !partsFit(words, at, length)) {
			at += 8;
			continue;
		}
		mayCostBytes -= length;
		if (!isRecord(words, at, length, seed)) {
			at += 8;
			continue;
		}
		if (bytes[at + recordHeader.kind] === recordKinds.log) {
			const number = liftQueueNumber(words[(at + recordHeader.number) >>> 2] as number, highest);
			if (number > highest) highest = number;
		}
		at += length;
	}
	return highest;
}

function readWhole(path: string): Buffer | undefined {
	try {
		return readFileSync(path);
	} catch (error) {
		if (["ENOENT", "EACCES", "EPERM"].includes(systemCode(error) ?? "")) return undefined;
		throw error;
	}
}

/**
 * The first 64 bytes of a segment file: whose it is, where it stands in its lane, and the seed of its checksums.
 *
 * Written by the producer while no committed record refers to the segment; a reader reaches it only through the end
 * record of the segment before it, or by its index 1.
 */

import { type Lane, laneIndex, lanes } from "../shared/lane.ts";
import { spoolVersion } from "./control-layout.ts";

export const segmentMagic = "PYLOGSEG";
export const segmentHeaderBytes = 64;

/** Byte offsets in the header. */
export const segmentHeader = {
	magic: 0,
	version: 8,
	producer: 12,
	nonce: 16,
	lane: 20,
	index: 24,
	sizeBytes: 28,
	checksum: 32,
} as const;

export interface SegmentHeader {
	readonly producer: number;
	/** What {@link laneNonce} gives: tells apart lanes, and producers that got the same number in different lives of a spool. */
	readonly nonce: number;
	readonly lane: Lane;
	/** 1, 2, 3 … within its lane. */
	readonly index: number;
	readonly sizeBytes: number;
}

export function encodeSegmentHeader(header: SegmentHeader): Buffer {
	const bytes = Buffer.alloc(segmentHeaderBytes);
	bytes.write(segmentMagic, segmentHeader.magic, "latin1");
	bytes.writeUInt32LE(spoolVersion, segmentHeader.version);
	bytes.writeUInt32LE(header.producer, segmentHeader.producer);
	bytes.writeUInt32LE(header.nonce, segmentHeader.nonce);
	bytes.writeUInt32LE(laneIndex[header.lane], segmentHeader.lane);
	bytes.writeUInt32LE(header.index, segmentHeader.index);
	bytes.writeUInt32LE(header.sizeBytes, segmentHeader.sizeBytes);
	bytes.writeInt32LE(headerChecksum(bytes), segmentHeader.checksum);
	return bytes;
}

/** The header in `bytes`, or `undefined` where there is no valid one. */
export function decodeSegmentHeader(bytes: Buffer): SegmentHeader | undefined {
	if (bytes.length < segmentHeaderBytes || bytes.toString("latin1", 0, 8) !== segmentMagic) return undefined;
	if (bytes.readUInt32LE(segmentHeader.version) !== spoolVersion) return undefined;
	if (bytes.readInt32LE(segmentHeader.checksum) !== headerChecksum(bytes)) return undefined;
	const lane = lanes[bytes.readUInt32LE(segmentHeader.lane)];
	if (lane === undefined) return undefined;
	return {
		producer: bytes.readUInt32LE(segmentHeader.producer),
		nonce: bytes.readUInt32LE(segmentHeader.nonce),
		lane,
		index: bytes.readUInt32LE(segmentHeader.index),
		sizeBytes: bytes.readUInt32LE(segmentHeader.sizeBytes),
	};
}

/**
 * The nonce of a lane, from the random one of its producer, or the other way round. Lanes differ in it, so that no record of
 * one is valid in the other.
 */
export function laneNonce(nonce: number, lane: Lane): number {
	return (nonce ^ (laneIndex[lane] * 0x5bd1e995)) >>> 0;
}

/** The nonce that a lane has, from a header of any lane of the same producer. */
export function nonceFor(lane: Lane, header: SegmentHeader): number {
	return laneNonce(laneNonce(header.nonce, header.lane), lane);
}

/** Seed of the checksums of a segment's records. */
export function segmentSeed(nonce: number, index: number): number {
	return Math.imul(nonce ^ Math.imul(index, 0x9e3779b1), 0x85ebca6b);
}

function headerChecksum(bytes: Buffer): number {
	let hash = 0x811c9dc5 | 0;
	for (let at = segmentHeader.version; at < segmentHeader.checksum; at += 4) {
		hash = Math.imul(hash ^ bytes.readInt32LE(at), 0x01000193);
		hash ^= hash >>> 15;
	}
	return hash;
}

/**
 * A slot of the checkpoint file: what it holds, and how that becomes bytes and is read back. Valid if and only if its magic,
 * its own place and its checksum are right.
 */

import { fstatSync, readSync } from "node:fs";
import { crc32 } from "node:zlib";
import {
	chainPosition,
	chainState,
	chainStateWords,
	checkpointHeader,
	checkpointHeaderBytes,
	checkpointMagic,
	firstSlotBytes,
} from "./checkpoint-layout.ts";

/** Where in a lane's chain a record ends. */
export interface ChainPosition {
	/** Place of the segment's file in the lane's ring. */
	readonly place: number;
	/** Index of the segment in its lane. */
	readonly index: number;
	/** Byte offset in the segment. */
	readonly offset: number;
	/** Sequence of the last record before it. */
	readonly sequence: number;
}

export interface ChainState {
	readonly producer: number;
	readonly nonce: number;
	/** 0 priority, 1 normal. */
	readonly lane: number;
	readonly from: ChainPosition;
	readonly to: ChainPosition;
}

/** What a file was before a batch went to it. */
export interface OutputState {
	/** Path the lines are meant for. */
	readonly path: string;
	/** File they go to: `path`, or the parked file that stands in for it. */
	readonly target: string;
	readonly device: number;
	readonly inode: number;
	readonly sizeBytes: number;
	/** CRC-32 of the last bytes before `sizeBytes`: is it still the same file? */
	readonly tail: number;
	/** Bytes of this batch that went elsewhere before `target` was chosen. */
	readonly skippedBytes: number;
	/** When that was, as `Date.now()` tells; not there in checkpoints of earlier versions. */
	readonly atMs?: number;
	/** What precedes the batch's lines: the end of somebody else's line, or a line that tells of dropped ones. */
	readonly lead?: string;
	/** For lines that come back from a parked file: the range of it. */
	readonly parked?: { readonly from: number; readonly to: number };
}

/** A file that lines went to; inode and device are 0 where they are not known. */
export interface UnsyncedFile {
	readonly path: string;
	readonly device: number;
	readonly inode: number;
}

/** Records that were dropped because `parked/` had no room. */
export interface ParkedDrops {
	readonly count: number;
	/** The line that is to stand where they are missing. */
	readonly notice: string;
}

export interface Checkpoint {
	/** Every queue number below it was seen. */
	readonly horizon: number;
	/** Highest number delivered, by lane: a lower one that comes later is marked late. */
	readonly delivered: readonly [number, number];
	readonly chains: readonly ChainState[];
	/** Outputs of the batch being delivered; empty when there is none. */
	readonly outputs: readonly OutputState[];
	/** Bytes already brought back, by path of a parked output. */
	readonly parked: Readonly<Record<string, number>>;
	/** Files with bytes that are not known to be on disk. */
	readonly unsynced: readonly UnsyncedFile[];
	/** What was dropped of parked outputs and is not told of yet, by path. */
	readonly dropped?: Readonly<Record<string, ParkedDrops>>;
}

/** A valid slot. */
export interface Slot {
	readonly generation: number;
	readonly slotBytes: number;
	readonly checkpoint: Checkpoint;
}

/** The bytes of a slot. */
export function encodeSlot(checkpoint: Checkpoint, generation: number, slotBytes: number): Buffer {
	const { horizon, delivered, chains, outputs, parked, unsynced, dropped } = checkpoint;
	const json = Buffer.from(JSON.stringify({ outputs, parked, unsynced, dropped }));
	const chainBytes = chains.length * chainStateWords * 4;
	const bytes = Buffer.alloc(checkpointHeaderBytes + chainBytes + json.length);
	bytes.writeUInt32LE(checkpointMagic, checkpointHeader.magic);
	bytes.writeUInt32LE(slotBytes, checkpointHeader.slotBytes);
	bytes.writeDoubleLE(generation, checkpointHeader.generation);
	bytes.writeDoubleLE(horizon, checkpointHeader.horizon);
	bytes.writeDoubleLE(delivered[0], checkpointHeader.deliveredPriority);
	bytes.writeDoubleLE(delivered[1], checkpointHeader.deliveredNormal);
	bytes.writeUInt32LE(chains.length, checkpointHeader.chainCount);
	bytes.writeUInt32LE(json.length, checkpointHeader.jsonBytes);
	const words = new Uint32Array(bytes.buffer, bytes.byteOffset + checkpointHeaderBytes, chainBytes / 4);
	chains.forEach((chain, index) => encodeChain(chain, words, index * chainStateWords));
	json.copy(bytes, checkpointHeaderBytes + chainBytes);
	bytes.writeUInt32LE(crc32(bytes), checkpointHeader.crc);
	return bytes;
}

function encodeChain(chain: ChainState, words: Uint32Array, at: number): void {
	words[at + chainState.producer] = chain.producer;
	words[at + chainState.nonce] = chain.nonce;
	words[at + chainState.lane] = chain.lane;
	encodePosition(chain.from, words, at + chainState.from);
	encodePosition(chain.to, words, at + chainState.to);
}

function encodePosition(position: ChainPosition, words: Uint32Array, at: number): void {
	words[at + chainPosition.place] = position.place;
	words[at + chainPosition.index] = position.index;
	words[at + chainPosition.offset] = position.offset;
	words[at + chainPosition.sequence] = position.sequence;
}

/** The newest valid slot of a file. */
export function readNewest(fd: number): Slot | undefined {
	const first = readSlot(fd, 0);
	const sizeBytes = fstatSync(fd).size;
	// Slot sizes are powers of two: where the first slot is torn, the second tells its own size.
	const candidates = first === undefined ? [] : [first, readSlot(fd, first.slotBytes)];
	if (first === undefined) {
		for (let slotBytes = firstSlotBytes; slotBytes * 2 <= sizeBytes; slotBytes *= 2)
			candidates.push(readSlot(fd, slotBytes));
	}
	return candidates.reduce((best, slot) => {
		if (slot === undefined) return best;
		return best === undefined || slot.generation > best.generation ? slot : best;
	}, undefined);
}

/** The slot at a place of a file; `undefined` when it is not valid. */
export function readSlot(fd: number, at: number): Slot | undefined {
	const header = readExactly(fd, at, checkpointHeaderBytes);
	if (header === undefined || header.readUInt32LE(checkpointHeader.magic) !== checkpointMagic) return undefined;
	const slotBytes = header.readUInt32LE(checkpointHeader.slotBytes);
	const chainBytes = header.readUInt32LE(checkpointHeader.chainCount) * chainStateWords * 4;
	const totalBytes = checkpointHeaderBytes + chainBytes + header.readUInt32LE(checkpointHeader.jsonBytes);
	if (totalBytes > slotBytes || (at !== 0 && at !== slotBytes)) return undefined;
	const bytes = readExactly(fd, at, totalBytes);
	if (bytes === undefined) return undefined;
	const crc = bytes.readUInt32LE(checkpointHeader.crc);
	bytes.writeUInt32LE(0, checkpointHeader.crc);
	if (crc32(bytes) !== crc) return undefined;
	const generation = bytes.readDoubleLE(checkpointHeader.generation);
	return { generation, slotBytes, checkpoint: decode(bytes, chainBytes) };
}

/** What stands in a slot as JSON. A path alone is what earlier versions had of a file that is not synced. */
type Texts = Pick<Checkpoint, "outputs" | "parked" | "dropped"> & {
	readonly unsynced: readonly (UnsyncedFile | string)[];
};

function decode(bytes: Buffer, chainBytes: number): Checkpoint {
	const words = new Uint32Array(bytes.buffer, bytes.byteOffset + checkpointHeaderBytes, chainBytes / 4);
	const chains: ChainState[] = [];
	for (let at = 0; at < words.length; at += chainStateWords) {
		chains.push({
			producer: words[at + chainState.producer] as number,
			nonce: words[at + chainState.nonce] as number,
			lane: words[at + chainState.lane] as number,
			from: decodePosition(words, at + chainState.from),
			to: decodePosition(words, at + chainState.to),
		});
	}
	const json = JSON.parse(bytes.toString("utf8", checkpointHeaderBytes + chainBytes)) as Texts;
	return {
		horizon: bytes.readDoubleLE(checkpointHeader.horizon),
		delivered: [
			bytes.readDoubleLE(checkpointHeader.deliveredPriority),
			bytes.readDoubleLE(checkpointHeader.deliveredNormal),
		],
		chains,
		outputs: json.outputs,
		parked: json.parked,
		unsynced: json.unsynced.map((file) => (typeof file === "string" ? { path: file, device: 0, inode: 0 } : file)),
		...(json.dropped === undefined ? {} : { dropped: json.dropped }),
	};
}

function decodePosition(words: Uint32Array, at: number): ChainPosition {
	return {
		place: words[at + chainPosition.place] as number,
		index: words[at + chainPosition.index] as number,
		offset: words[at + chainPosition.offset] as number,
		sequence: words[at + chainPosition.sequence] as number,
	};
}

/** The bytes at a place of the file, in memory of their own (aligned for views); `undefined` when it ends before. */
export function readExactly(fd: number, at: number, length: number): Buffer | undefined {
	// Asked first: a damaged header may name any length.
	if (at + length > fstatSync(fd).size) return undefined;
	const bytes = Buffer.from(new ArrayBuffer(length));
	return readSync(fd, bytes, 0, length, at) === length ? bytes : undefined;
}

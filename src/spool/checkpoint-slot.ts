/**
 * A slot of the checkpoint file: how what it holds becomes bytes, and is read back. Valid if and only if its magic, its own
 * place, its checksum and the shape of what it holds are right: a checksum is no proof that Pylog wrote it.
 *
 * Invariant: nothing is allocated by a length that a damaged header names.
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
	maxSlotBytes,
} from "./checkpoint-layout.ts";
import { decodeDelivery } from "./checkpoint-json.ts";
import type { ChainPosition, ChainState, Checkpoint } from "./checkpoint-state.ts";

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
		for (let slotBytes = firstSlotBytes; slotBytes < Math.min(sizeBytes, maxSlotBytes + 1); slotBytes *= 2)
			candidates.push(readSlot(fd, slotBytes));
	}
	return candidates.reduce((best, slot) => {
		if (slot === undefined) return best;
		return best === undefined || slot.generation > best.generation ? slot : best;
	}, undefined);
}

/** The slot at a place of a file; `undefined` when it is not valid. */
export function readSlot(fd: number, at: number): Slot | undefined {
	const header = readSlotHeader(fd, at);
	if (header === undefined || !isSound(header, at)) return undefined;
	const { totalBytes, chainBytes, slotBytes, generation } = header;
	if (totalBytes > checkedFirstBytes && !hasRightSum(fd, at, totalBytes)) return undefined;
	const bytes = readExactly(fd, at, totalBytes);
	if (bytes === undefined) return undefined;
	const crc = bytes.readUInt32LE(checkpointHeader.crc);
	bytes.writeUInt32LE(0, checkpointHeader.crc);
	if (crc32(bytes) !== crc) return undefined;
	const checkpoint = decode(bytes, chainBytes);
	return checkpoint === undefined ? undefined : { generation, slotBytes, checkpoint };
}

/** What the header of a slot says, right or wrong. */
export interface SlotHeader {
	readonly slotBytes: number;
	readonly generation: number;
	readonly chainBytes: number;
	/** Of header, chains and JSON. */
	readonly totalBytes: number;
}

/** The header at a place of a file; `undefined` where there is no magic. */
export function readSlotHeader(fd: number, at: number): SlotHeader | undefined {
	const header = readExactly(fd, at, checkpointHeaderBytes);
	if (header === undefined || header.readUInt32LE(checkpointHeader.magic) !== checkpointMagic) return undefined;
	const chainBytes = header.readUInt32LE(checkpointHeader.chainCount) * chainStateWords * 4;
	return {
		slotBytes: header.readUInt32LE(checkpointHeader.slotBytes),
		generation: header.readDoubleLE(checkpointHeader.generation),
		chainBytes,
		totalBytes: checkpointHeaderBytes + chainBytes + header.readUInt32LE(checkpointHeader.jsonBytes),
	};
}

function isSound({ slotBytes, generation, totalBytes }: SlotHeader, at: number): boolean {
	if (slotBytes < firstSlotBytes || slotBytes > maxSlotBytes || (slotBytes & (slotBytes - 1)) !== 0) return false;
	if (totalBytes > slotBytes || (at !== 0 && at !== slotBytes)) return false;
	return Number.isSafeInteger(generation) && generation > 0;
}

/** From this size on the checksum is looked at in small pieces, before there is memory for the whole. */
const checkedFirstBytes = 1024 * 1024;

function hasRightSum(fd: number, at: number, totalBytes: number): boolean {
	const chunk = Buffer.alloc(64 * 1024);
	let crc = 0;
	let sum = 0;
	for (let done = 0; done < totalBytes; ) {
		const read = readSync(fd, chunk, 0, Math.min(chunk.length, totalBytes - done), at + done);
		if (read === 0 || (done === 0 && read < checkpointHeaderBytes)) return false;
		if (done === 0) {
			crc = chunk.readUInt32LE(checkpointHeader.crc);
			chunk.writeUInt32LE(0, checkpointHeader.crc);
		}
		sum = crc32(chunk.subarray(0, read), sum);
		done += read;
	}
	return sum === crc;
}

/** What stands in a slot whose checksum is right; `undefined` where it is nothing that Pylog writes. */
function decode(bytes: Buffer, chainBytes: number): Checkpoint | undefined {
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
	const horizon = bytes.readDoubleLE(checkpointHeader.horizon);
	const delivered = [
		bytes.readDoubleLE(checkpointHeader.deliveredPriority),
		bytes.readDoubleLE(checkpointHeader.deliveredNormal),
	] as const;
	const delivery = decodeDelivery(bytes, checkpointHeaderBytes + chainBytes);
	const areNumbers = [horizon, ...delivered].every((number) => Number.isSafeInteger(number) && number >= 0);
	if (delivery === undefined || !areNumbers || chains.some(({ lane }) => lane > 1)) return undefined;
	return { horizon, delivered, chains, ...delivery };
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

/**
 * The checkpoint: how far the reader of the spool has got, and the batch it is about to deliver.
 *
 * Two slots are written in turn, each with a generation and a checksum; the newest valid one counts, so a write torn by
 * a kill costs nothing but itself. A slot holds, per lane of each producer, where the last delivered record ended
 * (`from`) and where the batch being delivered ends (`to`), and per output of that batch what the file was before it.
 * The next slot, whose `from` is the former `to`, is what says that the batch is done. So the same batch, to the byte,
 * can be made again after a death at any moment.
 *
 *     0                  slotBytes            2 × slotBytes
 *     header chains JSON | header chains JSON |
 *
 * `slotBytes` is in the header; a state that does not fit makes a new file with larger slots, renamed into place.
 */

import { closeSync, fdatasyncSync, fstatSync, openSync, readSync, renameSync, rmSync, writeSync } from "node:fs";
import { crc32 } from "node:zlib";
import { openOwnedFile } from "../platform/owned-files.ts";
import { reserve } from "../platform/reserve.ts";
import { PylogError, systemCode } from "../shared/errors.ts";
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
	/** For lines that come back from a parked file: the range of it. */
	readonly parked?: { readonly from: number; readonly to: number };
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
	readonly unsynced: readonly string[];
}

interface Slot {
	readonly generation: number;
	readonly slotBytes: number;
	readonly checkpoint: Checkpoint;
}

/** The newest valid checkpoint of a file; `undefined` where there is none. Reads only. */
export function readCheckpoint(path: string): Checkpoint | undefined {
	let fd: number;
	try {
		fd = openSync(path, "r");
	} catch {
		return undefined;
	}
	try {
		return readNewest(fd)?.checkpoint;
	} finally {
		closeSync(fd);
	}
}

/** What stands in one of the two slots. Without a generation it is empty, or `isDamaged`. */
export interface CheckpointSlot {
	readonly offset: number;
	readonly generation: number | undefined;
	readonly isDamaged: boolean;
}

/** Both slots of a checkpoint file, for those who only look; none where there is no file. */
export function checkpointSlots(path: string): readonly CheckpointSlot[] {
	let fd: number;
	try {
		fd = openSync(path, "r");
	} catch (error) {
		if (systemCode(error) === "ENOENT") return [];
		throw error;
	}
	try {
		const slotBytes = readNewest(fd)?.slotBytes ?? firstSlotBytes;
		return [0, slotBytes].map((offset) => {
			const generation = readSlot(fd, offset)?.generation;
			const isEmpty = readExactly(fd, offset, checkpointHeaderBytes)?.every((byte) => byte === 0) ?? true;
			return { offset, generation, isDamaged: generation === undefined && !isEmpty };
		});
	} finally {
		closeSync(fd);
	}
}

export class CheckpointFile {
	readonly #path: string;
	#fd: number;
	#slotBytes: number;
	#generation: number;
	/** The newest checkpoint; `undefined` in a new file. */
	#latest: Checkpoint | undefined;

	private constructor(path: string, fd: number, slotBytes: number, newest: Slot | undefined) {
		this.#path = path;
		this.#fd = fd;
		this.#slotBytes = slotBytes;
		this.#generation = newest?.generation ?? 0;
		this.#latest = newest?.checkpoint;
	}

	/** Opens the checkpoint of a spool, making it where it is missing. Only the holder of the lease may. */
	static open(path: string): CheckpointFile {
		const fd = openOwnedFile(path, "missing");
		const newest = readNewest(fd);
		const slotBytes = newest?.slotBytes ?? firstSlotBytes;
		try {
			reserveSlots(fd, path, slotBytes);
		} catch (error) {
			closeSync(fd);
			throw error;
		}
		return new CheckpointFile(path, fd, slotBytes, newest);
	}

	get latest(): Checkpoint | undefined {
		return this.#latest;
	}

	/** Stores a state over the older slot. On return it survives the death of this process. */
	write(checkpoint: Checkpoint): void {
		const bytes = encode(checkpoint, this.#generation + 1, this.#slotBytes);
		if (bytes.length > this.#slotBytes) {
			this.#grow(bytes.length);
			this.write(checkpoint);
			return;
		}
		this.#generation += 1;
		writeAll(this.#fd, bytes, (this.#generation % 2) * this.#slotBytes);
		this.#latest = checkpoint;
	}

	/** Brings the newest state to the disk. Blocks. */
	sync(): void {
		fdatasyncSync(this.#fd);
	}

	close(): void {
		closeSync(this.#fd);
	}

	/** Moves to a file with larger slots; the rename makes it count, with the latest state in it. */
	#grow(atLeastBytes: number): void {
		const slotBytes = 2 ** Math.ceil(Math.log2(atLeastBytes * 2));
		const draft = `${this.#path}.new`;
		// What a killed logman left of such a move has slots of its own.
		rmSync(draft, { force: true });
		const fd = openOwnedFile(draft, "exclusive");
		try {
			reserveSlots(fd, draft, slotBytes);
			if (this.#latest !== undefined) {
				this.#generation += 1;
				writeAll(fd, encode(this.#latest, this.#generation, slotBytes), (this.#generation % 2) * slotBytes);
			}
			// After a power failure an empty file must not stand in the place of a whole one.
			fdatasyncSync(fd);
			renameSync(draft, this.#path);
		} catch (error) {
			closeSync(fd);
			rmSync(draft, { force: true });
			throw error;
		}
		closeSync(this.#fd);
		this.#fd = fd;
		this.#slotBytes = slotBytes;
	}
}

function reserveSlots(fd: number, path: string, slotBytes: number): void {
	if (reserve(fd, slotBytes * 2)) return;
	throw new PylogError("PYLOG_SPOOL_FULL", `The disk has no room for the checkpoint ${path} (${slotBytes * 2} bytes).`);
}

function encode(checkpoint: Checkpoint, generation: number, slotBytes: number): Buffer {
	const { horizon, delivered, chains, outputs, parked, unsynced } = checkpoint;
	const json = Buffer.from(JSON.stringify({ outputs, parked, unsynced }));
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

function readNewest(fd: number): Slot | undefined {
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

function readSlot(fd: number, at: number): Slot | undefined {
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
	const json = JSON.parse(bytes.toString("utf8", checkpointHeaderBytes + chainBytes)) as Pick<
		Checkpoint,
		"outputs" | "parked" | "unsynced"
	>;
	return {
		horizon: bytes.readDoubleLE(checkpointHeader.horizon),
		delivered: [
			bytes.readDoubleLE(checkpointHeader.deliveredPriority),
			bytes.readDoubleLE(checkpointHeader.deliveredNormal),
		],
		chains,
		outputs: json.outputs,
		parked: json.parked,
		unsynced: json.unsynced,
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
function readExactly(fd: number, at: number, length: number): Buffer | undefined {
	// Asked first: a damaged header may name any length.
	if (at + length > fstatSync(fd).size) return undefined;
	const bytes = Buffer.from(new ArrayBuffer(length));
	return readSync(fd, bytes, 0, length, at) === length ? bytes : undefined;
}

function writeAll(fd: number, bytes: Buffer, at: number): void {
	let written = 0;
	while (written < bytes.length) written += writeSync(fd, bytes, written, bytes.length - written, at + written);
}

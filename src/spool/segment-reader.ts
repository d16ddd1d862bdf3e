/**
 * Reads one segment file, with `pread` into memory of its own: a mapped reader would die of a truncated file, and bytes
 * could change between check and use.
 *
 * Invariants: bytes count as a record only when their checksum is right; a look at the file costs one read of a chunk;
 * what was read stays in place until the next look.
 */

import { type ChunkMemory, giveMemoryBack, takeMemory } from "./chunk-memory.ts";
import { knownCallSite } from "./known-call-sites.ts";
import type { LoggerDefinition } from "./log-record.ts";
import { parseDefinition } from "./logger-definition.ts";
import { isPlausibleLength, isRecord, partsFit, recordHeader, recordHeaderBytes, recordKinds } from "./record-codec.ts";
import { checkPair } from "./record-pair.ts";
import { SegmentDescriptor } from "./segment-descriptor.ts";
import { decodeSegmentHeader, type SegmentHeader, segmentHeaderBytes, segmentSeed } from "./segment-header.ts";

/** A chunk of what was appended just now is small; where there is more, each is twice as large as the one before. */
const firstChunkBytes = 4 * 1024;
const chunkBytes = 64 * 1024;
/** Of many segments that are read at once, smaller ones: all chunks together stay near to the processor. */
const allChunksBytes = 4 * 1024 * 1024;
const leastChunkBytes = 16 * 1024;
const noMemory: ChunkMemory = takeMemory(0);
let openCount = 0;

function fullChunkBytes(): number {
	return Math.min(chunkBytes, Math.max(leastChunkBytes, allChunksBytes / openCount));
}

/** Of damaged bytes so many are kept. */
const maxCopyBytes = 1024 * 1024;
/** What a reader looks for: the nonce is the producer's, where it is known. */
export type SegmentIdentity = Omit<SegmentHeader, "nonce" | "sizeBytes"> & { readonly nonce: number | undefined };

/**
 * Searching for valid records behind damage gives up after it has passed over and summed so much in vain, in one reading of
 * a segment: hostile lengths must not cost hours.
 */
export const maxSearchBytes: number = 64 * 1024 * 1024;

const blank = Buffer.alloc(chunkBytes);

export class SegmentReader {
	readonly path: string;
	readonly header: SegmentHeader;
	/** The chunk last read. */
	chunk: Buffer = noMemory.bytes;
	/** The same as words. */
	words: Int32Array = noMemory.words;
	/** The same for numbers of any size. */
	view: DataView = noMemory.view;
	/** Whether the file ends before its header says so. */
	readonly isTruncated: boolean;
	readonly #descriptor: SegmentDescriptor;
	readonly #sizeBytes: number;
	readonly #seed: number;
	#isOpen = true;
	#start = 0;
	#end = 0;
	/** How much the last look asked for, and whether it got as much. */
	#nextBytes = firstChunkBytes;
	#isFull = false;
	/** A record of the chunk that was checked together with the one before it; -1 for none. */
	#checkedAt = -1;
	#checkedLength = 0;
	/** Bytes passed over and summed in vain: what looking for records where none are has cost. */
	#wastedBytes = 0;
	/** What it may cost at most before searching ends. */
	#searchUntilCost: number;
	/** Bytes of definitions and call sites that may still be read. */
	#textBytesLeft: number;
	readonly #definitions = new Map<number, LoggerDefinition>();
	readonly #callSites = new Map<number, string>();
	/** What was asked for last: most records have what the one before them had. */
	#lastDefinitionAt = -1;
	#lastDefinition: LoggerDefinition | undefined;

	private constructor(descriptor: SegmentDescriptor, header: SegmentHeader) {
		openCount += 1;
		this.path = descriptor.path;
		this.header = header;
		this.#descriptor = descriptor;
		const fileBytes = descriptor.sizeBytes;
		// What is left of a truncated file counts.
		this.#sizeBytes = Math.min(header.sizeBytes, fileBytes);
		this.isTruncated = fileBytes < header.sizeBytes;
		// Each stands in the segment once. Made to lie in one another, they could come to the square of that.
		this.#textBytesLeft = this.#sizeBytes * 2;
		this.#searchUntilCost = this.#nextSearchLimit();
		this.#seed = segmentSeed(header.nonce, header.index);
	}

	/** Opens a segment; `undefined` when the file is not there or is not this segment (yet). */
	static open(path: string, identity: SegmentIdentity): SegmentReader | undefined {
		const descriptor = SegmentDescriptor.open(path);
		if (descriptor === undefined) return undefined;
		const header = readHeader(descriptor);
		if (header !== undefined && isSegment(header, identity)) return new SegmentReader(descriptor, header);
		descriptor.close();
		return undefined;
	}

	/** Opens a file whose header is damaged as the segment it is known to be; `undefined` when there is no such file. */
	static openDamaged(path: string, header: Omit<SegmentHeader, "sizeBytes">): SegmentReader | undefined {
		const descriptor = SegmentDescriptor.open(path);
		if (descriptor === undefined) return undefined;
		return new SegmentReader(descriptor, { ...header, sizeBytes: descriptor.sizeBytes });
	}

	/** What stands at the start of a file. One that was never begun is empty: zeros in header and first length word. */
	static headerState(path: string): "missing" | "empty" | "damaged" | "valid" {
		const descriptor = SegmentDescriptor.open(path);
		if (descriptor === undefined) return "missing";
		try {
			const bytes = Buffer.alloc(segmentHeaderBytes + 4);
			descriptor.read(bytes, 0);
			if (decodeSegmentHeader(bytes) !== undefined) return "valid";
			return bytes.every((byte) => byte === 0) ? "empty" : "damaged";
		} finally {
			descriptor.close();
		}
	}

	/** Whether all bytes of a file are zero. */
	static isBlank(path: string): boolean {
		const descriptor = SegmentDescriptor.open(path);
		if (descriptor === undefined) return true;
		try {
			const bytes = Buffer.alloc(chunkBytes);
			for (let at = 0, length = 0; (length = descriptor.read(bytes, at)) > 0; at += length) {
				if (!bytes.subarray(0, length).equals(blank.subarray(0, length))) return false;
			}
			return true;
		} finally {
			descriptor.close();
		}
	}

	/** Opens a file as the segment its header says it is; `undefined` where there is no valid header. */
	static openAny(path: string): SegmentReader | undefined {
		const header = SegmentReader.headerOf(path);
		return header === undefined ? undefined : SegmentReader.open(path, header);
	}

	/** Header of a segment file; `undefined` where there is no valid one. */
	static headerOf(path: string): SegmentHeader | undefined {
		const descriptor = SegmentDescriptor.open(path);
		if (descriptor === undefined) return undefined;
		try {
			return readHeader(descriptor);
		} finally {
			descriptor.close();
		}
	}

	/** The beginning of whatever file is at a path, a mebibyte at most; empty where there is none. */
	static headOf(path: string): Buffer {
		const descriptor = SegmentDescriptor.open(path);
		if (descriptor === undefined) return Buffer.alloc(0);
		try {
			const bytes = Buffer.alloc(Math.min(descriptor.sizeBytes, maxCopyBytes));
			return bytes.subarray(0, descriptor.read(bytes, 0));
		} finally {
			descriptor.close();
		}
	}

	/** Place of a byte of the file in `chunk`. */
	inChunk(offset: number): number {
		return offset - this.#start;
	}

	/** Looks at the file again: the chunk begins at `offset` then, and holds `length` bytes at least. */
	look(offset: number, length: number = recordHeaderBytes): void {
		this.#load(offset, length);
	}

	/** Length of the valid record at `offset`, which is wholly in the chunk then; 0 when there is none. */
	recordAt(offset: number): number {
		if (offset === this.#checkedAt) return this.#checkedLength;
		const length = this.lengthAt(offset);
		return length !== 0 && this.#isValidAt(offset, length) ? length : 0;
	}

	/** The length word at `offset`, unchecked; 0 at the end. */
	lengthAt(offset: number): number {
		if (offset + recordHeaderBytes > this.#sizeBytes || !this.#has(offset, recordHeaderBytes)) return 0;
		return this.words[this.inChunk(offset) >>> 2] as number;
	}

	/** Offset of the first valid record behind `offset`; `undefined` when there is none, or looking further costs too much. */
	search(offset: number): number | undefined {
		for (let at = offset + 8; at + recordHeaderBytes <= this.#sizeBytes; at += 8) {
			if (this.recordAt(at) !== 0) return at;
			this.#wastedBytes += 8;
			if (this.#wastedBytes > this.#searchUntilCost) return undefined;
		}
		return undefined;
	}

	/** Lets searching cost as much again: at the start of each reading, not at each place where it has to search. */
	allowSearch(): void {
		this.#searchUntilCost = this.#nextSearchLimit();
	}

	/** Whether a record can begin at `offset`: where a lane is read on from there, that is its place. */
	hasPlace(offset: number): boolean {
		return offset % 8 === 0 && offset >= segmentHeaderBytes && offset <= this.#sizeBytes;
	}

	/** A copy of the bytes from `from` to `to` (a mebibyte at most), or to the end of the file. */
	copy(from: number, to: number = this.#sizeBytes): Buffer {
		const bytes = Buffer.alloc(Math.max(0, Math.min(to - from, maxCopyBytes)));
		return bytes.subarray(0, this.#descriptor.read(bytes, from));
	}

	/** The logger definition at `offset`. One that can't be understood has an empty output. */
	definition(offset: number): LoggerDefinition {
		if (offset === this.#lastDefinitionAt && this.#lastDefinition !== undefined) return this.#lastDefinition;
		let definition = this.#definitions.get(offset);
		if (definition === undefined) {
			definition = parseDefinition(this.#textAt(offset, recordKinds.loggerDefinition));
			this.#definitions.set(offset, definition);
		}
		this.#lastDefinitionAt = offset;
		this.#lastDefinition = definition;
		return definition;
	}

	/** The call site at `offset`; "" for offset 0 and for one that can't be understood. */
	callSite(offset: number): string {
		if (offset === 0) return "";
		let callSite = this.#callSites.get(offset);
		if (callSite === undefined) {
			callSite = knownCallSite(this.#textAt(offset, recordKinds.callSite) ?? "");
			this.#callSites.set(offset, callSite);
		}
		return callSite;
	}

	close(): void {
		if (!this.#isOpen) return;
		this.#isOpen = false;
		openCount -= 1;
		this.#descriptor.close();
		giveMemoryBack({ bytes: this.chunk, words: this.words, view: this.view });
		this.#useMemory(noMemory);
	}

	/** What reading the whole file once costs is no search. */
	#nextSearchLimit(): number {
		return this.#wastedBytes + Math.min(this.#sizeBytes, maxSearchBytes) * 2 + maxSearchBytes;
	}

	#textAt(offset: number, kind: number): string | undefined {
		if (offset % 8 !== 0 || offset < segmentHeaderBytes) return undefined;
		const length = this.lengthAt(offset);
		// Asked before the sum over it, which costs time, and the text, which costs memory.
		if (length <= 0 || length > this.#textBytesLeft) return undefined;
		this.#textBytesLeft -= length;
		if (this.recordAt(offset) === 0) return undefined;
		const at = this.inChunk(offset);
		if (this.chunk[at + recordHeader.kind] !== kind) return undefined;
		const start = at + recordHeaderBytes;
		return this.chunk.toString("utf8", start, start + this.chunk.readUInt32LE(at + recordHeader.messageBytes));
	}

	#isValidAt(offset: number, length: number): boolean {
		if (!isPlausibleLength(length, offset, this.#sizeBytes)) return false;
		// The header alone tells most of what is no record, and is in the chunk already.
		if (!partsFit(this.words, this.inChunk(offset), length)) return false;
		const isValid = this.#has(offset, length) && this.#hasRightSum(offset, length);
		if (!isValid) this.#wastedBytes += length;
		return isValid;
	}

	/** Checks the record behind it as well, where that is in the chunk: it is asked for next, as a rule. */
	#hasRightSum(offset: number, length: number): boolean {
		const { words } = this;
		const at = offset - this.#start;
		const next = offset + length;
		const nextLength = next + recordHeaderBytes <= this.#end ? (words[(at + length) >>> 2] as number) : 0;
		if (next + nextLength > this.#end || !isPlausibleLength(nextLength, next, this.#sizeBytes)) {
			return isRecord(words, at, length, this.#seed);
		}
		const valid = checkPair(words, at, length, nextLength, this.#seed);
		if ((valid & 2) === 0) {
			this.#wastedBytes += nextLength;
		} else {
			this.#checkedAt = next;
			this.#checkedLength = nextLength;
		}
		return (valid & 1) !== 0;
	}

	/** Makes sure that the bytes are in the chunk. */
	#has(offset: number, length: number): boolean {
		return (offset >= this.#start && offset + length <= this.#end) || this.#load(offset, length);
	}

	#useMemory({ bytes, words, view }: ChunkMemory): void {
		this.chunk = bytes;
		this.words = words;
		this.view = view;
		this.#checkedAt = -1;
		this.#start = this.#end = 0;
	}

	#load(offset: number, length: number): boolean {
		const goesOn = this.#isFull && offset >= this.#start && offset + length > this.#end;
		this.#nextBytes = goesOn ? Math.min(this.#nextBytes * 2, fullChunkBytes()) : firstChunkBytes;
		const wanted = Math.max(length, this.#nextBytes);
		if (this.chunk.length < wanted || this.chunk.length > Math.max(wanted, chunkBytes) * 4) {
			this.#useMemory(takeMemory(Math.max(wanted, fullChunkBytes())));
		}
		this.#checkedAt = -1;
		const bytesRead = this.#descriptor.read(this.chunk, offset, wanted);
		this.#isFull = bytesRead === wanted;
		this.#start = offset;
		this.#end = offset + bytesRead;
		return bytesRead >= length;
	}
}

function isSegment(header: SegmentHeader, { producer, lane, index, nonce }: SegmentIdentity): boolean {
	if (header.producer !== producer || header.lane !== lane || header.index !== index) return false;
	return nonce === undefined || header.nonce === nonce;
}

function readHeader(descriptor: SegmentDescriptor): SegmentHeader | undefined {
	const bytes = Buffer.alloc(segmentHeaderBytes);
	descriptor.read(bytes, 0);
	return decodeSegmentHeader(bytes);
}

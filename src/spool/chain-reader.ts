/**
 * Reads one lane of one producer, record by record, over all its segments.
 *
 * Invariants: the bytes of a record stay valid until the `peek` after its `take`; damage costs the damaged bytes only, is
 * handed to `onDamage`, and reading goes on at the next valid record or segment; the same position and limit give the
 * same records again.
 */

import type { Lane } from "../shared/lane.ts";
import { liftQueueNumber, type QueueNumber } from "../shared/numbers.ts";
import type { ChainPosition } from "./checkpoint.ts";
import type { LogRecord } from "./log-record.ts";
import { segmentFiles } from "./numbering.ts";
import { segmentFile } from "./paths.ts";
import { recordHeader, recordHeaderBytes, recordKinds } from "./record-codec.ts";
import { segmentHeaderBytes } from "./segment-header.ts";
import { SegmentReader } from "./segment-reader.ts";

/** Where a chain begins. */
export const chainStart: ChainPosition = { place: 0, index: 1, offset: segmentHeaderBytes, sequence: 0 };

export interface Damage {
	readonly path: string;
	readonly offset: number;
	/** The damaged bytes, a mebibyte at most. */
	readonly bytes: Buffer;
}

export class ChainReader {
	readonly directory: string;
	readonly lane: Lane;
	readonly #onDamage: (damage: Damage) => void;
	#nonce: number | undefined;
	#place: number;
	#index: number;
	#offset: number;
	#sequence: number;
	#segment: SegmentReader | undefined;
	/** Whether more may have been committed since the file was looked at. */
	#isStale = true;
	/** Whether the producer is dead: what is not committed now never will be. */
	#isFinal = false;
	#until: ChainPosition | undefined;
	#peeked: LogRecord | undefined;
	#peekedLength = 0;

	/** @param nonce The producer's, where a checkpoint knows it. */
	constructor(
		directory: string,
		lane: Lane,
		position: ChainPosition,
		nonce: number | undefined,
		onDamage: (damage: Damage) => void,
	) {
		this.directory = directory;
		this.lane = lane;
		this.#nonce = nonce;
		this.#place = position.place;
		this.#index = position.index;
		this.#offset = position.offset;
		this.#sequence = position.sequence;
		this.#onDamage = onDamage;
	}

	/** End of the last record taken. */
	get position(): ChainPosition {
		return { place: this.#place, index: this.#index, offset: this.#offset, sequence: this.#sequence };
	}

	/** Sequence of the last record taken. */
	get sequence(): number {
		return this.#sequence;
	}

	/** Nonce of the producer; `undefined` before a segment was read. */
	get nonce(): number | undefined {
		return this.#nonce;
	}

	/** Tells that more may have been committed since the last look, or (`isFinal`) that nothing will be any more. */
	refresh(isFinal: boolean): void {
		this.#isStale = true;
		this.#isFinal = isFinal;
	}

	/** Limits reading to what lies before a position; `undefined` lifts the limit. */
	stopAt(until: ChainPosition | undefined): void {
		this.#until = until;
	}

	/** The next record, without taking it; `undefined` when there is none (yet). */
	peek(reference: QueueNumber): LogRecord | undefined {
		while (this.#peeked === undefined) {
			if (this.#isAtLimit()) return undefined;
			const segment = this.#openSegment();
			const length = segment === undefined ? 0 : this.#findRecord(segment);
			if (segment === undefined || length === 0) {
				if (!this.#skipLostLink()) return undefined;
				continue;
			}
			const at = segment.inChunk(this.#offset);
			const kind = segment.chunk[at + recordHeader.kind];
			if (kind === recordKinds.log) this.#decode(segment, length, reference);
			else if (kind === recordKinds.end) this.#follow(segment, at);
			else this.#offset += length;
		}
		return this.#peeked;
	}

	/** Takes the record that `peek` returned. Returns how many records are missing before it. */
	take(): number {
		const record = this.#peeked;
		if (record === undefined) return 0;
		this.#peeked = undefined;
		this.#offset += this.#peekedLength;
		const missing = (record.sequence - this.#sequence - 1) | 0;
		this.#sequence = record.sequence;
		return Math.max(0, missing);
	}

	/** Gives descriptor and memory back; reading can go on at any time. */
	rest(): void {
		this.#peeked = undefined;
		this.#segment?.close();
		this.#segment = undefined;
	}

	#isAtLimit(): boolean {
		const until = this.#until;
		if (until === undefined) return false;
		return this.#index > until.index || (this.#index === until.index && this.#offset >= until.offset);
	}

	#openSegment(): SegmentReader | undefined {
		if (this.#segment === undefined) {
			const path = segmentFile(this.directory, this.lane, this.#place);
			this.#segment = SegmentReader.open(path, this.lane, this.#index, this.#nonce);
			this.#nonce ??= this.#segment?.header.nonce;
		}
		return this.#segment;
	}

	/** Length of the valid record at the offset, moved over damage if need be; 0 when there is none. */
	#findRecord(segment: SegmentReader): number {
		let length = segment.recordAt(this.#offset);
		if (length !== 0) return length;
		// The chunk may be older than the commit, or have been read in the middle of it.
		if (this.#isStale || segment.lengthAt(this.#offset) !== 0) {
			this.#isStale = false;
			segment.look(this.#offset);
			length = segment.recordAt(this.#offset);
			if (length !== 0) return length;
		}
		const isDamaged = segment.lengthAt(this.#offset) !== 0;
		if (!isDamaged && !this.#isFinal) return 0;
		const found = segment.search(this.#offset);
		if (found === undefined) {
			if (isDamaged && this.#isFinal) this.#report(segment, undefined);
			return 0;
		}
		this.#report(segment, found);
		this.#offset = found;
		return segment.recordAt(found);
	}

	#report(segment: SegmentReader, to: number | undefined): void {
		this.#onDamage({ path: segment.path, offset: this.#offset, bytes: segment.copy(this.#offset, to) });
	}

	#decode(segment: SegmentReader, length: number, reference: QueueNumber): void {
		let at = segment.inChunk(this.#offset);
		const before = segment.chunk;
		const definitionAt = before.readUInt32LE(at + recordHeader.definition);
		const callSiteAt = before.readUInt32LE(at + recordHeader.callSite);
		const definition = segment.definition(definitionAt);
		const callSite = segment.callSite(callSiteAt);
		if (segment.chunk !== before || segment.inChunk(this.#offset) !== at) {
			// Reading a definition moved the chunk.
			segment.look(this.#offset, length);
			at = segment.inChunk(this.#offset);
		}
		const { chunk, words } = segment;
		const word = at >>> 2;
		const messageStart = at + recordHeaderBytes;
		const fieldsStart = messageStart + (words[word + 9] as number);
		const errorStart = fieldsStart + (words[word + 10] as number);
		this.#peekedLength = length;
		this.#peeked = {
			queue: liftQueueNumber(words[word + 2] as number, reference),
			sequence: words[word + 3] as number,
			lane: this.lane,
			level: chunk[at + recordHeader.level] as number,
			flags: chunk[at + recordHeader.flags] as number,
			timeMs: chunk.readDoubleLE(at + recordHeader.timeMs),
			utcOffsetMinutes: chunk.readInt8(at + recordHeader.utcOffsetQuarters) * 15,
			definition,
			callSite,
			bytes: chunk,
			messageStart,
			fieldsStart,
			errorStart,
			end: errorStart + (words[word + 11] as number),
			late: false,
		};
	}

	/** Goes on in the segment that an end record names. */
	#follow(segment: SegmentReader, at: number): void {
		this.#goTo(
			segment.words[(at + recordHeader.definition) >>> 2] as number,
			segment.words[(at + recordHeader.callSite) >>> 2] as number,
		);
	}

	/** At the end of a dead producer's chain: a later segment whose link was lost, as after a power failure. */
	#skipLostLink(): boolean {
		if (!this.#isFinal) return false;
		const lowest = this.#segment === undefined ? this.#index : this.#index + 1;
		const prefix = segmentFile(this.directory, this.lane, 0).slice(0, -"0.seg".length);
		let best: { place: number; index: number } | undefined;
		for (const path of segmentFiles(this.directory)) {
			const header = path.startsWith(prefix) ? SegmentReader.headerOf(path) : undefined;
			if (header === undefined || header.lane !== this.lane || header.index < lowest) continue;
			if (this.#nonce !== undefined && header.nonce !== this.#nonce) continue;
			const place = Number.parseInt(path.slice(prefix.length), 10);
			if (best === undefined || header.index < best.index) best = { place, index: header.index };
		}
		if (best === undefined || (best.place === this.#place && best.index === this.#index)) return false;
		this.#goTo(best.place, best.index);
		return true;
	}

	#goTo(place: number, index: number): void {
		this.#place = place;
		this.#index = index;
		this.#offset = segmentHeaderBytes;
		this.#segment?.close();
		this.#segment = undefined;
	}
}

/**
 * Reads one lane of one producer, record by record, over all its segments.
 *
 * Invariants: the bytes of a record stay valid until the `peek` after its `take`; damage costs the damaged bytes only, is
 * handed to `onDamage`, and reading goes on at the next valid record or segment; the same position and limit give the
 * same records again.
 */

import type { Lane } from "../shared/lane.ts";
import type { QueueNumber } from "../shared/numbers.ts";
import type { ChainPosition } from "./checkpoint.ts";
import type { LogRecord } from "./log-record.ts";
import { producerOf, segmentFile } from "./paths.ts";
import { isMisplacedEnd, isMisplacedRecord } from "./misplaced-records.ts";
import { ReadRecord } from "./read-record.ts";
import { recordHeader, recordKinds } from "./record-codec.ts";
import { nonceFor, segmentHeaderBytes } from "./segment-header.ts";
import { findByRecords, findNonce, findSegment, type FoundSegment } from "./segment-lookup.ts";
import { type SegmentIdentity, SegmentReader } from "./segment-reader.ts";

/** So many segments in a row are looked for without a link or a header that leads to them. */
const maxLostLinks = 8;

/** Where a chain begins. */
export const chainStart: ChainPosition = { place: 0, index: 1, offset: segmentHeaderBytes, sequence: 0 };

export interface Damage {
	readonly path: string;
	readonly offset: number;
	/** The damaged bytes, a mebibyte at most. */
	readonly bytes: Buffer;
	/** What is wrong, where it is not that the bytes are no valid record. */
	readonly what?: string;
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
	/** Whether the place was taken from somewhere else than the segments, and not looked at yet. */
	#isUnproven = true;
	/** Whether a link led to the place: a segment must be there. */
	#isLinked = false;
	/** Whether more may have been committed since the file was looked at. */
	#isStale = true;
	/** Whether the producer is dead: what is not committed now never will be. */
	#isFinal = false;
	/** Whether what stands at the offset is damaged, and nothing valid behind it in the segment. */
	#isStuck = false;
	/** The segment behind the one that is stuck, once it was seen. */
	#behind: number | undefined;
	#until: ChainPosition | undefined;
	/** Damage that was told of: it may be met again, after a rest. */
	readonly #told = new Set<string>();
	/** The record that was peeked last. */
	readonly #peeked: ReadRecord;
	/** Length of the peeked record; 0 for none. */
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
		this.#peeked = new ReadRecord(lane);
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

	/** Whether reading ends at a position, see {@link stopAt}: more may lie behind it. */
	get isLimited(): boolean {
		return this.#until !== undefined;
	}

	/** Limits reading to what lies before a position; `undefined` lifts the limit. */
	stopAt(until: ChainPosition | undefined): void {
		this.#until = until;
	}

	/** The next record, without taking it; `undefined` when there is none (yet). */
	peek(reference: QueueNumber): LogRecord | undefined {
		this.#peeked.setReference(reference);
		while (this.#peekedLength === 0) {
			if (this.#isAtLimit()) return undefined;
			const segment = this.#openSegment();
			const length = segment === undefined ? 0 : this.#findRecord(segment);
			// Damage in front of the limit may reach over it.
			if (this.#isAtLimit()) return undefined;
			if (segment === undefined || length === 0) {
				if (!this.#skipLostLink()) return undefined;
				continue;
			}
			const at = segment.inChunk(this.#offset);
			const kind = segment.chunk[at + recordHeader.kind];
			if (kind === recordKinds.log) this.#decode(segment, length);
			else if (kind !== recordKinds.end || !this.#follow(segment, at, length)) this.#offset += length;
		}
		// Where bytes were lost in front of the limit, records from behind it have moved there.
		if (this.#isBehindLimit(this.#peeked.record)) this.#peekedLength = 0;
		return this.#peekedLength === 0 ? undefined : this.#peeked.record;
	}

	/** Takes the record that `peek` returned. Returns how many records are missing before it. */
	take(): number {
		if (this.#peekedLength === 0) return 0;
		const { sequence } = this.#peeked.record;
		this.#offset += this.#peekedLength;
		this.#peekedLength = 0;
		const missing = (sequence - this.#sequence - 1) | 0;
		this.#sequence = sequence;
		return missing > 0 ? missing : 0;
	}

	/** Gives descriptor and memory back; reading can go on at any time. */
	rest(): void {
		this.#peekedLength = 0;
		this.#peeked.clear();
		this.#segment?.close();
		this.#segment = undefined;
	}

	#isAtLimit(): boolean {
		const until = this.#until;
		if (until === undefined) return false;
		return this.#index > until.index || (this.#index === until.index && this.#offset >= until.offset);
	}

	#isBehindLimit({ sequence }: LogRecord): boolean {
		return this.#until !== undefined && ((sequence - this.#until.sequence) | 0) > 0;
	}

	#openSegment(): SegmentReader | undefined {
		if (this.#segment === undefined) {
			const path = segmentFile(this.directory, this.lane, this.#place);
			this.#segment = SegmentReader.open(path, this.#identity) ?? this.#openDamaged(path);
			this.#nonce ??= this.#segment?.header.nonce;
			if (this.#isUnproven && this.#segment !== undefined) this.#proveOffset(this.#segment);
		}
		return this.#segment;
	}

	get #identity(): SegmentIdentity {
		return { producer: producerOf(this.directory), lane: this.lane, index: this.#index, nonce: this.#nonce };
	}

	/**
	 * A checkpoint may be damaged, or of another time than the segment. Where no record can begin at its offset, the
	 * segment is read from its start: what was delivered is told by the sequence.
	 */
	#proveOffset(segment: SegmentReader): void {
		this.#isUnproven = false;
		const offset = this.#offset;
		const isPlace = segment.hasPlace(offset) && (segment.lengthAt(offset) === 0 || segment.recordAt(offset) !== 0);
		if (!isPlace) this.#offset = segmentHeaderBytes;
	}

	/** The segment that is in the file by all that is known, though its header does not say so. */
	#openDamaged(path: string): SegmentReader | undefined {
		// Before anything of the chain was read, the file may be another segment's, or not begun yet.
		if (this.#nonce === undefined && !this.#isFinal) return undefined;
		const state = SegmentReader.headerState(path);
		if (state === "missing" || state === "valid" || (state === "empty" && this.#nonce === undefined)) return undefined;
		const nonce = this.#nonce ?? findNonce(this.directory, this.lane);
		const segment = SegmentReader.openDamaged(path, { ...this.#identity, nonce: nonce ?? 0 });
		if (segment === undefined) return undefined;
		this.#tell(segment, 0, nonce === undefined ? undefined : segmentHeaderBytes);
		if (nonce !== undefined) return segment;
		segment.close();
		return undefined;
	}

	/** Length of the valid record at the offset, moved over damage if need be; 0 when there is none. */
	#findRecord(segment: SegmentReader): number {
		let length = segment.recordAt(this.#offset);
		if (length !== 0) return length;
		// The chunk may be older than the commit, or have been read in the middle of it.
		if (this.#isStale || segment.lengthAt(this.#offset) !== 0) {
			if (this.#isStale) segment.allowSearch();
			this.#isStale = false;
			segment.look(this.#offset);
			length = segment.recordAt(this.#offset);
			if (length !== 0) return length;
		}
		const isDamaged = segment.lengthAt(this.#offset) !== 0;
		this.#isStuck = false;
		if (!isDamaged && !this.#isFinal) return 0;
		const found = segment.search(this.#offset);
		if (found === undefined) {
			this.#isStuck = isDamaged;
			if (this.#isFinal && (isDamaged || segment.isTruncated)) this.#tell(segment, this.#offset, undefined);
			return 0;
		}
		this.#tell(segment, this.#offset, found);
		this.#offset = found;
		return segment.recordAt(found);
	}

	/** Tells of damaged bytes, up to the end of the file where `to` is `undefined`; once each. */
	#tell(segment: SegmentReader, offset: number, to: number | undefined): void {
		const place = `${segment.header.index}:${offset}`;
		if (this.#told.has(place)) return;
		this.#told.add(place);
		this.#onDamage({ path: segment.path, offset, bytes: segment.copy(offset, to) });
	}

	/** Makes the record at the offset the peeked one. Makes none when the record has to be found and checked again. */
	#decode(segment: SegmentReader, length: number): void {
		const sequenceAt = segment.inChunk(this.#offset) + recordHeader.sequence;
		const ahead = ((segment.words[sequenceAt >>> 2] as number) - this.#sequence) | 0;
		if (ahead <= 0) {
			// Delivered before a checkpoint was lost.
			this.#offset += length;
			return;
		}
		if (ahead > 1 && !this.#hasItsPlace(segment, length)) return;
		const at = segment.inChunk(this.#offset);
		const { chunk, words } = segment;
		const word = at >>> 2;
		const definition = segment.definition((words[word + recordHeader.definition / 4] as number) >>> 0);
		const callSite = segment.callSite((words[word + recordHeader.callSite / 4] as number) >>> 0);
		// Reading a definition may have moved the chunk; the next time it is known.
		if (segment.chunk !== chunk || segment.inChunk(this.#offset) !== at) {
			segment.look(this.#offset, length);
			return;
		}
		this.#peekedLength = length;
		this.#peeked.fill(segment, at, definition, callSite);
	}

	/** Whether the record at the offset, which leaves out others, belongs there and is still in its place in the chunk. */
	#hasItsPlace(segment: SegmentReader, length: number): boolean {
		const sequence = segment.words[(segment.inChunk(this.#offset) + recordHeader.sequence) >>> 2] as number;
		if (isMisplacedRecord(segment, this.#offset + length, this.#sequence, sequence)) {
			this.#tell(segment, this.#offset, this.#offset + length);
			this.#offset += length;
			return false;
		}
		// Looking ahead has moved the chunk.
		return segment.recordAt(this.#offset) === length;
	}

	/** Goes on in the segment that an end record names; `false` when it is not the one that must follow. */
	#follow(segment: SegmentReader, at: number, length: number): boolean {
		const place = segment.chunk.readUInt32LE(at + recordHeader.definition);
		const index = segment.chunk.readUInt32LE(at + recordHeader.callSite);
		if (index !== this.#index + 1 || isMisplacedEnd(segment, this.#offset + length, this.#sequence)) {
			this.#tell(segment, this.#offset, this.#offset + length);
			return false;
		}
		this.#goTo(place, index);
		this.#isLinked = true;
		return true;
	}

	/**
	 * Goes on in a segment that no link leads to: behind damage, behind a link lost in a power failure, or at the
	 * beginning when no checkpoint says where that is.
	 */
	#skipLostLink(): boolean {
		const isSettled = !this.#isFinal && !this.#isStuck && this.#nonce !== undefined;
		// A place that was guessed when a checkpoint was lost, and stored with the next one: the segment itself is somewhere.
		const isGuessed = this.#isUnproven && this.#segment === undefined;
		if (isSettled && !isGuessed) return false;
		const lowest = this.#segment === undefined ? this.#index : this.#index + 1;
		const found = this.#findFrom(lowest);
		if (this.#segment === undefined && this.#isFinal && found?.index !== this.#index) this.#tellLost();
		if (found === undefined || (found.place === this.#place && found.index === this.#index)) return false;
		if (isSettled && found.index !== this.#index) return false;
		if (this.#segment !== undefined && this.#isStuck) {
			if (!this.#isFinal && this.#behind !== found.index) {
				// All that was committed before that segment was begun can be read now: once more through this one.
				this.#behind = found.index;
				return true;
			}
			this.#tell(this.#segment, this.#offset, undefined);
		}
		this.#goTo(found.place, found.index);
		return true;
	}

	/** The lowest segment from an index on, by the headers; where that one has none of these, by its records. */
	#findFrom(lowest: number): FoundSegment | undefined {
		const found = findSegment(this.directory, this.lane, lowest, this.#nonce);
		const nonce = this.#nonce ?? findNonce(this.directory, this.lane);
		if (!this.#isFinal || found?.index === lowest || nonce === undefined) return found;
		const last = Math.min((found?.index ?? Number.POSITIVE_INFINITY) - 1, lowest + maxLostLinks);
		return findByRecords(this.directory, { ...this.#identity, index: lowest, nonce }, last) ?? found;
	}

	/** Tells of a segment that a link leads to and that is not there, or in whose place there is somebody else's; once. */
	#tellLost(): void {
		const path = segmentFile(this.directory, this.lane, this.#place);
		const header = SegmentReader.headerOf(path);
		const { producer, lane, index, nonce } = this.#identity;
		const isForeign = header !== undefined && (header.producer !== producer || header.lane !== lane);
		if (!isForeign && !this.#isLinked) return;
		const place = `${index}:lost`;
		if (this.#told.has(place)) return;
		this.#told.add(place);
		const isOwn = header !== undefined && nonceFor(lane, header) === nonce;
		const isThere = isOwn ? "another segment" : "nothing of this producer";
		const what = `segment ${index} of a lane should be in ${path}, where ${isThere} is`;
		this.#onDamage({ path, offset: 0, bytes: SegmentReader.headOf(path), what });
	}

	#goTo(place: number, index: number): void {
		this.#place = place;
		this.#index = index;
		this.#offset = segmentHeaderBytes;
		this.#isStuck = false;
		this.#isUnproven = false;
		this.#isLinked = false;
		// Nothing leads back: what was told of is never met again.
		this.#told.clear();
		this.#segment?.close();
		this.#segment = undefined;
	}
}

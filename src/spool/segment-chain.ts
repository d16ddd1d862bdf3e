/**
 * The segments of one lane of one producer: the one being written, one made ready ahead of need, and those that wait to
 * be read or to be used again.
 *
 * Segments are used again rather than made anew: their pages are warm and their space is reserved already. A lane that
 * fills segments quickly gets larger ones, up to `maxSegmentBytes`; what it no longer needs is given back, and all that is
 * free when the producer rests or room is scarce: others need it.
 */

import { PylogError, systemCode } from "../shared/errors.ts";
import { type Lane, laneIndex } from "../shared/lane.ts";
import type { ControlFile } from "./control-file.ts";
import { slotWords } from "./control-layout.ts";
import { segmentFile } from "./paths.ts";
import { segmentTailBytes } from "./record-codec.ts";
import { Segment } from "./segment.ts";
import { laneNonce, segmentHeaderBytes } from "./segment-header.ts";
import { askAgainMs, type SpoolRoom } from "./spool-room.ts";

/** Small, so that a short command pays little. */
export const firstSegmentBytes: number = 64 * 1024;
export const maxSegmentBytes: number = 4 * 1024 * 1024;
/** How much larger the next segment is than one that was filled quickly. */
const growth = 4;
/** Segments a lane keeps: the current, the next, and one that the logman is reading. */
export const keptSegments = 3;
/** A segment that was filled within this time is followed by a larger one. */
export const quickFillMs = 250;
/** What the system says where a disk, a quota or a limit of file sizes has no room. */
const noRoom: ReadonlySet<string | undefined> = new Set(["ENOSPC", "EDQUOT", "EFBIG"]);
/** With more than this share of the room taken, a lane keeps no segment that is free. */
const scarceShare = 0.8;

export interface ChainOwner {
	readonly control: ControlFile;
	readonly room: SpoolRoom;
	readonly directory: string;
	readonly producer: number;
	readonly nonce: number;
	/** First word of the producer's slot. */
	readonly slotWord: number;
	/** Sizes of segments, multiples of 4096: of a lane's first one, and the one up to which they grow. */
	readonly segmentBytes: readonly [first: number, most: number] | undefined;
}

/** That there was no room, and what was seen then: as long as it is the same, nobody needs to ask again. */
interface Refusal {
	readonly neededBytes: number;
	readonly freeBelow: number;
	readonly takenKib: number;
	readonly untilMs: number;
	readonly cause: string;
}

export class SegmentChain {
	readonly lane: Lane;
	readonly #owner: ChainOwner;
	readonly #firstBytes: number;
	readonly #mostBytes: number;
	/** All segments, by place; a place whose segment was given back is empty. */
	readonly #segments: (Segment | undefined)[] = [];
	#current: Segment | undefined;
	#prepared: Segment | undefined;
	#index = 0;
	#nextBytes: number;
	#begunMs = 0;
	#refusal: Refusal | undefined;

	constructor(lane: Lane, owner: ChainOwner) {
		this.lane = lane;
		this.#owner = owner;
		[this.#firstBytes, this.#mostBytes] = owner.segmentBytes ?? [firstSegmentBytes, maxSegmentBytes];
		this.#nextBytes = this.#firstBytes;
	}

	/** The segment being written; `undefined` before the first record. */
	get current(): Segment | undefined {
		return this.#current;
	}

	/** Why there was no room the last time: `"limit"`, `"disk"`, or the name of a system error. */
	get refusedBecause(): string {
		return this.#refusal?.cause ?? "limit";
	}

	/** Whether there are more segments than a lane that keeps up with its logging needs. */
	get hasSurplus(): boolean {
		return this.#count > keptSegments;
	}

	/** Whether there are segments besides the current one. */
	get hasSpare(): boolean {
		return this.#count > 1;
	}

	/**
	 * The segment that follows the current one, with room for a record of `bytes`. It is not the current one until
	 * {@link SegmentChain.advance}, which must come after the end record that links to it. `undefined` when limit or disk
	 * allow none, or the system refuses (descriptors at their limit, a folder removed); so it is for the same size without
	 * asking the system again, for `askAgainMs` or until room is given back.
	 *
	 * @param force Passes over the spool's limit (not over a full disk): for the notice that tells of drops.
	 */
	next(bytes: number, force = false): Segment | undefined {
		const needed = neededFor(bytes);
		if (!force && this.#isKnownFull(needed)) return undefined;
		const segment = this.#find(needed, force);
		if (segment === undefined) return undefined;
		this.#refusal = undefined;
		// Until it is linked and current, it may be begun again: a call that ends in between has changed nothing.
		this.#prepared = segment;
		const { producer, nonce } = this.#owner;
		segment.begin({ producer, nonce: laneNonce(nonce, this.lane), lane: this.lane, index: this.#index + 1 });
		return segment;
	}

	/** Whether there was no room the last time it was asked for. */
	get isRefusing(): boolean {
		return this.#refusal !== undefined;
	}

	/** Whether there is no room for a record of `bytes`, as far as can be told without asking the system. */
	refuses(bytes: number): boolean {
		return this.#current?.hasRoom(bytes) !== true && this.#isKnownFull(neededFor(bytes));
	}

	/** Makes `segment` the current one. */
	advance(segment: Segment): void {
		const nowMs = Date.now();
		if (this.#current !== undefined && nowMs - this.#begunMs < quickFillMs) {
			this.#nextBytes = Math.min(this.#nextBytes * growth, this.#mostBytes);
		}
		this.#begunMs = nowMs;
		this.#index = segment.index;
		this.#prepared = undefined;
		this.#current = segment;
	}

	/** Makes the next segment ready ahead of need, and gives back what is free beyond a few. */
	maintain(): void {
		if (this.#owner.room.isScarce(scarceShare)) {
			this.giveBack();
			return;
		}
		if (this.#index > 1) {
			// One that was made in the middle of a call; those made ahead are ready.
			if (this.#current?.isReady === false) this.#current.makeReady();
			this.#prepare();
		}
		this.#trim(keptSegments);
	}

	/** Gives back all that is free, the segment made ready included. Returns whether there was any. */
	giveBack(): boolean {
		const before = this.#count;
		const prepared = this.#prepared;
		// One that has begun may be linked already.
		if (prepared !== undefined && prepared.index <= this.#index) {
			this.#prepared = undefined;
			this.#discard(prepared);
		}
		this.#trim(1);
		return this.#count < before;
	}

	/** Whether a record of `bytes` may find room one day: it is within the limit. */
	canEverHold(bytes: number): boolean {
		return roundUp(neededFor(bytes)) <= this.#owner.room.limitBytes;
	}

	/** Unmaps everything; the files stay for the logman. */
	release(): void {
		for (const segment of this.#segments) segment?.release();
		this.#segments.length = 0;
		this.#current = undefined;
		this.#prepared = undefined;
	}

	get #count(): number {
		return this.#segments.reduce((count, segment) => count + (segment === undefined ? 0 : 1), 0);
	}

	/** Segments with a lower index are delivered. */
	get #freeBelow(): number {
		const { control, slotWord } = this.#owner;
		return Atomics.load(control.mapping.words, slotWord + slotWords.freeBelow + laneIndex[this.lane]);
	}

	#isKnownFull(needed: number): boolean {
		const refusal = this.#refusal;
		return (
			refusal !== undefined &&
			needed >= refusal.neededBytes &&
			refusal.freeBelow === this.#freeBelow &&
			this.#owner.room.takenKib >= refusal.takenKib &&
			performance.now() < refusal.untilMs
		);
	}

	#find(needed: number, force: boolean): Segment | undefined {
		let cause = "";
		try {
			const segment = this.#findPrepared(needed) ?? this.#findFree(needed) ?? this.#make(needed, force);
			if (segment !== undefined) return segment;
			cause = this.#owner.room.takenKib * 1024 + this.#firstBytes > this.#owner.room.limitBytes ? "limit" : "disk";
		} catch (error) {
			const code = systemCode(error) ?? (error instanceof PylogError ? error.code : undefined);
			if (code === undefined) throw error;
			cause = code;
		}
		const { takenKib } = this.#owner.room;
		const untilMs = performance.now() + askAgainMs;
		this.#refusal = { neededBytes: needed, freeBelow: this.#freeBelow, takenKib, untilMs, cause };
		return undefined;
	}

	#findPrepared(needed: number): Segment | undefined {
		const prepared = this.#prepared;
		if (prepared === undefined || prepared.sizeBytes < needed) return undefined;
		if (prepared.isWhole) return prepared;
		this.#prepared = undefined;
		this.#discard(prepared);
		return undefined;
	}

	/** A full spool is no error here: it may have room again when the segment is needed. */
	#prepare(): void {
		if (this.#prepared !== undefined) return;
		const needed = neededFor(0);
		if (this.#isKnownFull(needed)) return;
		this.#prepared = this.#find(needed, false);
		// One that is used again as well: where its pages were written to the disk, they are no longer ready.
		this.#prepared?.makeReady();
	}

	/** Discards free segments until `kept` are left of all. */
	#trim(kept: number): void {
		let surplus = this.#count - kept;
		for (const segment of this.#segments) {
			if (surplus <= 0) return;
			if (segment === undefined || !this.#isFree(segment)) continue;
			this.#discard(segment);
			surplus -= 1;
		}
	}

	#isFree(segment: Segment): boolean {
		// What lies ahead of the current segment can't have been read: somebody else has written there.
		const freeBelow = this.#freeBelow <= this.#index ? this.#freeBelow : 0;
		return segment !== this.#current && segment !== this.#prepared && segment.index < freeBelow;
	}

	/** The largest free segment with room; it must not be much larger than what is asked for by then. */
	#findFree(needed: number): Segment | undefined {
		let best: Segment | undefined;
		for (const segment of this.#segments) {
			if (segment === undefined || segment.sizeBytes < needed || !this.#isFree(segment)) continue;
			if (!segment.isWhole) this.#discard(segment);
			else if (best === undefined || segment.sizeBytes > best.sizeBytes) best = segment;
		}
		// A larger one than any that is free is wanted: give back a small one and make it.
		if (best !== undefined && best.sizeBytes < this.#suitableBytes(best.sizeBytes)) {
			this.#discard(best);
			return undefined;
		}
		return best;
	}

	#make(needed: number, force: boolean): Segment | undefined {
		const { room } = this.#owner;
		const least = Math.max(this.#firstBytes, roundUp(needed));
		for (const sizeBytes of new Set([this.#suitableBytes(least), least])) {
			const segment = force || room.fits(sizeBytes) ? this.#create(sizeBytes, force) : undefined;
			if (segment !== undefined) return segment;
		}
		// Segments that hold nothing that is wanted, each the current one of its lane, must not keep the spool full.
		return least === this.#firstBytes && this.#isDrained ? this.#create(least, true) : undefined;
	}

	/** The size for the pace of this lane, or the next smaller one that leaves enough for others; at least `least`. */
	#suitableBytes(least: number): number {
		for (let sizeBytes = this.#nextBytes; sizeBytes > least; sizeBytes = roundUp(sizeBytes / growth)) {
			if (this.#owner.room.hasPlentyFor(sizeBytes)) return sizeBytes;
		}
		return least;
	}

	/** Whether all that stands in this lane is in its file; with nothing in it, whether that is so of the whole spool. */
	get #isDrained(): boolean {
		const { control, slotWord, room } = this.#owner;
		if (this.#current === undefined) return room.isDrained;
		const slot = slotWord + laneIndex[this.lane];
		const { words } = control.mapping;
		return Atomics.load(words, slot + slotWords.written) === Atomics.load(words, slot + slotWords.appended);
	}

	#create(sizeBytes: number, force: boolean): Segment | undefined {
		const { room, directory } = this.#owner;
		let place = this.#segments.indexOf(undefined);
		if (place < 0) place = this.#segments.length;
		try {
			const segment = Segment.create(segmentFile(directory, this.lane, place), place, sizeBytes, room, force);
			if (segment !== undefined) this.#segments[place] = segment;
			return segment;
		} catch (error) {
			// No room for the file itself, or none of that size: a smaller one may be possible.
			if (noRoom.has(systemCode(error))) return undefined;
			throw error;
		}
	}

	#discard(segment: Segment): void {
		this.#segments[segment.place] = undefined;
		segment.discard(this.#owner.room);
	}
}

/** Size of a segment with room for a record of `bytes`. */
function neededFor(bytes: number): number {
	return bytes + segmentHeaderBytes + segmentTailBytes;
}

function roundUp(bytes: number): number {
	return Math.ceil(bytes / 4096) * 4096;
}

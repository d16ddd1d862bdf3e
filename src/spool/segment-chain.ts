/**
 * The segments of one lane of one producer: the one being written, one made ready ahead of need, and those that wait to
 * be read or to be used again.
 *
 * Segments are used again rather than made anew: their pages are warm and their space is reserved already. A lane that
 * fills segments quickly gets larger ones, up to `maxSegmentBytes`; what it no longer needs is given back.
 */

import { diskSpace } from "../platform/machine.ts";
import { PylogError, systemCode } from "../shared/errors.ts";
import { type Lane, laneIndex } from "../shared/lane.ts";
import type { ControlFile } from "./control-file.ts";
import { slotWords } from "./control-layout.ts";
import { segmentFile } from "./paths.ts";
import { segmentTailBytes } from "./record-codec.ts";
import { Segment } from "./segment.ts";
import { segmentHeaderBytes } from "./segment-header.ts";

/** Small, so that a short command pays little. */
export const firstSegmentBytes: number = 64 * 1024;
export const maxSegmentBytes: number = 4 * 1024 * 1024;
/** Segments a lane keeps: the current, the next, and one that the logman is reading. */
export const keptSegments = 3;
/** A segment that was filled within this time is followed by a larger one. */
export const quickFillMs = 250;
/** Part of the disk that Pylog leaves free, and the most it insists on. */
export const freeShare = 0.02;
export const freeBytesAtMost: number = 256 * 1024 * 1024;

export interface ChainOwner {
	readonly control: ControlFile;
	readonly directory: string;
	readonly producer: number;
	readonly nonce: number;
	/** First word of the producer's slot. */
	readonly slotWord: number;
	readonly maxSpoolBytes: number;
}

export class SegmentChain {
	readonly lane: Lane;
	readonly #owner: ChainOwner;
	/** All segments, by place; a place whose segment was given back is empty. */
	readonly #segments: (Segment | undefined)[] = [];
	#current: Segment | undefined;
	#prepared: Segment | undefined;
	#index = 0;
	#nextBytes: number = firstSegmentBytes;
	#begunMs = 0;

	constructor(lane: Lane, owner: ChainOwner) {
		this.lane = lane;
		this.#owner = owner;
	}

	/** The segment being written; `undefined` before the first record. */
	get current(): Segment | undefined {
		return this.#current;
	}

	/** Whether there are more segments than a lane that keeps up with its logging needs. */
	get hasSurplus(): boolean {
		return this.#count > keptSegments;
	}

	/**
	 * The segment that follows the current one, with room for a record of `bytes`. It is not the current one until
	 * {@link SegmentChain.advance}, which must come after the end record that links to it.
	 *
	 * @param force Passes over the spool's limit (not over a full disk): for the notice that tells of drops.
	 * @throws PylogError PYLOG_SPOOL_FULL when limit or disk allow no further segment.
	 */
	next(bytes: number, force = false): Segment {
		const needed = bytes + segmentHeaderBytes + segmentTailBytes;
		const prepared = this.#prepared;
		const isLarge = prepared !== undefined && prepared.sizeBytes >= needed;
		const segment = isLarge ? prepared : (this.#findFree(needed) ?? this.#make(needed, force));
		// Until it is linked and current, it may be begun again: a call that ends in between has changed nothing.
		this.#prepared = segment;
		const { producer, nonce } = this.#owner;
		segment.begin({ producer, nonce, lane: this.lane, index: this.#index + 1 });
		return segment;
	}

	/** Makes `segment` the current one. */
	advance(segment: Segment): void {
		const nowMs = Date.now();
		if (this.#current !== undefined && nowMs - this.#begunMs < quickFillMs) {
			this.#nextBytes = Math.min(this.#nextBytes * 4, maxSegmentBytes);
		}
		this.#begunMs = nowMs;
		this.#index = segment.index;
		this.#prepared = undefined;
		this.#current = segment;
	}

	/** Makes the next segment ready ahead of need, and gives back what is free beyond a few. */
	maintain(): void {
		if (this.#index > 1) this.#prepare();
		let surplus = this.#count - keptSegments;
		for (const segment of this.#segments) {
			if (surplus <= 0) return;
			if (segment === undefined || !this.#isFree(segment)) continue;
			this.#discard(segment);
			surplus -= 1;
		}
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

	/** A full spool is no error here: it may have room again when the segment is needed. */
	#prepare(): void {
		if (this.#prepared !== undefined) return;
		const needed = segmentHeaderBytes + segmentTailBytes;
		try {
			this.#prepared = this.#findFree(needed) ?? this.#make(needed, false);
		} catch (error) {
			if (!(error instanceof PylogError) && systemCode(error) === undefined) throw error;
		}
	}

	#isFree(segment: Segment): boolean {
		if (segment === this.#current || segment === this.#prepared) return false;
		const { control, slotWord } = this.#owner;
		const freeBelow = Atomics.load(control.mapping.words, slotWord + slotWords.freeBelow + laneIndex[this.lane]);
		// What lies ahead of the current segment can't have been read: somebody else has written there.
		return segment.index < freeBelow && freeBelow <= this.#index;
	}

	/** The largest free segment with room; it must not be much larger than what is asked for by then. */
	#findFree(needed: number): Segment | undefined {
		let best: Segment | undefined;
		for (const segment of this.#segments) {
			if (segment === undefined || segment.sizeBytes < needed || !this.#isFree(segment)) continue;
			if (best === undefined || segment.sizeBytes > best.sizeBytes) best = segment;
		}
		// A larger one than any that is free is wanted: give back a small one and make it.
		if (best !== undefined && best.sizeBytes < this.#nextBytes && this.#fits(this.#nextBytes)) {
			this.#discard(best);
			return undefined;
		}
		return best;
	}

	#make(needed: number, force: boolean): Segment {
		const wanted = Math.max(this.#nextBytes, roundUp(needed));
		for (const sizeBytes of new Set([wanted, Math.max(firstSegmentBytes, roundUp(needed))])) {
			if (!force && !this.#fits(sizeBytes)) continue;
			return this.#create(sizeBytes);
		}
		const limit = this.#owner.maxSpoolBytes;
		throw new PylogError(
			"PYLOG_SPOOL_FULL",
			`The spool ${this.#owner.directory} has reached its limit of ${limit} bytes.`,
			{
				details: { limit },
			},
		);
	}

	#fits(sizeBytes: number): boolean {
		const { control, maxSpoolBytes, directory } = this.#owner;
		// Signed: should deaths between two of its changes ever leave it below zero, that is no full spool.
		const reservedKib = control.load("reservedKib") | 0;
		if (reservedKib * 1024 + sizeBytes > maxSpoolBytes) return false;
		const { freeBytes, totalBytes } = diskSpace(directory);
		return freeBytes - sizeBytes >= Math.min(totalBytes * freeShare, freeBytesAtMost);
	}

	#create(sizeBytes: number): Segment {
		const { control, directory } = this.#owner;
		let place = this.#segments.indexOf(undefined);
		if (place < 0) place = this.#segments.length;
		control.add("reservedKib", sizeBytes / 1024);
		try {
			const segment = Segment.create(segmentFile(directory, this.lane, place), place, sizeBytes);
			this.#segments[place] = segment;
			return segment;
		} catch (error) {
			control.add("reservedKib", -sizeBytes / 1024);
			throw systemCode(error) === "ENOSPC"
				? new PylogError("PYLOG_SPOOL_FULL", "The disk is full.", { cause: error })
				: error;
		}
	}

	#discard(segment: Segment): void {
		this.#segments[segment.place] = undefined;
		segment.discard();
		this.#owner.control.add("reservedKib", -segment.sizeBytes / 1024);
	}
}

function roundUp(bytes: number): number {
	return Math.ceil(bytes / 4096) * 4096;
}

/**
 * The room a spool has for segments: its own limit, which all its producers share by a sum in the control file, and what
 * its disk has, of which a part stays free.
 *
 * Invariants: the sum never passes the limit, however many producers take room at once (but for what is forced). A death
 * between the change of the sum and that of a file leaves the sum too low, never too high: a spool must not stay full
 * for what is not there. So what a file takes is added once the file has its size, and subtracted before it is removed.
 */

import { diskSpace } from "../platform/machine.ts";
import { announceStore } from "../platform/step.ts";
import type { ControlFile } from "./control-file.ts";

/** Part of the disk that Pylog leaves free, and the most it insists on. */
export const freeShare = 0.02;
export const freeBytesAtMost: number = 256 * 1024 * 1024;
/**
 * A segment of more than the first size takes at most so much of the room that is left: each lane keeps the one it writes,
 * and many that are large would leave a spool scarce in which nothing waits.
 */
const largestPartOfRoom = 1 / 128;
/** How long an answer of the disk is good enough while there is little room. */
export const askAgainMs = 10;

export class SpoolRoom {
	readonly limitBytes: number;
	readonly #control: ControlFile;
	readonly #directory: string;
	/** What all segments may take, in KiB, by the last answer of the disk. */
	#allowedKib: number;
	#foundScarceMs: number = Number.NEGATIVE_INFINITY;

	constructor(control: ControlFile, directory: string, limitBytes: number) {
		this.#control = control;
		this.#directory = directory;
		this.limitBytes = limitBytes;
		this.#allowedKib = limitBytes / 1024;
	}

	/** KiB that all segments take. Signed: should deaths ever leave it below zero, that is no full spool. */
	get takenKib(): number {
		return this.#control.load("reservedKib") | 0;
	}

	/** Whether every line that was logged is in its file: the segments hold nothing that is wanted. */
	get isDrained(): boolean {
		return this.#control.load("written") === this.#control.load("nextNumber");
	}

	/** Whether a segment of that size may be made. Asks the disk. @throws the file system's error */
	fits(sizeBytes: number): boolean {
		this.#askDisk();
		return this.takenKib + sizeBytes / 1024 <= this.#allowedKib;
	}

	/** Whether a segment of that size leaves enough for the other lanes. Asks the disk. @throws the file system's error */
	hasPlentyFor(sizeBytes: number): boolean {
		this.#askDisk();
		return sizeBytes / 1024 <= (this.#allowedKib - this.takenKib) * largestPartOfRoom;
	}

	/**
	 * Whether more than `share` of the room is taken. Asks the disk only if it seems so, and not with every call.
	 *
	 * @param giveBack Called before the disk is asked: gives back what the caller holds and does not need.
	 */
	isScarce(share: number, giveBack?: () => void): boolean {
		if (this.takenKib <= share * this.#allowedKib) return false;
		const nowMs = performance.now();
		if (nowMs - this.#foundScarceMs < askAgainMs) return true;
		giveBack?.();
		try {
			this.#askDisk();
		} catch {
			// The folder is gone: whoever makes the next segment finds out.
		}
		const isScarce = this.takenKib > share * this.#allowedKib;
		if (isScarce) this.#foundScarceMs = nowMs;
		return isScarce;
	}

	/** Adds what a new segment takes; `false` when another producer was faster and the limit is reached. */
	take(sizeBytes: number, force: boolean): boolean {
		const kib = sizeBytes / 1024;
		announceStore("segment.take-space");
		const before = this.#control.add("reservedKib", kib) | 0;
		if (force || (before + kib) * 1024 <= this.limitBytes) return true;
		this.giveBack(sizeBytes);
		return false;
	}

	giveBack(sizeBytes: number): void {
		announceStore("segment.give-back-space");
		this.#control.add("reservedKib", -sizeBytes / 1024);
	}

	#askDisk(): void {
		const { freeBytes, totalBytes } = diskSpace(this.#directory);
		const usableBytes = freeBytes - Math.min(totalBytes * freeShare, freeBytesAtMost);
		this.#allowedKib = Math.min(this.limitBytes / 1024, this.takenKib + Math.max(0, usableBytes / 1024));
	}
}

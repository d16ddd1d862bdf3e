/**
 * The horizon: the number below which every record is either committed or never will be. The reader's half of the
 * protocol in `producer.ts`.
 *
 * Read the counter first, then the slots. A number below the counter was taken before the counter was read, so its
 * bound had been stored by then: the slot still shows a bound no higher than the number, or the record is committed. So
 * everything below min(counter, all bounds) is settled, without any waiting and without clocks.
 *
 * Two kinds of producers would hold the horizon up: a dead one (its lock is free: its bound is ignored, its tail will
 * never be committed) and one that is stopped inside an append (passed over after a deadline; what it commits later is
 * written late).
 */

import { isLocked } from "../platform/file-lock.ts";
import { liftQueueNumber, type QueueNumber } from "../shared/numbers.ts";
import type { ControlFile } from "./control-file.ts";
import { slotWords } from "./control-layout.ts";
import { aliveFile, producerDirectory } from "./paths.ts";

/** A live producer that stays in its append for so long is passed over. */
export const passOverMs = 1000;
/** An append takes nanoseconds: after this time it is worth asking whether the producer lives. */
export const askMs = 5;

interface Waiting {
	readonly bound: number;
	readonly sinceMs: number;
}

export class Horizon {
	readonly #control: ControlFile;
	/** Slots whose bound was seen before, by slot. */
	readonly #waiting = new Map<number, Waiting>();
	#highest: QueueNumber;
	/** A full number near to all that come. */
	#reference: QueueNumber;
	#isHeldUp = false;

	/** @param seen A number known to be below everything that comes: the last horizon, or 0. */
	constructor(control: ControlFile, seen: QueueNumber) {
		this.#control = control;
		this.#highest = seen;
		this.#reference = seen > 0 ? seen : control.counter();
	}

	/** Whether some bound held the last reading up: it is worth asking again soon. */
	get isHeldUp(): boolean {
		return this.#isHeldUp;
	}

	/** The horizon now. It never goes back. */
	read(): QueueNumber {
		const control = this.#control;
		const counter = liftQueueNumber(control.load("nextNumber"), this.#reference);
		let horizon = counter;
		const slots = control.slotsUsed;
		const words = control.mapping.words;
		this.#isHeldUp = false;
		for (let slot = 0; slot < slots; slot++) {
			const bound = Atomics.load(words, control.slotWord(slot) + slotWords.bound);
			if (bound === 0) {
				if (this.#waiting.size > 0) this.#waiting.delete(slot);
			} else if (!this.#mayPass(slot, bound)) {
				this.#isHeldUp = true;
				const lifted = liftQueueNumber(bound, counter);
				if (lifted < horizon) horizon = lifted;
			}
		}
		this.#reference = counter;
		if (horizon > this.#highest) this.#highest = horizon;
		control.store("numberHigh", Math.floor(counter / 2 ** 32));
		return this.#highest;
	}

	/** Whether a bound can be ignored: its producer is dead, or has been in its append past the deadline. */
	#mayPass(slot: number, bound: number): boolean {
		const nowMs = performance.now();
		const seen = this.#waiting.get(slot);
		if (seen === undefined || seen.bound !== bound) {
			this.#waiting.set(slot, { bound, sinceMs: nowMs });
			return false;
		}
		const waitedMs = nowMs - seen.sinceMs;
		if (waitedMs < askMs) return false;
		if (waitedMs >= passOverMs) return true;
		const owner = this.#control.mapping.words[this.#control.slotWord(slot) + slotWords.owner] as number;
		return !isLocked(aliveFile(producerDirectory(this.#control.paths, owner >>> 0)));
	}
}

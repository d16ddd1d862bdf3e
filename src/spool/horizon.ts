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
 * written late). The deadline is one of time that the reader itself was running: when both are stopped and continued,
 * nobody is late.
 *
 * A bound is a wish. What it can't be below is known here: a slot that showed no append in the reading before takes a
 * number from that reading's counter on, and the append that follows another takes one from the counter on that was read
 * before the other was seen. So whatever a broken or hostile producer stores, it holds nothing up for longer than the
 * deadline.
 */

import { isLocked } from "../platform/file-lock.ts";
import { RunningTime } from "../platform/running-time.ts";
import { announceStore } from "../platform/step.ts";
import { liftQueueNumber, type QueueNumber } from "../shared/numbers.ts";
import type { ControlFile } from "./control-file.ts";
import { slotWords } from "./control-layout.ts";
import { aliveFile, producerDirectory } from "./paths.ts";

/** A live producer that stays in its append for so long is passed over. */
export const passOverMs = 1000;
/** An append takes nanoseconds: after this time it is worth asking whether the producer lives. */
export const askMs = 5;

/** What lies between two readings counts for so much of the deadline at most: it takes three of them. */
const longestStepMs: number = passOverMs / 2;

/** An append that was seen. */
interface Waiting {
	/** Its slot's bound. */
	readonly bound: number;
	/** Its number is not below this. */
	readonly lowest: QueueNumber;
	/** The counter, read before the append was first seen: no later one of the slot takes a lower number. */
	readonly counter: QueueNumber;
	readonly sinceMs: number;
	/** Whether the slot has shown what no append could store. */
	isSuspect: boolean;
}

export class Horizon {
	readonly #control: ControlFile;
	readonly #onSuspect: (producer: number) => void;
	readonly #time = new RunningTime(longestStepMs);
	/** Appends that were going on in the last reading, by slot. */
	readonly #waiting = new Map<number, Waiting>();
	#highest: QueueNumber;
	/** A full number near to all that come. */
	#reference: QueueNumber;
	/** The counter in the last reading. */
	#lastCounter: QueueNumber | undefined;
	#isHeldUp = false;

	/**
	 * @param seen A number known to be below everything that comes: the last horizon, or 0.
	 * @param onSuspect Told of a producer whose slot shows bounds that no append stores, once for each time it is held up.
	 */
	constructor(control: ControlFile, seen: QueueNumber, onSuspect: (producer: number) => void = () => undefined) {
		this.#control = control;
		this.#onSuspect = onSuspect;
		this.#highest = seen;
		this.#reference = seen > 0 ? seen : control.counter();
	}

	/** Whether some bound held the last reading up: it is worth asking again soon. */
	get isHeldUp(): boolean {
		return this.#isHeldUp;
	}

	/**
	 * Whether a bound that the last reading passed over is not there any more: what its producer has committed since is
	 * below the horizon, and no new number tells of it.
	 */
	get isPassedGone(): boolean {
		const { words } = this.#control.mapping;
		for (const [slot, { bound }] of this.#waiting) {
			if (Atomics.load(words, this.#control.slotWord(slot) + slotWords.bound) !== bound) return true;
		}
		return false;
	}

	/** The horizon now. It never goes back. */
	read(): QueueNumber {
		const control = this.#control;
		const nowMs = this.#time.nowMs();
		const counter = this.#counter();
		let horizon = counter;
		const slots = control.load("slotsUsed");
		const words = control.mapping.words;
		this.#isHeldUp = false;
		for (let slot = 0; slot < slots; slot++) {
			const bound = Atomics.load(words, control.slotWord(slot) + slotWords.bound);
			if (bound === 0) {
				if (this.#waiting.size > 0) this.#waiting.delete(slot);
				continue;
			}
			const append = this.#see(slot, bound, counter, nowMs);
			if (this.#mayPass(slot, nowMs - append.sinceMs)) continue;
			this.#isHeldUp = true;
			if (append.lowest < horizon) horizon = append.lowest;
		}
		this.#reference = counter;
		this.#lastCounter = counter;
		if (horizon > this.#highest) this.#highest = horizon;
		announceStore("control.number-high");
		control.store("numberHigh", Math.floor(counter / 2 ** 32));
		return this.#highest;
	}

	#counter(): QueueNumber {
		return liftQueueNumber(this.#control.load("nextNumber"), this.#reference);
	}

	/** The append that a bound stands for: one that was seen before, or a new one. */
	#see(slot: number, bound: number, counter: QueueNumber, sinceMs: number): Waiting {
		const seen = this.#waiting.get(slot);
		if (seen?.bound === bound) return seen;
		const full = liftQueueNumber(bound, counter);
		// The counter stood at 0 where the bound is one below.
		const isStorable = full + (bound === -1 ? 1 : 0) >= (seen?.counter ?? 0) && full <= this.#counter();
		if (seen !== undefined && !isStorable) {
			this.#suspect(slot, seen);
			return seen;
		}
		const lowest = seen?.counter ?? this.#lastCounter ?? full;
		const append = { bound, lowest: isStorable && full > lowest ? full : lowest, counter, sinceMs, isSuspect: false };
		this.#waiting.set(slot, append);
		return append;
	}

	#suspect(slot: number, append: Waiting): void {
		if (append.isSuspect) return;
		append.isSuspect = true;
		this.#onSuspect(this.#owner(slot));
	}

	/** Whether a bound can be ignored: its producer is dead, or has been in its append past the deadline. */
	#mayPass(slot: number, waitedMs: number): boolean {
		if (waitedMs < askMs) return false;
		if (waitedMs >= passOverMs) return true;
		return !isLocked(aliveFile(producerDirectory(this.#control.paths, this.#owner(slot))));
	}

	#owner(slot: number): number {
		return (this.#control.mapping.words[this.#control.slotWord(slot) + slotWords.owner] as number) >>> 0;
	}
}

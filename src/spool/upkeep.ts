/**
 * When a producer looks after its segments: soon after something has changed, outside of any logging call, and once more
 * when it rests. Its timers keep no process alive.
 */

import { monotonicMs } from "../platform/monotonic-clock.ts";

/** A producer that has appended nothing for so long rests. */
const restMs = 5000;

export class Upkeep {
	readonly #work: () => void;
	readonly #rest: () => boolean;
	#soon: NodeJS.Timeout | undefined;
	/** When that is due, by `monotonicMs`. */
	#dueMs = 0;
	#later: NodeJS.Timeout | undefined;

	/**
	 * @param work What is to be done soon after a change.
	 * @param rest Asked from time to time after that until it returns true: whether the producer rests, and then what is to
	 *   be done for it.
	 */
	constructor(work: () => void, rest: () => boolean) {
		this.#work = work;
		this.#rest = rest;
	}

	/** Lets the work be done in `delayMs`, or earlier where it is due by then. */
	soon(delayMs: number): void {
		const dueMs = monotonicMs() + delayMs;
		if (this.#soon === undefined || dueMs < this.#dueMs) {
			clearTimeout(this.#soon);
			this.#dueMs = dueMs;
			this.#soon = setTimeout(() => {
				this.#soon = undefined;
				this.#work();
			}, delayMs).unref();
		}
		this.#later ??= setInterval(() => {
			if (this.#rest()) this.#endRest();
		}, restMs).unref();
	}

	stop(): void {
		clearTimeout(this.#soon);
		this.#endRest();
	}

	#endRest(): void {
		clearInterval(this.#later);
		this.#later = undefined;
	}
}

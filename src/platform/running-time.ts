/**
 * Time as this process has lived it: it stands still while the process is stopped (SIGSTOP, a frozen container, a
 * debugger), so that a deadline for somebody else does not pass while nobody could have met it.
 *
 * Invariants: monotonic, independent of the wall clock, and of clocks that an application puts in the place of Node's.
 */

import { monotonicMs } from "./monotonic-clock.ts";

export class RunningTime {
	readonly #longestStepMs: number;
	#seenAtMs: number = monotonicMs();
	#nowMs = 0;

	/** @param longestStepMs What lies between two looks counts for so much at most. */
	constructor(longestStepMs: number) {
		this.#longestStepMs = longestStepMs;
	}

	/** Milliseconds since this was made, without those in which the process was stopped. */
	nowMs(): number {
		const atMs = monotonicMs();
		this.#nowMs += Math.min(atMs - this.#seenAtMs, this.#longestStepMs);
		this.#seenAtMs = atMs;
		return this.#nowMs;
	}
}

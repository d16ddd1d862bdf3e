/**
 * Keeps the control file's `reservedKib` true. Producers add before they make a segment and subtract after they removed one,
 * the logman when it has removed a dead producer's: a death in between leaves too much counted, for ever if nobody looked.
 *
 * The count can't be compared with the files at once, for producers change both without any lock. But what they are in the
 * middle of takes milliseconds: a difference that is the same twice, a second apart, with the count unchanged during
 * each look, is what a death left. Should it be a producer that is stopped in the middle all the same, a later look
 * puts it right again.
 */

import type { ControlFile } from "./control-file.ts";
import { segmentKib } from "./numbering.ts";

/** A look costs two system calls for each producer and one for each segment. */
const usualPauseMs = 10 * 60 * 1000;
const confirmPauseMs = 1000;
const longestConfirmPauseMs = 60_000;

export class ReservedSpace {
	readonly #control: ControlFile;
	#dueMs = Number.NEGATIVE_INFINITY;
	#pauseMs: number = confirmPauseMs;
	/** What was too much at the last look, if that is to be confirmed. */
	#suspectedKib: number | undefined;

	constructor(control: ControlFile) {
		this.#control = control;
	}

	/** Looks if it is time to, and corrects what deaths have left. Only the holder of the lease may. */
	check(nowMs: number): void {
		if (nowMs < this.#dueMs) return;
		const surplusKib = this.#surplusKib();
		const isConfirmed = surplusKib !== undefined && surplusKib === this.#suspectedKib;
		if (isConfirmed) this.#control.add("reservedKib", -surplusKib);
		const isDone = isConfirmed || surplusKib === 0;
		this.#suspectedKib = isDone ? undefined : surplusKib;
		this.#dueMs = nowMs + (isDone ? usualPauseMs : this.#pauseMs);
		this.#pauseMs = isDone ? confirmPauseMs : Math.min(this.#pauseMs * 2, longestConfirmPauseMs);
	}

	/** KiB that are counted and that no segment has; `undefined` while producers change the count. */
	#surplusKib(): number | undefined {
		const before = this.#control.load("reservedKib");
		const kib = segmentKib(this.#control.paths);
		return this.#control.load("reservedKib") === before ? (before - kib) | 0 : undefined;
	}
}

/**
 * When it is time to store that what was delivered is done, and to tell the producers.
 *
 * At once behind a pause: a process may wait for it that ends. Batches that follow each other closely are confirmed by the next
 * one's checkpoint, or when nothing follows: to store twice for each would cost a trickle of lines a fifth of its time.
 */

/** How often producers are told what is written while there is more to write. */
const intervalMs = 100;
/** Batches within this time follow each other closely. */
const closeMs = 20;

export class Telling {
	#toldAtMs = 0;
	#deliveredAtMs = 0;
	#isDone = true;

	/** Whether all that is delivered is told. As long as it is not, nobody rings for it: the logman must stay awake. */
	get isDone(): boolean {
		return this.#isDone;
	}

	/**
	 * Notes a round, and returns whether it is time.
	 *
	 * @param hasNews Whether something was delivered in it.
	 * @param hasMore Whether more may wait.
	 */
	isDue(nowMs: number, hasNews: boolean, hasMore: boolean): boolean {
		const isClose = nowMs - this.#deliveredAtMs < closeMs;
		if (hasNews) this.#deliveredAtMs = nowMs;
		// Under a flood as well: those who wait for what is written must hear of it.
		this.#isDone = nowMs - this.#toldAtMs >= intervalMs || (!hasMore && !(hasNews && isClose));
		if (this.#isDone) this.#toldAtMs = nowMs;
		return this.#isDone;
	}
}

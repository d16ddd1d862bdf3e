/** When to try something again that failed: after growing pauses. */

const firstPauseMs = 250;
const longestPauseMs = 10_000;

export class Retry {
	#pauseMs = firstPauseMs;
	/** On the monotonic clock; 0 before the first failure. */
	nextTryMs = 0;

	isDue(nowMs: number): boolean {
		return nowMs >= this.nextTryMs;
	}

	/** Notes that it failed (again). */
	postpone(nowMs: number): void {
		this.nextTryMs = nowMs + this.#pauseMs;
		this.#pauseMs = Math.min(this.#pauseMs * 2, longestPauseMs);
	}

	/** Notes that it went on for a part, or that trying costs nothing: the pauses grow from here again. */
	soon(nowMs: number, pauseMs: number): void {
		this.nextTryMs = nowMs + pauseMs;
		this.#pauseMs = pauseMs * 2;
	}

	/** Notes that it has worked so far: the next failure is the first again. */
	reset(): void {
		this.#pauseMs = firstPauseMs;
	}
}

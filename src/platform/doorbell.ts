/**
 * A word in shared memory on which one process sleeps and any other wakes it: a futex.
 *
 * The word is 1 while the sleeper sleeps, 0 otherwise. Ringing costs one load while nobody sleeps. The sleeper must
 * look for work once more between {@link Doorbell.prepare} and {@link Doorbell.sleep}: a ring in between makes the
 * sleep return at once.
 */

import { futexWait, futexWake } from "./libc.ts";
import type { Mapping } from "./mapping.ts";

export class Doorbell {
	readonly #mapping: Mapping;
	readonly #wordIndex: number;

	constructor(mapping: Mapping, wordIndex: number) {
		this.#mapping = mapping;
		this.#wordIndex = wordIndex;
	}

	/** Announces the sleep. */
	prepare(): void {
		Atomics.store(this.#mapping.words, this.#wordIndex, 1);
	}

	/** Takes the announcement back. */
	cancel(): void {
		Atomics.store(this.#mapping.words, this.#wordIndex, 0);
	}

	/** Sleeps until rung, `timeoutMs` at most. */
	async sleep(timeoutMs: number): Promise<void> {
		await futexWait(this.#mapping.addressOf(this.#wordIndex), 1, timeoutMs);
		this.cancel();
	}

	/** Wakes the sleeper if there is one. Blocks for a system call then, not otherwise. */
	ring(): void {
		if (Atomics.load(this.#mapping.words, this.#wordIndex) === 0) return;
		if (Atomics.exchange(this.#mapping.words, this.#wordIndex, 0) === 1) {
			futexWake(this.#mapping.addressOf(this.#wordIndex));
		}
	}
}

/** Merges chains by queue number: a binary heap of what each would give next. */

import type { LogRecord } from "./log-record.ts";

export interface Source {
	/** Number of `next`, the key of the order. */
	queue: number;
	next: LogRecord;
	/** Takes `next` and puts the one after it in its place; `false` when there is none below the limit. */
	readonly advance: () => boolean;
}

export class Merge {
	readonly #heap: Source[] = [];

	get isEmpty(): boolean {
		return this.#heap.length === 0;
	}

	/** The source whose record comes next. */
	get first(): Source | undefined {
		return this.#heap[0];
	}

	add(source: Source): void {
		const heap = this.#heap;
		let at = heap.length;
		heap.push(source);
		while (at > 0) {
			const parent = (at - 1) >>> 1;
			if ((heap[parent] as Source).queue <= source.queue) break;
			heap[at] = heap[parent] as Source;
			at = parent;
		}
		heap[at] = source;
	}

	/** Moves the first source on to its next record, or out. */
	advance(): void {
		const heap = this.#heap;
		const first = heap[0] as Source;
		if (first.advance()) {
			this.#sink(first);
			return;
		}
		const last = heap.pop() as Source;
		if (heap.length > 0) this.#sink(last);
	}

	#sink(source: Source): void {
		const heap = this.#heap;
		const count = heap.length;
		let at = 0;
		for (;;) {
			let child = at * 2 + 1;
			if (child >= count) break;
			if (child + 1 < count && (heap[child + 1] as Source).queue < (heap[child] as Source).queue) child += 1;
			if ((heap[child] as Source).queue >= source.queue) break;
			heap[at] = heap[child] as Source;
			at = child;
		}
		heap[at] = source;
	}
}

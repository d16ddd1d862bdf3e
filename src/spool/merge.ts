/** Merges chains by queue number: a binary heap of what each would give next. */

import type { LaneIndex } from "../shared/lane.ts";
import type { QueueNumber } from "../shared/numbers.ts";
import type { ChainReader } from "./chain-reader.ts";
import type { ProducerReader } from "./producer-reader.ts";

/** A lane of a producer while it is read. */
export interface Source {
	/** Number of the record that comes next, the key of the order. */
	queue: number;
	readonly producer: ProducerReader;
	readonly chain: ChainReader;
	readonly lane: LaneIndex;
	/** Nothing from this number on is read. */
	readonly limit: QueueNumber;
	/** What the producer's slot said before the reading. */
	readonly appended: number;
}

export class Merge {
	readonly #heap: Source[] = [];

	/** The source whose record comes next. */
	get first(): Source | undefined {
		return this.#heap[0];
	}

	/** The lowest number of all others: below it, the first one goes on without any being asked. */
	get nextOther(): number {
		const [, left, right] = this.#heap;
		if (left === undefined) return Number.POSITIVE_INFINITY;
		return right === undefined ? left.queue : Math.min(left.queue, right.queue);
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

	/** Puts the first source in its place: its number has gone up. */
	settle(): void {
		const { first } = this;
		if (first !== undefined) this.#sink(first);
	}

	/** Takes the first source out: it has nothing more. */
	drop(): void {
		const last = this.#heap.pop();
		if (last !== undefined && this.#heap.length > 0) this.#sink(last);
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

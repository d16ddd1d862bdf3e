/**
 * Gives one batch after the other, as the reader of the spool has them. The next one may be read while the one before it is
 * being written: the kernel takes that long to copy the lines, and the logman has nothing else to do.
 *
 * Invariant: there are two batches, one that was given and one that is read ahead. What was given stays as it is until the
 * next one is read, which is only begun when it is being written or done.
 */

import type { SpoolReader } from "../spool/spool-reader.ts";
import type { Batch } from "./batch.ts";

export interface ReadBatch {
	readonly batch: Batch;
	/** Whether more may wait behind it. */
	readonly hasMore: boolean;
	/** What ended the reading: what was read before is a batch as well, the reader does not give it again. */
	readonly failure?: { readonly cause: unknown };
}

export class BatchReader {
	readonly #reader: SpoolReader;
	#given: Batch;
	#other: Batch;
	#ahead: ReadBatch | undefined;

	/** @param batches Two of them, empty. */
	constructor(reader: SpoolReader, batches: readonly [Batch, Batch]) {
		this.#reader = reader;
		[this.#given, this.#other] = batches;
	}

	/** A batch with nothing in it: for whoever needs one before the first is read, and empties it again. */
	get empty(): Batch {
		return this.#given;
	}

	/** Whether a batch is read that was not given. */
	get hasAhead(): boolean {
		return this.#ahead !== undefined;
	}

	/**
	 * The next batch. All that was given before is delivered.
	 *
	 * @param stopAt Low bits of a number: nothing from there on is read, unless it is read already.
	 */
	next(stopAt: number | undefined): ReadBatch {
		const ahead = this.#ahead;
		if (ahead === undefined) return this.#read(this.#given, stopAt);
		this.#ahead = undefined;
		this.#reader.takeAhead();
		[this.#given, this.#other] = [this.#other, this.#given];
		return ahead;
	}

	/** Reads the batch that {@link next} gives next, while the one that was given is written. */
	readAhead(stopAt: number | undefined): void {
		if (this.#ahead !== undefined) return;
		this.#reader.beginAhead();
		this.#ahead = this.#read(this.#other, stopAt);
	}

	#read(batch: Batch, stopAt: number | undefined): ReadBatch {
		try {
			batch.clear();
			return { batch, hasMore: this.#reader.read((record) => batch.add(record), stopAt) };
		} catch (cause) {
			return { batch, hasMore: true, failure: { cause } };
		}
	}
}

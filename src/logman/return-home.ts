/**
 * Brings lines back that are not where they belong: parked ones into their output, those of a failed sync to their place in
 * it. An output whose write is in doubt is looked at first.
 */

import { AppendError, readRange } from "../sinks/file/output-file.ts";
import { StalledError } from "../sinks/file/slow-calls.ts";
import { systemCode } from "../shared/errors.ts";
import type { Delivery } from "./delivery.ts";
import type { ParkedOutput } from "./parked-outputs.ts";
import type { SavedTail, SavedTails } from "./saved-tails.ts";
import type { Standing } from "./standing.ts";

/** More than a batch: an output that lines keep coming for catches up all the same. */
const bytesAtOnce = 4 * 1024 * 1024;

export class ReturnHome {
	readonly #standing: Standing;
	readonly #tails: SavedTails;
	readonly #delivery: Delivery;

	constructor(standing: Standing, tails: SavedTails, delivery: Delivery) {
		this.#standing = standing;
		this.#tails = tails;
		this.#delivery = delivery;
	}

	/** Whether nothing waits to be brought back. */
	get isDone(): boolean {
		return this.#standing.parked.size === 0 && this.#tails.size === 0;
	}

	/** When something is due next; `Infinity` when nothing waits. */
	nextTryMs(): number {
		return Math.min(this.#standing.parked.nextTryMs(), this.#tails.nextTryMs());
	}

	/** Tries what is due. Not while a batch is being written. Returns whether something moved. */
	async pass(nowMs: number): Promise<boolean> {
		let hasMoved = false;
		for (const parked of this.#standing.parked.due(nowMs))
			hasMoved = (await this.#bringBack(parked, nowMs)) || hasMoved;
		for (const tail of this.#tails.due(nowMs)) hasMoved = (await this.#rewrite(tail, nowMs)) || hasMoved;
		return hasMoved;
	}

	async #bringBack(parked: ParkedOutput, nowMs: number): Promise<boolean> {
		try {
			await this.#settle(parked);
			const waiting = await readWaiting(parked, parked.broughtBack + bytesAtOnce);
			if (waiting.length > 0) await this.#bringBackBytes(parked, waiting);
			else if (parked.dropped !== undefined) await this.#delivery.tellDrops(parked, parked.dropped.notice);
			else await this.#release(parked);
			parked.retry.reset();
			return true;
		} catch (error) {
			parked.retry.postpone(nowMs);
			this.#standing.reportUnwritable(parked.path, error);
			return false;
		}
	}

	/** Finds out whether the write that was in doubt has happened. @throws StalledError while that can't be known */
	async #settle(parked: ParkedOutput): Promise<void> {
		const { doubts, outputs } = this.#standing;
		const doubt = doubts.get(parked.path);
		if (doubt === undefined) return;
		const bytes = await readRange(parked.file, doubt.parked.from, doubt.parked.to);
		if (outputs.isStuck(parked.path)) throw new StalledError(`${parked.path} still does not answer`, false);
		const writtenBytes = await this.#standing.countWritten(doubt, bytes);
		outputs.noteAppended(parked.path, doubt, bytes.subarray(0, writtenBytes));
		parked.broughtBack = doubt.parked.from + writtenBytes;
		doubts.delete(parked.path);
	}

	async #bringBackBytes(parked: ParkedOutput, bytes: Buffer): Promise<void> {
		const { doubts, outputs } = this.#standing;
		const { path, broughtBack: from } = parked;
		const { state } = await outputs.file(path);
		doubts.set(path, { path, target: path, ...state, skippedBytes: 0, parked: { from, to: from + bytes.length } });
		this.#standing.store([]);
		this.#standing.sync();
		try {
			await outputs.append(path, bytes);
			parked.broughtBack = from + bytes.length;
		} catch (error) {
			if (error instanceof StalledError && error.isUnderWay) throw error;
			if (error instanceof AppendError) parked.broughtBack += error.writtenBytes;
			doubts.delete(path);
			this.#standing.store([]);
			throw error;
		}
		// They are on disk in parked/: they must be so in their file before they count as brought back.
		if (!(await outputs.sync([path]))) throw new StalledError(`${path} could not be brought to the disk`, false);
		doubts.delete(path);
		this.#standing.store([]);
	}

	async #release(parked: ParkedOutput): Promise<void> {
		const { outputs, aside } = this.#standing;
		await outputs.file(parked.path);
		if (!(await outputs.sync([parked.path])))
			throw new StalledError(`${parked.path} can't be brought to the disk`, false);
		aside.forget(parked.file);
		this.#standing.parked.release(parked);
		this.#standing.store([]);
	}

	async #rewrite(tail: SavedTail, nowMs: number): Promise<boolean> {
		try {
			await this.#standing.outputs.rewrite(tail.path, tail, this.#tails.chunksOf(tail));
			this.#tails.release(tail);
			return true;
		} catch (error) {
			tail.retry.postpone(nowMs);
			const what = "write lines again whose sync failed; they are safe in parked/";
			this.#standing.report({ what, error, output: tail.path });
			return false;
		}
	}
}

/** The parked bytes up to `to` that are not brought back. A file that somebody took away has none. */
async function readWaiting({ file, broughtBack }: ParkedOutput, to: number): Promise<Buffer> {
	try {
		return await readRange(file, broughtBack, to);
	} catch (error) {
		if (systemCode(error) === "ENOENT") return Buffer.alloc(0);
		throw error;
	}
}

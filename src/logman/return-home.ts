/**
 * Brings lines back that are not where they belong: parked ones into their output, those of a failed sync to their place in
 * it. An output whose write is in doubt is looked at first. Nobody waits for a disk meanwhile: syncs go on beside the rest,
 * and what they were about counts as brought back when they have ended.
 */

import { OtherFileError } from "../sinks/file/file-sink.ts";
import { AppendError, readRange } from "../sinks/file/output-file.ts";
import { isRefused } from "../sinks/file/output-paths.ts";
import { StalledError } from "../sinks/file/slow-calls.ts";
import { type PylogError, systemCode } from "../shared/errors.ts";
import { lineEnds } from "./refusals.ts";
import type { Delivery } from "./delivery.ts";
import type { Found, ParkedOutput } from "./parked-outputs.ts";
import type { SavedTail, SavedTails } from "./saved-tails.ts";
import type { Doubt, Standing } from "./standing.ts";

/** More than a batch: an output that lines keep coming for catches up all the same. */
const bytesAtOnce = 4 * 1024 * 1024;
/** For what takes only some of it: as much as a FIFO holds at most by default. */
const bytesAtOnceToStream = 1024 * 1024;
/** Until the next try of an output that has taken a part. */
const soonMs = 5;
/** How often it is looked whether an output answers again; that costs no call. */
const lookMs = 250;
/** What a pass may take, but for the output that passes it: lines for others wait meanwhile, and a thousand may come back at once. */
const maxPassMs = 25;

export class ReturnHome {
	readonly #standing: Standing;
	readonly #tails: SavedTails;
	readonly #delivery: Delivery;
	readonly #onReady: () => void;

	/** @param onReady Called when {@link pass} has something to do before {@link nextTryMs}. */
	constructor(standing: Standing, tails: SavedTails, delivery: Delivery, onReady: () => void) {
		this.#standing = standing;
		this.#tails = tails;
		this.#delivery = delivery;
		this.#onReady = onReady;
	}

	/** Whether nothing waits to be brought back. */
	get isDone(): boolean {
		return this.#standing.parked.size === 0 && this.#tails.size === 0;
	}

	/** Whether something is on its way that {@link pass} takes up when it has arrived. */
	get isMoving(): boolean {
		return this.#standing.parked.isMoving || this.#tails.isMoving;
	}

	/** Whether something is being done that may still write to an output. */
	get isLooking(): boolean {
		return this.#standing.parked.isLooking;
	}

	/** When something is due next; `Infinity` when nothing waits. */
	nextTryMs(): number {
		return Math.min(this.#standing.parked.nextTryMs(), this.#tails.nextTryMs());
	}

	/**
	 * Tries what is due, as much as there is time for. Not while a batch is being written, but while one is held up. Returns
	 * whether something moved, or more is due. @throws what the spool's own disk says
	 */
	async pass(nowMs: number): Promise<boolean> {
		const startMs = performance.now();
		let hasMoved = false;
		for (const tail of this.#tails.due(nowMs)) hasMoved = this.#rewrite(tail, nowMs) || hasMoved;
		for (const parked of this.#standing.parked.due(nowMs)) {
			this.#standing.parked.putLast(parked);
			hasMoved = (await this.#bringBack(parked, nowMs)) || hasMoved;
			if (performance.now() - startMs > maxPassMs) return true;
		}
		return hasMoved;
	}

	async #bringBack(parked: ParkedOutput, nowMs: number): Promise<boolean> {
		if (parked.arriving?.isSynced !== undefined && !this.#arrive(parked, nowMs)) return false;
		// What comes before it in the file is still to be written again.
		if (this.#standing.outputs.isStuck(parked.path) || this.#tails.has(parked.path)) {
			// Looked at again then: nothing is settled before.
			parked.looking = undefined;
			parked.retry.soon(nowMs, lookMs);
			return false;
		}
		try {
			if (this.#settle(parked)) return true;
			if (parked.broughtBack < parked.sizeBytes) return await this.#bringBackNext(parked, nowMs);
			if (parked.dropped === undefined) return await this.#release(parked);
		} catch (error) {
			if (isRefused(error) && (await this.#refuse(parked, error))) return true;
			parked.retry.postpone(nowMs);
			this.#standing.reportUnwritable(parked.path, error);
			return false;
		}
		// It goes the way of a batch, behind the one that is held up.
		if (this.#delivery.isPending) {
			parked.retry.soon(nowMs, lookMs);
			return false;
		}
		await this.#delivery.tellDrops(parked, parked.dropped.notice);
		return true;
	}

	/** Notes that bytes are in the output and on disk. They were so in `parked/`: before that they did not count as brought back. */
	#arrive(parked: ParkedOutput, nowMs: number): boolean {
		const { to, isSynced = false, isPart } = parked.arriving ?? { to: 0, isPart: false };
		parked.arriving = undefined;
		if (!isSynced) {
			parked.retry.postpone(nowMs);
			return false;
		}
		parked.broughtBack = Math.min(to, parked.sizeBytes);
		this.#delivery.noteWritten(parked.path, to - parked.sizeBytes);
		this.#standing.doubts.delete(parked.path);
		this.#standing.store();
		parked.retry.reset();
		if (isPart) parked.retry.soon(nowMs, soonMs);
		return !isPart;
	}

	/** Bytes up to `to` are in the file at `path`; now they are brought to the disk. */
	#bringToDisk(parked: ParkedOutput, path: string, to: number, isPart: boolean): void {
		const arriving: ParkedOutput["arriving"] = { to, isPart, isSynced: undefined };
		parked.arriving = arriving;
		void this.#standing.outputs.sync(path).then((isSynced) => {
			arriving.isSynced = isSynced;
			this.#onReady();
		});
	}

	/** Settles whether the write that was in doubt has happened. Returns whether it has, or is being found out. @throws while that can't be known */
	#settle(parked: ParkedOutput): boolean {
		const { doubts, outputs } = this.#standing;
		const doubt = doubts.get(parked.path);
		if (doubt === undefined) return false;
		const outcome = parked.looking?.outcome;
		parked.looking = undefined;
		if (outcome === undefined) {
			this.#beginLook(parked, doubt);
			return true;
		}
		if (outcome.status === "rejected") throw outcome.reason;
		const { append, bytes } = outcome.value;
		const { writtenBytes, path, offset } = append;
		if (writtenBytes === 0) {
			doubts.delete(parked.path);
			// Before the parked file may go: without it nothing is in doubt.
			this.#standing.store();
			return false;
		}
		// In a copy of the file it is the business of whoever made that.
		if (offset !== undefined) outputs.noteAppended(path, doubt, offset, bytes.subarray(0, writtenBytes));
		this.#bringToDisk(parked, path, doubt.parked.from + writtenBytes, false);
		return true;
	}

	/** Looks at an output: that may take as long as a sync, and nobody waits for it. Nothing goes there meanwhile. */
	#beginLook(parked: ParkedOutput, doubt: Doubt): void {
		const looking: ParkedOutput["looking"] = { outcome: undefined };
		parked.looking = looking;
		const look = async (): Promise<Found> => {
			const { from, to } = doubt.parked;
			const held = this.#delivery.bytesInDoubt(doubt);
			// A copy: the memory of a batch is used again.
			const bytes = held === undefined ? await readRange(parked.file, from, to) : Buffer.from(held);
			return { append: await this.#standing.countWritten(doubt, bytes), bytes };
		};
		void Promise.allSettled([look()]).then(([outcome]) => {
			looking.outcome = outcome;
			this.#onReady();
		});
	}

	async #bringBackNext(parked: ParkedOutput, nowMs: number): Promise<boolean> {
		const { doubts, outputs } = this.#standing;
		const { path, broughtBack: from } = parked;
		const { state, isRegular } = await outputs.file(path);
		const bytes = await readWaiting(parked, from + (isRegular ? bytesAtOnce : bytesAtOnceToStream));
		// Somebody took the parked file away.
		if (bytes.length === 0) return this.#release(parked);
		const to = from + bytes.length;
		doubts.set(path, { path, target: path, ...state, atMs: Date.now(), skippedBytes: 0, parked: { from, to } });
		this.#standing.store();
		// After a power failure nobody can look what such a one has taken.
		if (isRegular) this.#standing.sync();
		try {
			await outputs.append(path, bytes, state);
			this.#bringToDisk(parked, path, to, false);
		} catch (error) {
			if (error instanceof StalledError && error.isUnderWay) throw error;
			const writtenBytes = error instanceof AppendError ? error.writtenBytes : 0;
			if (writtenBytes === 0) doubts.delete(path);
			if (error instanceof OtherFileError) return true;
			if (writtenBytes === 0) throw error;
			this.#bringToDisk(parked, path, from + writtenBytes, true);
			parked.retry.soon(nowMs, soonMs);
		}
		return true;
	}

	/** An output that may not be written: what waits for it goes to quarantine. Returns whether it does not wait any more. */
	async #refuse(parked: ParkedOutput, refusal: PylogError): Promise<boolean> {
		const { refusals, outputs, doubts } = this.#standing;
		const { path, file, broughtBack, sizeBytes, dropped } = parked;
		const isWanted = broughtBack < sizeBytes || outputs.owes(path);
		if (isWanted && !refusals.refuseFile(path, file, await countLines(file, broughtBack), refusal)) return false;
		if (dropped !== undefined) refusals.refuse(path, Buffer.from(dropped.notice), refusal);
		doubts.delete(path);
		this.#forget(parked);
		return true;
	}

	async #release(parked: ParkedOutput): Promise<boolean> {
		const { outputs } = this.#standing;
		const { path, broughtBack } = parked;
		await outputs.file(path);
		if (parked.hasTriedOwed && outputs.owes(path)) {
			parked.hasTriedOwed = false;
			throw new StalledError(`${path} can't be brought to the disk`, false);
		}
		if (outputs.owes(path)) {
			parked.hasTriedOwed = true;
			this.#bringToDisk(parked, path, broughtBack, false);
			return true;
		}
		this.#forget(parked);
		return true;
	}

	#forget(parked: ParkedOutput): void {
		this.#standing.aside.forget(parked.file);
		this.#standing.parked.release(parked);
		this.#standing.store();
	}

	/** Begins to write lines again, or ends it. Returns whether it has ended well. */
	#rewrite(tail: SavedTail, nowMs: number): boolean {
		const { outputs } = this.#standing;
		const { rewriting } = tail;
		tail.rewriting = undefined;
		if (rewriting?.hasWorked === true) {
			this.#tails.release(tail);
			return true;
		}
		if (isRefused(rewriting?.error) && this.#refuseTail(tail, rewriting.error)) return true;
		if (rewriting !== undefined) {
			tail.retry.postpone(nowMs);
			const what = "write lines again whose sync failed; they are safe in parked/";
			this.#standing.report({ what, error: rewriting.error, output: tail.path });
		} else if (outputs.isStuck(tail.path)) tail.retry.soon(nowMs, lookMs);
		else this.#beginRewrite(tail);
		return false;
	}

	#refuseTail(tail: SavedTail, refusal: PylogError): boolean {
		const count = this.#tails.chunksOf(tail).reduce((sum, { bytes }) => sum + lineEnds(bytes), 0);
		if (!this.#standing.refusals.refuseFile(tail.path, tail.file, count, refusal)) return false;
		this.#tails.release(tail);
		return true;
	}

	#beginRewrite(tail: SavedTail): void {
		const rewriting: SavedTail["rewriting"] = { hasWorked: undefined, error: undefined };
		tail.rewriting = rewriting;
		const end = (hasWorked: boolean, error?: unknown): void => {
			Object.assign(rewriting, { hasWorked, error });
			this.#onReady();
		};
		// Where somebody took the file away, nothing is to be written.
		const rewrite = async (): Promise<void> => {
			const chunks = this.#tails.chunksOf(tail);
			if (chunks.length > 0) await this.#standing.outputs.rewrite(tail.path, tail, chunks);
		};
		rewrite().then(
			() => end(true),
			(error: unknown) => end(false, error),
		);
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

/** Lines of a parked file behind what is brought back; none where somebody took the file away. */
async function countLines(file: string, from: number): Promise<number> {
	let count = 0;
	try {
		for (let at = from; ; ) {
			const bytes = await readRange(file, at, at + bytesAtOnce);
			if (bytes.length === 0) return count;
			count += lineEnds(bytes);
			at += bytes.length;
		}
	} catch (error) {
		if (systemCode(error) === "ENOENT") return count;
		throw error;
	}
}

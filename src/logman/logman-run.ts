/**
 * The logman at work, from the moment it holds the lease until it leaves.
 *
 *     inbox ─► spool ─► read in order ─► render ─► checkpoint ─► write ─► (next checkpoint confirms)
 *
 * Cycles come one after the other; what a cycle waits for is its outputs, each with a time limit. Syncs go on beside them.
 */

import { announceStore } from "../platform/step.ts";
import type { FileSink } from "../sinks/file/file-sink.ts";
import { dirname } from "node:path";
import { PylogError } from "../shared/errors.ts";
import type { QueueNumber } from "../shared/numbers.ts";
import { type Checkpoint, CheckpointFile } from "../spool/checkpoint.ts";
import type { ControlFile } from "../spool/control-file.ts";
import type { Lease } from "../spool/lease.ts";
import { Quarantine } from "../spool/quarantine.ts";
import { SpoolReader } from "../spool/spool-reader.ts";
import { Alarm } from "./alarm.ts";
import { Batch } from "./batch.ts";
import { BatchReader } from "./batch-reader.ts";
import { Damages } from "./damages.ts";
import { Delivery } from "./delivery.ts";
import { ErrorLog } from "./error-log.ts";
import { inboxIntervalMs, Intake } from "./intake.ts";
import { type ResolvedLogmanOptions } from "./logman-options.ts";
import { OutputRule } from "./output-rule.ts";
import { ParkedOutputs } from "./parked-outputs.ts";
import { recover } from "./recovery.ts";
import { Refusals } from "./refusals.ts";
import { resumePoint } from "./resume-point.ts";
import { ReturnHome } from "./return-home.ts";
import { SavedTails } from "./saved-tails.ts";
import { openStanding } from "./open-standing.ts";
import type { Standing } from "./standing.ts";
import { Syncing } from "./syncing.ts";

/** How often it is looked whether the cache directory is still there. */
const placeIntervalMs = 1000;
/** How often producers are told what is written while there is more to write. */
const tellIntervalMs = 100;
/** With so many files to sync it is time, whatever the interval: the checkpoint names each. */
const maxUnsynced = 1000;

export class LogmanRun {
	readonly #control: ControlFile;
	readonly #lease: Lease;
	readonly #options: ResolvedLogmanOptions;
	readonly #checkpoint: CheckpointFile;
	/** Where the logman before this one was. */
	readonly #before: Checkpoint | undefined;
	readonly #errors: ErrorLog;
	readonly #quarantine: Quarantine;
	readonly #damages: Damages;
	readonly #refusals: Refusals;
	readonly #reader: SpoolReader;
	readonly #standing: Standing;
	readonly #tails: SavedTails;
	readonly #delivery: Delivery;
	readonly #returnHome: ReturnHome;
	readonly #syncing: Syncing;
	readonly #intake: Intake;
	readonly #alarm: Alarm;
	readonly #batches: BatchReader;
	#syncedAtMs: number = performance.now();
	#busyAtMs: number = performance.now();
	/** Everything below it is to be drained before the logman leaves. */
	#stopAt: QueueNumber | undefined;
	#nextAttemptMs = 0;
	#placeAtMs: number = performance.now();
	#toldAtMs = 0;
	#lookedAtMs = 0;

	constructor(control: ControlFile, lease: Lease, options: ResolvedLogmanOptions) {
		const { paths } = control;
		this.#control = control;
		this.#lease = lease;
		this.#options = options;
		this.#errors = ErrorLog.open(paths.errorLog);
		this.#quarantine = new Quarantine(paths.quarantine);
		this.#checkpoint = CheckpointFile.open(paths.checkpoint);
		const rule = new OutputRule(paths.cacheDir, options.roots);
		this.#damages = new Damages(this.#quarantine, this.#errors);
		this.#refusals = new Refusals(this.#quarantine, this.#errors);
		if (control.replaced !== undefined) this.#damages.onReplacedControl(paths.control, control.replaced);
		this.#before = resumePoint(control, this.#checkpoint, this.#damages);
		this.#reader = new SpoolReader(control, this.#before, this.#damages, this.#checkpoint.isUncertain);
		const newBatch = (): Batch => new Batch(rule, (memory) => this.#standing.outputs.isReading(memory));
		this.#batches = new BatchReader(this.#reader, [newBatch(), newBatch()]);
		this.#tails = new SavedTails(paths.parked);
		this.#standing = openStanding({
			checkpoint: this.#checkpoint,
			reader: this.#reader,
			parked: new ParkedOutputs(paths.parked, options.maxParkedBytes),
			tails: this.#tails,
			errors: this.#errors,
			refusals: this.#refusals,
			roots: options.roots,
		});
		this.#delivery = new Delivery(this.#standing);
		this.#returnHome = new ReturnHome(this.#standing, this.#tails, this.#delivery, () => this.#alarm.ring());
		this.#syncing = new Syncing(this.#standing);
		this.#intake = new Intake(control, this.#quarantine, this.#errors);
		this.#alarm = new Alarm(control, () => this.#reader.hasLateNews);
	}

	/** Takes up what a logman before this one left. If that fails, {@link close} is due all the same. */
	async start(): Promise<void> {
		const { paths } = this.#control;
		const { parked = {}, unsynced = [], dropped = {} } = this.#before ?? {};
		announceStore("control.take-stop");
		this.#control.store("stopWanted", 0);
		// One that died while it told left it behind.
		this.#control.store("telling", 0);
		this.#standing.parked.restore(parked, dropped);
		this.#tails.restore((file, error) => this.#errors.report({ what: `read saved lines from ${file}`, error }));
		const isAside = ({ path }: { readonly path: string }): boolean => dirname(path) === paths.parked;
		this.#standing.outputs.markUnsynced(unsynced.filter((file) => !isAside(file)));
		this.#standing.aside.markUnsynced(unsynced.filter(isAside));
		recover(this.#before, {
			reader: this.#reader,
			delivery: this.#delivery,
			damages: this.#damages,
			refusals: this.#refusals,
			batch: this.#batches.empty,
		});
		this.#intake.start();
		this.#alarm.watchInbox(paths.inbox, () => this.#intake.notice());
	}

	async untilStopped(): Promise<void> {
		const { signal } = this.#options;
		const onAbort = (): void => this.#alarm.ring();
		signal.addEventListener("abort", onAbort);
		try {
			for (;;) {
				if ((signal.aborted || this.#control.load("stopWanted") !== 0) && this.#stopAt === undefined) this.#beginStop();
				const hasMore = await this.#cycle();
				this.#checkPlace();
				if (await this.#mayLeave(hasMore)) return;
				if (hasMore) await new Promise((resolve) => setImmediate(resolve));
				else await this.#alarm.wait(this.#idleMs(), this.#reader.isHeldUp || this.#stopAt !== undefined);
			}
		} finally {
			signal.removeEventListener("abort", onAbort);
		}
	}

	close(): void {
		this.#alarm.close();
		this.#damages.settle();
		this.#intake.close();
		this.#reader.close();
		this.#standing.outputs.close();
		this.#standing.aside.close();
		this.#checkpoint.close();
		this.#errors.close();
	}

	/** Calls to outputs that do not answer: before they do, another logman could write what one of them still writes. */
	get outputs(): Pick<FileSink, "stuckCount" | "untilSettled"> {
		return this.#standing.outputs;
	}

	/** @throws PylogError PYLOG_SPOOL_GONE when somebody removed or moved the cache directory: nobody logs here any more. */
	#checkPlace(): void {
		const nowMs = performance.now();
		if (nowMs - this.#placeAtMs < placeIntervalMs) return;
		this.#placeAtMs = nowMs;
		const { cacheDir, lease } = this.#control.paths;
		if (!this.#lease.keep(lease)) throw isGone(cacheDir, "removed or moved");
	}

	/**
	 * A spool whose files were removed and made anew has numbers and counters of its own. What is read there through the old
	 * control file would be written, and written again by the next logman; nobody who waits for it would ever be told.
	 *
	 * @throws PylogError PYLOG_SPOOL_GONE
	 */
	#refuseReplaced(): void {
		if (this.#control.isReplaced) throw isGone(this.#control.paths.cacheDir, "emptied, and is used anew");
	}

	/** One round. Returns whether more may wait. */
	async #cycle(): Promise<boolean> {
		this.#refuseReplaced();
		const nowMs = performance.now();
		if (nowMs < this.#nextAttemptMs && !this.#delivery.isHeldUp) return false;
		try {
			if (nowMs < this.#nextAttemptMs) return await this.#whileHeldUp(nowMs);
			// Each has its turn in every cycle: a flood in one place holds up no other.
			const steps = [this.#takeInbox(nowMs), await this.#deliverNext(nowMs), await this.#returnHome.pass(nowMs)];
			const hasMore = steps.includes(true);
			if (hasMore) this.#busyAtMs = nowMs;
			this.#syncIfDue(nowMs, hasMore);
			this.#lookAfterProducers(hasMore);
			return hasMore;
		} catch (error) {
			if (error instanceof PylogError && error.code === "PYLOG_SPOOL_GONE") throw error;
			// The spool's own disk takes nothing, or something unforeseen: nothing is lost, the same is tried again.
			this.#errors.report({ what: "deliver a batch; it is tried again", error });
			this.#nextAttemptMs = nowMs + 250;
			return false;
		}
	}

	/** What a batch waits for that nothing takes may be that lines are brought back: they make room, and the rest follows them. */
	async #whileHeldUp(nowMs: number): Promise<boolean> {
		const hasMoved = await this.#returnHome.pass(nowMs);
		if (hasMoved) this.#nextAttemptMs = nowMs;
		this.#syncIfDue(nowMs, true);
		return hasMoved;
	}

	/** What comes after the stop was asked for is the next logman's. */
	#takeInbox(nowMs: number): boolean {
		this.#intake.sweep(nowMs);
		return this.#stopAt === undefined && this.#intake.turn(nowMs);
	}

	/** Delivers what was begun, or the next batch. Returns whether more may wait. */
	async #deliverNext(nowMs: number): Promise<boolean> {
		if (this.#delivery.isPending) await this.#delivery.finish();
		const { batch, hasMore, failure } = this.#batches.next(this.#stopAt);
		this.#damages.settle();
		const { records, unusable } = batch;
		if (records > 0 || this.#reader.hasMoved) {
			if (records > 0) this.#busyAtMs = nowMs;
			// Behind the reading: what was read before the files were replaced is of the old ones.
			this.#refuseReplaced();
			if (unusable.length > 0) this.#refusals.setAside(unusable);
			const isFull = hasMore && failure === undefined;
			await this.#delivery.deliver(batch, isFull ? () => this.#batches.readAhead(this.#stopAt) : undefined);
		}
		if (failure !== undefined) throw failure.cause;
		// Under a flood as well: those who wait for what is written must hear of it.
		if (!hasMore || nowMs - this.#toldAtMs >= tellIntervalMs) {
			this.#toldAtMs = nowMs;
			this.#standing.confirm();
			announceStore("control.written");
			this.#control.store("written", this.#reader.readBelow() % 2 ** 32);
		}
		if (this.#options.sync === "batch" && records > 0) await this.#syncing.now();
		return hasMore || this.#batches.hasAhead;
	}

	#syncIfDue(nowMs: number, hasMore: boolean): void {
		if (this.#syncing.isReady) this.#syncing.complete();
		if (this.#syncing.isUnderWay) return;
		const { sync, syncIntervalMs } = this.#options;
		const { outputs, aside } = this.#standing;
		const isWanted = this.#control.load("flushWanted") !== 0;
		const isSynced = outputs.isSynced && aside.isSynced;
		const isDue = (sync !== "never" || isWanted) && nowMs - this.#syncedAtMs >= syncIntervalMs && !isSynced;
		const isCrowded = outputs.unsyncedCount + aside.unsyncedCount > maxUnsynced;
		if (!isDue && !isCrowded && (!isWanted || hasMore)) return;
		if (isWanted && !hasMore) {
			announceStore("control.take-flush");
			this.#control.store("flushWanted", 0);
		}
		this.#syncedAtMs = nowMs;
		this.#syncing.begin(() => this.#alarm.ring());
	}

	#lookAfterProducers(hasMore: boolean): void {
		this.#reader.checkLiveness();
		const nowMs = performance.now();
		if (hasMore && nowMs - this.#lookedAtMs < placeIntervalMs) return;
		this.#lookedAtMs = nowMs;
		this.#standing.confirm();
		this.#retireFinished();
		this.#errors.flush();
	}

	#beginStop(): void {
		this.#intake.drain();
		this.#stopAt = this.#control.load("nextNumber") as QueueNumber;
	}

	/** Whether the logman is done: stopped and drained, or (`idleExitMs`) not needed for a while. */
	async #mayLeave(hasMore: boolean): Promise<boolean> {
		// A spool whose own disk takes nothing can't be drained now. Nothing is lost: the next logman goes on.
		if (this.#stopAt !== undefined && this.#nextAttemptMs > performance.now()) return !this.#returnHome.isLooking;
		if (hasMore || this.#delivery.isPending || this.#returnHome.isMoving) return false;
		if (this.#stopAt !== undefined) {
			const isDrained = ((this.#control.load("written") - this.#stopAt) | 0) >= 0;
			return isDrained && (await this.#finalSync());
		}
		const { idleExitMs } = this.#options;
		if (idleExitMs === undefined || performance.now() - this.#busyAtMs < idleExitMs) return false;
		this.#reader.discover();
		this.#reader.checkLiveness(true);
		const hasNews = this.#control.load("nextNumber") !== this.#control.load("written");
		if (hasNews || this.#reader.countLiving(this.#intake.producerNumber) > 0) {
			this.#busyAtMs = performance.now();
			return false;
		}
		return !this.#reader.isHeldUp && this.#returnHome.isDone && (await this.#finalSync());
	}

	/** Removes what producers left that are dead and whose lines are all delivered. */
	#retireFinished(): void {
		const drops = this.#reader.retire();
		this.#damages.settle();
		for (const { producer, count } of drops) {
			this.#errors.report({
				what: "tell of dropped records",
				error: `Producer ${producer} dropped ${count} records (spool full or lane closed) and ended before it could say so.`,
			});
		}
	}

	/** Brings everything to the disk, and removes what ended producers left: this logman's own is one of them. */
	async #finalSync(): Promise<boolean> {
		this.#intake.close();
		this.#reader.checkLiveness(true);
		try {
			await this.#deliverNext(performance.now());
			this.#standing.confirm();
			if (this.#options.sync !== "never") await this.#syncing.now();
			this.#retireFinished();
		} catch (error) {
			this.#errors.report({ what: "leave in order; the next logman goes on", error });
		}
		return true;
	}

	/** How long nothing needs to be done unless somebody rings. */
	#idleMs(): number {
		const nowMs = performance.now();
		if (this.#nextAttemptMs > nowMs && !this.#delivery.isHeldUp) return Math.max(1, this.#nextAttemptMs - nowMs);
		const { outputs, aside } = this.#standing;
		const isSynced = (outputs.isSynced && aside.isSynced) || this.#syncing.isUnderWay;
		const untilSync = isSynced ? inboxIntervalMs : this.#syncedAtMs + this.#options.syncIntervalMs - nowMs;
		const untilReturn = this.#returnHome.nextTryMs() - nowMs;
		const untilAttempt = this.#nextAttemptMs > nowMs ? this.#nextAttemptMs - nowMs : inboxIntervalMs;
		return Math.max(1, Math.min(inboxIntervalMs, untilSync, untilReturn, untilAttempt));
	}
}

function isGone(cacheDir: string, what: string): PylogError {
	return new PylogError("PYLOG_SPOOL_GONE", `The cache directory ${cacheDir} was ${what}; its logman leaves.`);
}

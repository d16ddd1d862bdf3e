/**
 * The logman at work, from the moment it holds the lease until it leaves.
 *
 *     inbox ─► spool ─► read in order ─► render ─► checkpoint ─► write ─► (next checkpoint confirms)
 *
 * A cycle is synchronous; between cycles the event loop turns, so signals and timers of the process are heard.
 */

import { announceStore } from "../platform/step.ts";
import { PylogError } from "../shared/errors.ts";
import type { QueueNumber } from "../shared/numbers.ts";
import { CheckpointFile } from "../spool/checkpoint.ts";
import type { ControlFile } from "../spool/control-file.ts";
import { Inbox } from "../spool/inbox.ts";
import type { Lease } from "../spool/lease.ts";
import { Producer } from "../spool/producer.ts";
import { sweepDrafts } from "../spool/producer-claim.ts";
import { Quarantine } from "../spool/quarantine.ts";
import { SpoolReader } from "../spool/spool-reader.ts";
import { takenFromInbox } from "../spool/taken-from-inbox.ts";
import { Alarm } from "./alarm.ts";
import { Batch } from "./batch.ts";
import { Damages } from "./damages.ts";
import { Delivery } from "./delivery.ts";
import { ErrorLog } from "./error-log.ts";
import { Ingest } from "./ingest.ts";
import { type ResolvedLogmanOptions } from "./logman-options.ts";
import { OutputRule } from "./output-rule.ts";
import { ParkedOutputs } from "./parked-outputs.ts";

/** How often the inbox is looked at without a notice from the file system. */
const inboxIntervalMs = 1000;
/** Rounds of inbox messages, a thousand or two each, that a logman takes before it leaves: senders may never end. */
const maxRoundsAtStop = 1000;
/** How often leftovers of senders that died are removed. */
const sweepIntervalMs = 24 * 60 * 60 * 1000;

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
	readonly #errors: ErrorLog;
	readonly #quarantine: Quarantine;
	readonly #damages: Damages;
	readonly #reader: SpoolReader;
	readonly #parked: ParkedOutputs;
	readonly #delivery: Delivery;
	readonly #inbox: Inbox;
	readonly #ingest: Ingest;
	readonly #alarm: Alarm;
	readonly #outputRule: OutputRule;
	readonly #batch: Batch;
	#producer: Producer | undefined;
	#syncedAtMs: number = performance.now();
	#inboxAtMs = Number.NEGATIVE_INFINITY;
	#busyAtMs: number = performance.now();
	/** Everything below it is to be drained before the logman leaves. */
	#stopAt: QueueNumber | undefined;
	#nextAttemptMs = 0;
	#placeAtMs: number = performance.now();
	#toldAtMs = 0;
	#lookedAtMs = 0;
	#sweepAtMs = 0;

	constructor(control: ControlFile, lease: Lease, options: ResolvedLogmanOptions) {
		const { paths } = control;
		this.#control = control;
		this.#lease = lease;
		this.#options = options;
		this.#errors = ErrorLog.open(paths.errorLog);
		this.#quarantine = new Quarantine(paths.quarantine);
		this.#checkpoint = CheckpointFile.open(paths.checkpoint);
		this.#outputRule = new OutputRule(paths.cacheDir, options.roots);
		this.#batch = new Batch(this.#outputRule);
		this.#damages = new Damages(this.#quarantine, this.#errors);
		this.#reader = new SpoolReader(control, this.#checkpoint.latest, this.#damages);
		this.#parked = new ParkedOutputs(paths.parked);
		this.#delivery = new Delivery(this.#checkpoint, this.#reader, this.#parked, this.#errors);
		this.#inbox = new Inbox(paths.cacheDir);
		this.#ingest = new Ingest(this.#inbox, this.#quarantine, this.#errors, () => this.#ownProducer());
		this.#alarm = new Alarm(control);
	}

	/** Takes up what a logman before this one left. If that fails, {@link close} is due all the same. */
	start(): void {
		const { paths } = this.#control;
		const { parked = {}, unsynced = [] } = this.#checkpoint.latest ?? {};
		this.#control.store("stopWanted", 0);
		this.#parked.restore(parked);
		this.#delivery.sink.markUnsynced(unsynced);
		this.#recover();
		this.#inbox.ensure();
		this.#ingest.pass(takenFromInbox(this.#control, this.#inbox));
		this.#alarm.watchInbox(paths.inbox, () => (this.#inboxAtMs = Number.NEGATIVE_INFINITY));
	}

	async untilStopped(): Promise<void> {
		const { signal } = this.#options;
		const onAbort = (): void => this.#alarm.ring();
		signal.addEventListener("abort", onAbort);
		try {
			for (;;) {
				if ((signal.aborted || this.#control.load("stopWanted") !== 0) && this.#stopAt === undefined) this.#beginStop();
				const hasMore = this.#cycle();
				this.#checkPlace();
				if (this.#mayLeave(hasMore)) return;
				if (hasMore) await new Promise((resolve) => setImmediate(resolve));
				else await this.#alarm.wait(this.#idleMs(), this.#reader.isHeldUp || this.#stopAt !== undefined);
			}
		} finally {
			signal.removeEventListener("abort", onAbort);
		}
	}

	close(): void {
		this.#alarm.close();
		this.#producer?.close();
		this.#reader.close();
		this.#delivery.sink.close();
		this.#checkpoint.close();
		this.#errors.close();
	}

	/** @throws PylogError PYLOG_SPOOL_GONE when somebody removed or moved the cache directory: nobody logs here any more. */
	#checkPlace(): void {
		const nowMs = performance.now();
		if (nowMs - this.#placeAtMs < placeIntervalMs) return;
		this.#placeAtMs = nowMs;
		const { cacheDir, lease } = this.#control.paths;
		if (this.#lease.isInPlace(lease)) return;
		throw new PylogError(
			"PYLOG_SPOOL_GONE",
			`The cache directory ${cacheDir} was removed or moved; its logman leaves.`,
		);
	}

	/** One round. Returns whether more may wait. */
	#cycle(): boolean {
		const nowMs = performance.now();
		if (nowMs < this.#nextAttemptMs) return false;
		try {
			// Each has its turn in every cycle: a flood in one place holds up no other.
			const steps = [this.#takeInbox(nowMs), this.#deliverNext(nowMs), this.#bringBack(nowMs)];
			const hasMore = steps.includes(true);
			if (hasMore) this.#busyAtMs = nowMs;
			this.#syncIfDue(nowMs, hasMore);
			this.#lookAfterProducers(hasMore);
			return hasMore;
		} catch (error) {
			// The spool's own disk takes nothing, or something unforeseen: nothing is lost, the same is tried again.
			this.#errors.report({ what: "deliver a batch; it is tried again", error });
			this.#nextAttemptMs = nowMs + 250;
			return false;
		}
	}

	#takeInbox(nowMs: number): boolean {
		if (nowMs >= this.#sweepAtMs) {
			this.#sweepAtMs = nowMs + sweepIntervalMs;
			this.#inbox.sweep();
			sweepDrafts(this.#control.paths);
		}
		// What comes after the stop was asked for is the next logman's.
		if (this.#stopAt !== undefined || nowMs - this.#inboxAtMs < inboxIntervalMs) return false;
		const hasMore = this.#ingestAll(1);
		if (!hasMore) this.#inboxAtMs = nowMs;
		return hasMore;
	}

	/** Takes messages into the spool, a few rounds of them. An inbox that can't be read holds up nothing else. */
	#ingestAll(rounds: number): boolean {
		try {
			// Before it leaves, nobody waits for anything else.
			const maxMs = rounds === 1 ? undefined : Number.POSITIVE_INFINITY;
			for (let round = 0; round < rounds; round++) if (!this.#ingest.run(maxMs)) return false;
			return true;
		} catch (error) {
			this.#errors.report({ what: "take messages from the inbox; it is tried again", error });
			return false;
		}
	}

	/** Delivers what was begun, or the next batch. Returns whether more may wait. */
	#deliverNext(nowMs: number): boolean {
		if (this.#delivery.isPending) this.#delivery.finish();
		this.#batch.clear();
		const { hasMore, failure } = this.#readBatch();
		const { records, unusable } = this.#batch;
		if (records > 0 || this.#reader.hasMoved) {
			if (records > 0) this.#busyAtMs = nowMs;
			if (unusable.length > 0) this.#damages.setAside(unusable);
			this.#delivery.deliver(this.#batch);
		}
		if (failure !== undefined) throw failure.cause;
		// Under a flood as well: those who wait for what is written must hear of it.
		if (!hasMore || nowMs - this.#toldAtMs >= tellIntervalMs) {
			this.#toldAtMs = nowMs;
			this.#delivery.confirm();
			announceStore("control.written");
			this.#control.store("written", this.#reader.readBelow() % 2 ** 32);
		}
		if (this.#options.sync === "batch" && records > 0) this.#delivery.sync();
		return hasMore;
	}

	/** What was read before a failure is a batch as well: the reader does not give it again. */
	#readBatch(): { readonly hasMore: boolean; readonly failure?: { readonly cause: unknown } } {
		try {
			return { hasMore: this.#reader.read((record) => this.#batch.add(record), this.#stopAt) };
		} catch (cause) {
			return { hasMore: true, failure: { cause } };
		}
	}

	#bringBack(nowMs: number): boolean {
		let worked = false;
		for (const parked of this.#parked.due(nowMs)) worked = this.#delivery.bringBack(parked, nowMs) || worked;
		return worked;
	}

	#syncIfDue(nowMs: number, hasMore: boolean): void {
		const { sync, syncIntervalMs } = this.#options;
		const isWanted = this.#control.load("flushWanted") !== 0;
		const isDue =
			(sync !== "never" || isWanted) && nowMs - this.#syncedAtMs >= syncIntervalMs && !this.#delivery.sink.isSynced;
		const isCrowded = this.#delivery.sink.unsyncedCount > maxUnsynced;
		if (!isDue && !isCrowded && (!isWanted || hasMore)) return;
		if (isWanted && !hasMore) this.#control.store("flushWanted", 0);
		this.#syncedAtMs = nowMs;
		this.#delivery.sync();
	}

	#lookAfterProducers(hasMore: boolean): void {
		this.#reader.checkLiveness();
		const nowMs = performance.now();
		if (hasMore && nowMs - this.#lookedAtMs < placeIntervalMs) return;
		this.#lookedAtMs = nowMs;
		this.#delivery.confirm();
		this.#retireFinished();
		this.#errors.flush();
	}

	#beginStop(): void {
		this.#ingestAll(maxRoundsAtStop);
		this.#stopAt = this.#control.load("nextNumber") as QueueNumber;
	}

	/** Whether the logman is done: stopped and drained, or (`idleExitMs`) not needed for a while. */
	#mayLeave(hasMore: boolean): boolean {
		// A spool whose own disk takes nothing can't be drained now. Nothing is lost: the next logman goes on.
		if (this.#stopAt !== undefined && this.#nextAttemptMs > performance.now()) return true;
		if (hasMore || this.#delivery.isPending) return false;
		if (this.#stopAt !== undefined) {
			const isDrained = ((this.#control.load("written") - this.#stopAt) | 0) >= 0;
			return isDrained && this.#finalSync();
		}
		const { idleExitMs } = this.#options;
		if (idleExitMs === undefined || performance.now() - this.#busyAtMs < idleExitMs) return false;
		this.#reader.discover();
		this.#reader.checkLiveness(true);
		const hasNews = this.#control.load("nextNumber") !== this.#control.load("written");
		if (hasNews || this.#reader.countLiving(this.#producer?.number) > 0) {
			this.#busyAtMs = performance.now();
			return false;
		}
		return !this.#reader.isHeldUp && this.#parked.size === 0 && this.#finalSync();
	}

	/** Removes what producers left that are dead and whose lines are all delivered. */
	#retireFinished(): void {
		for (const { producer, count } of this.#reader.retire()) {
			this.#errors.report({
				what: "tell of dropped records",
				error: `Producer ${producer} dropped ${count} records (spool full or lane closed) and ended before it could say so.`,
			});
		}
	}

	/** Brings everything to the disk, and removes what ended producers left: this logman's own is one of them. */
	#finalSync(): boolean {
		this.#producer?.close();
		this.#producer = undefined;
		this.#reader.checkLiveness(true);
		try {
			this.#deliverNext(performance.now());
			this.#delivery.confirm();
			if (this.#options.sync !== "never") this.#delivery.sync();
			this.#retireFinished();
		} catch (error) {
			this.#errors.report({ what: "leave in order; the next logman goes on", error });
		}
		return true;
	}

	/** How long nothing needs to be done unless somebody rings. */
	#idleMs(): number {
		const nowMs = performance.now();
		const untilSync = this.#delivery.sink.isSynced
			? inboxIntervalMs
			: this.#syncedAtMs + this.#options.syncIntervalMs - nowMs;
		const untilParked = this.#parked.nextTryMs() - nowMs;
		const untilAttempt = this.#nextAttemptMs > nowMs ? this.#nextAttemptMs - nowMs : inboxIntervalMs;
		return Math.max(1, Math.min(inboxIntervalMs, untilSync, untilParked, untilAttempt));
	}

	/** Makes the batch that a death interrupted again; what of it is missing in its files is pending then. */
	#recover(): void {
		const before = this.#checkpoint.latest;
		if (before === undefined) return;
		const begun = before.chains.filter(({ from, to }) => from.index !== to.index || from.offset !== to.offset);
		if (begun.length === 0 && before.outputs.length === 0) {
			this.#reader.discover();
			this.#reader.publish();
			return;
		}
		const batch = new Batch(this.#outputRule);
		this.#reader.replay(before.chains, (record) => {
			batch.add(record);
			return "on";
		});
		// Of what was to be written before, the roots may allow less now; what was refused before is kept already.
		const begunOutputs = new Set(before.outputs.map(({ path }) => path));
		const refused = batch.unusable.filter(({ output }) => begunOutputs.has(output));
		if (refused.length > 0) this.#damages.setAside(refused);
		this.#delivery.recover(batch, before.outputs);
	}

	#ownProducer(): Producer {
		this.#producer ??= Producer.open({ cacheDir: this.#control.paths.cacheDir });
		return this.#producer;
	}
}

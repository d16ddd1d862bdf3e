/**
 * The producer that all loggers of a thread share, one per cache directory, and what goes with it: a logman is started
 * when it is missing, the producer is left when the last logger closes, and an ending process gives the logman a short
 * moment.
 */

import { startLogmanIfNone } from "../launch/spawn-logman.ts";
import { isLocked } from "../platform/file-lock.ts";
import { monotonicMs } from "../platform/monotonic-clock.ts";
import { RunningTime } from "../platform/running-time.ts";
import { isMainThread } from "../platform/thread.ts";
import { isLeaseHeld } from "../spool/lease.ts";
import { loadPreparation } from "../spool/control-preparation.ts";
import { spoolPaths } from "../spool/paths.ts";
import type { FullPolicy } from "../spool/full-policy.ts";
import type { Draft } from "../spool/draft.ts";
import { Producer } from "../spool/producer.ts";
import type { LaneIndex } from "../shared/lane.ts";

/** A logman that was started for a logger leaves after so long without producers and with an empty queue. */
const logmanIdleExitMs = 10_000;
/** How often a logger looks whether a logman is there while lines wait. */
const watchIntervalMs = 250;
/** Pauses between attempts to start a logman. */
const firstStartPauseMs = 200;
const longestStartPauseMs = 30_000;
/** How long an ending process waits for its lines to be written, all in all. */
const exitWaitMs = 1000;
/** An idle logman has a few lines in their file within two milliseconds, so the first looks are soon, and later ones rarer. */
const firstExitPollMs = 0.25;
const longestExitPollMs = 2;
/** A pause that was longer was no waiting: this process was stopped, and perhaps the logman with it. */
const longestStepMs = 100;
/** How often it is asked, while records can't be taken, whether the spool is still there. */
const lookIntervalMs = 100;
/** How often it looks for a logman meanwhile: one that was leaving does not see its lines. */
const exitLookMs = 50;

export interface SharedProducerOptions {
	readonly cacheDir: string;
	readonly maxSpoolBytes: number;
	readonly logman: "auto" | "external";
}

/** What only a spool that has to be made again needs is loaded so late: a short command has ended by then. */
const loadAfterMs = 1000;

const shared = new Map<string, SharedProducer>();
const { wait } = Atomics;
let isEnding = false;
let isLoadedSoon = false;
/** What is left of the moment that an ending process waits. */
let exitLeftMs: number = exitWaitMs;
/** Once the process or thread ends: how long its logging calls may wait, all together with the wait at the end. */
let exitUntilMs = Number.POSITIVE_INFINITY;

export class SharedProducer {
	readonly cacheDir: string;
	readonly #maxSpoolBytes: number;
	#producer: Producer;
	#users = 0;
	#droppedBefore = 0;
	#lookedAtMs = 0;
	#isAuto = false;
	#nextStartMs = 0;
	#startPauseMs: number = firstStartPauseMs;
	#watch: NodeJS.Timeout | undefined;

	private constructor(options: SharedProducerOptions) {
		this.cacheDir = options.cacheDir;
		this.#maxSpoolBytes = options.maxSpoolBytes;
		this.#producer = this.#open();
	}

	/** The producer of this thread for a cache directory, with one user more. @throws PylogError as `Producer.open` */
	static acquire(options: SharedProducerOptions): SharedProducer {
		let producer = shared.get(options.cacheDir);
		if (producer === undefined) {
			producer = new SharedProducer(options);
			producer.#register();
		}
		producer.#users += 1;
		if (options.logman === "auto") producer.#startLogman();
		return producer;
	}

	get isAuto(): boolean {
		return this.#isAuto;
	}

	/** The producer as it is, open or not. */
	get current(): Producer {
		return this.#producer;
	}

	/** The producer. One that was left is opened again, until the process ends: a line that comes late is not lost. */
	get producer(): Producer {
		if (this.#producer.isClosed) {
			this.#producer = this.#open();
			this.#droppedBefore = 0;
			this.#register();
			if (this.#isAuto) this.#startLogman();
		}
		return this.#producer;
	}

	#open(): Producer {
		const { cacheDir } = this;
		return Producer.open({ cacheDir, maxSpoolBytes: this.#maxSpoolBytes, maxWaitMs: () => this.#maxWaitMs() });
	}

	#register(): void {
		if (shared.size === 0) {
			// In front of the application's own listeners: what they log must not hold up the end.
			process.prependOnceListener("exit", onExitBegins);
			process.once("exit", onExit);
			loadSoon();
		}
		if (!shared.has(this.cacheDir)) shared.set(this.cacheDir, this);
	}

	/** As `Producer.append`. A call that waits sees to it that a logman runs. */
	append(lane: LaneIndex, draft: Draft, whenFull: FullPolicy): boolean {
		const isTaken =
			this.producer.append(lane, draft, whenFull) ||
			// Where the spool was removed or moved, the record goes into a new one.
			(this.#isDueToLook() && this.leaveIfGone() && this.producer.append(lane, draft, whenFull));
		// Whoever logs while his process ends, behind our own handler, has no other moment.
		if (isEnding) this.waitAtExit();
		return isTaken;
	}

	/** For a call that waits for room. Nobody makes room in a spool that was removed. */
	#maxWaitMs(): number {
		if (!this.#producer.isInPlace) return 0;
		this.ensureLogman();
		return Math.max(0, exitUntilMs - monotonicMs());
	}

	/** Records dropped since the last time this was asked. */
	takeDropped(): number {
		const before = this.#droppedBefore;
		this.#droppedBefore = this.#producer.dropped;
		return this.#droppedBefore - before;
	}

	/** Leaves a spool that was removed or moved, and opens a new one in its place. Returns whether that happened. */
	leaveIfGone(): boolean {
		if (this.#producer.isInPlace) return false;
		const lines = this.#producer.hasReached("written") ? "" : "; lines that were not written yet were in it";
		process.emitWarning(`The cache directory ${this.cacheDir} was removed or moved${lines}.`, "PylogWarning");
		this.#producer.close();
		return true;
	}

	/** A full spool makes every call ask: ten times a second is often enough. */
	#isDueToLook(): boolean {
		const nowMs = monotonicMs();
		if (nowMs - this.#lookedAtMs < lookIntervalMs) return false;
		this.#lookedAtMs = nowMs;
		return true;
	}

	/** Gives up one user; the last one leaves the spool. */
	release(): void {
		this.#users -= 1;
		if (this.#users > 0) return;
		clearInterval(this.#watch);
		this.#watch = undefined;
		this.#producer.close();
		if (shared.get(this.cacheDir) === this) shared.delete(this.cacheDir);
		if (shared.size > 0) return;
		process.off("exit", onExitBegins);
		process.off("exit", onExit);
	}

	/**
	 * Whether a logman runs; where none does, one is started unless that is left to the user. Never throws: a process
	 * without a free descriptor, or without the rights that it had, can neither see nor start one.
	 */
	ensureLogman(): "running" | "starting" | "none" | "unknown" {
		const { lease, starting } = spoolPaths(this.cacheDir);
		try {
			if (isLeaseHeld(lease)) {
				this.#startPauseMs = firstStartPauseMs;
				return "running";
			}
			if (isLocked(starting)) return "starting";
		} catch {
			return "unknown";
		}
		if (!this.#isAuto) return "none";
		this.#startIfDue();
		return "starting";
	}

	/** One that does not come up is tried again, less and less often: each attempt costs a process. */
	#startIfDue(): void {
		const nowMs = monotonicMs();
		if (nowMs < this.#nextStartMs) return;
		this.#nextStartMs = nowMs + this.#startPauseMs;
		this.#startPauseMs = Math.min(this.#startPauseMs * 2, longestStartPauseMs);
		startLogmanIfNone({ cacheDir: this.cacheDir, idleExitMs: logmanIdleExitMs });
	}

	#startLogman(): void {
		this.#isAuto = true;
		if (this.#watch !== undefined) return;
		this.ensureLogman();
		this.#watch = setInterval(() => {
			if (this.#producer.hasReached("written")) return;
			if (!this.leaveIfGone()) this.ensureLogman();
		}, watchIntervalMs);
		this.#watch.unref();
	}

	/**
	 * At the end of the process or thread: waits a moment for the lines to be written. Blocks, for a second at most in all
	 * calls together, whatever the application has done to clocks and atomics. Never throws.
	 */
	waitAtExit(): void {
		const time = new RunningTime(longestStepMs);
		let waitedMs = 0;
		try {
			const sleeper = new Int32Array(new SharedArrayBuffer(4));
			let lookAtMs = 0;
			let pollMs = firstExitPollMs;
			let sleptMs = 0;
			while (waitedMs < exitLeftMs && this.#isAwaited()) {
				if (waitedMs >= lookAtMs) {
					if (!this.#producer.isInPlace || this.ensureLogman() === "none") return;
					this.#producer.control.doorbell.ring();
					lookAtMs = waitedMs + exitLookMs;
				}
				wait(sleeper, 0, 0, pollMs);
				sleptMs += pollMs;
				waitedMs = Math.max(time.nowMs(), sleptMs);
				pollMs = Math.min(pollMs * 1.25, longestExitPollMs);
			}
		} catch {
			// Where waiting is impossible (some threads must not), the lines are in the spool all the same.
		} finally {
			exitLeftMs -= waitedMs;
		}
	}

	#isAwaited(): boolean {
		return !this.#producer.isClosed && !this.#producer.hasReached("written");
	}

	/** Gives mappings and descriptors back. */
	closeAtExit(): void {
		this.#producer.close();
	}
}

/** Once in a thread. */
function loadSoon(): void {
	if (isLoadedSoon) return;
	isLoadedSoon = true;
	const load = (): void => {
		try {
			loadPreparation();
		} catch {
			// No descriptor, or the package is gone: it is tried again when it is needed.
		}
	};
	setTimeout(load, loadAfterMs).unref();
}

function onExitBegins(): void {
	exitUntilMs = monotonicMs() + exitWaitMs;
}

function onExit(): void {
	isEnding = true;
	// What calls of the application's own exit listeners have waited counts as well.
	const leftMs = exitUntilMs - monotonicMs();
	if (leftMs < exitLeftMs) exitLeftMs = Math.max(0, leftMs);
	for (const producer of shared.values()) producer.waitAtExit();
	// A process gives everything back by ending; a thread does not. What is logged later still opens a new producer.
	if (!isMainThread) for (const producer of shared.values()) producer.closeAtExit();
}

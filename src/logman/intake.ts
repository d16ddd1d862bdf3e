/**
 * The way of messages from the inbox into the spool: when the logman looks there, and the producer it appends them with.
 *
 * Invariant: an inbox that can't be read, or that is flooded, holds up nothing else.
 */

import type { ControlFile } from "../spool/control-file.ts";
import { Inbox } from "../spool/inbox.ts";
import { Producer } from "../spool/producer.ts";
import { sweepDrafts } from "../spool/producer-claim.ts";
import type { Quarantine } from "../spool/quarantine.ts";
import { takenFromInbox } from "../spool/taken-from-inbox.ts";
import type { ErrorLog } from "./error-log.ts";
import { Ingest } from "./ingest.ts";

/** How often the inbox is looked at without a notice from the file system. */
export const inboxIntervalMs = 1000;
/** Rounds of messages, a thousand or two each, that a logman takes before it leaves: senders may never end. */
const maxRoundsAtStop = 1000;
/** How often leftovers of senders that died are removed. */
const sweepIntervalMs = 24 * 60 * 60 * 1000;

export class Intake {
	readonly #control: ControlFile;
	readonly #errors: ErrorLog;
	readonly #inbox: Inbox;
	readonly #ingest: Ingest;
	#producer: Producer | undefined;
	#lookedAtMs = Number.NEGATIVE_INFINITY;
	#sweepAtMs = 0;

	constructor(control: ControlFile, quarantine: Quarantine, errors: ErrorLog) {
		this.#control = control;
		this.#errors = errors;
		this.#inbox = new Inbox(control.paths.cacheDir);
		this.#ingest = new Ingest(this.#inbox, quarantine, errors, () => this.#ownProducer());
	}

	/** Makes the inbox where it is missing, and passes over what a logman before this one has taken. */
	start(): void {
		this.#inbox.ensure();
		this.#ingest.pass(takenFromInbox(this.#control, this.#inbox));
	}

	/** Notes that something has come. */
	notice(): void {
		this.#lookedAtMs = Number.NEGATIVE_INFINITY;
	}

	/** Takes one round of messages when it is time. Returns whether more may wait. */
	turn(nowMs: number): boolean {
		if (nowMs - this.#lookedAtMs < inboxIntervalMs) return false;
		const hasMore = this.#take(1);
		if (!hasMore) this.#lookedAtMs = nowMs;
		return hasMore;
	}

	/** Takes all there is, before the logman leaves. */
	drain(): void {
		this.#take(maxRoundsAtStop);
	}

	/** Removes, once a day, what senders and processes left that died before they were ready. */
	sweep(nowMs: number): void {
		if (nowMs < this.#sweepAtMs) return;
		this.#sweepAtMs = nowMs + sweepIntervalMs;
		this.#inbox.sweep();
		sweepDrafts(this.#control.paths);
	}

	/** Number of the producer that messages are appended with; `undefined` while there is none. */
	get producerNumber(): number | undefined {
		return this.#producer?.number;
	}

	/** Closes that producer. The next message opens another one. */
	close(): void {
		this.#producer?.close();
		this.#producer = undefined;
	}

	#take(rounds: number): boolean {
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

	#ownProducer(): Producer {
		this.#producer ??= Producer.open({ cacheDir: this.#control.paths.cacheDir });
		return this.#producer;
	}
}

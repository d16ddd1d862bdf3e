/**
 * Takes records out of the queue in the place of a logman: holds the lease, and stores how far it has got after each.
 * On return of a `take` the record is out of the queue.
 */

import { PylogError } from "../shared/errors.ts";
import { type Lane, laneIndex } from "../shared/lane.ts";
import { CheckpointFile } from "../spool/checkpoint.ts";
import type { ControlFile } from "../spool/control-file.ts";
import type { Inbox, InboxFile } from "../spool/inbox.ts";
import { Lease } from "../spool/lease.ts";
import { Quarantine } from "../spool/quarantine.ts";
import { SpoolReader } from "../spool/spool-reader.ts";
import { takenFromInbox } from "../spool/taken-from-inbox.ts";
import { messageItem, type QueueItem, recordItem } from "./queue-item.ts";

const ignore = (): void => undefined;

export class QueueReader {
	readonly #lease: Lease;
	readonly #checkpoint: CheckpointFile;
	readonly #reader: SpoolReader;
	readonly #quarantine: Quarantine;
	readonly #inbox: Inbox;
	/** Identities of inbox files whose message is a record already. */
	readonly #taken: ReadonlySet<string>;
	/** Files of the inbox that can't be moved away, by lane and name. */
	readonly #left = new Set<string>();

	private constructor(control: ControlFile, inbox: Inbox, lease: Lease, checkpoint: CheckpointFile) {
		this.#lease = lease;
		this.#checkpoint = checkpoint;
		this.#inbox = inbox;
		this.#taken = takenFromInbox(control, inbox);
		const events = { onDamage: ignore, onGap: ignore };
		this.#reader = new SpoolReader(control, checkpoint.latest, events, checkpoint.isUncertain);
		this.#quarantine = new Quarantine(control.paths.quarantine);
	}

	/** @throws PylogError PYLOG_LEASE_HELD, PYLOG_RECOVERY_NEEDED */
	static open(control: ControlFile, inbox: Inbox): QueueReader {
		const { paths } = control;
		const lease = Lease.acquire(paths.lease);
		let checkpoint: CheckpointFile | undefined;
		try {
			checkpoint = CheckpointFile.open(paths.checkpoint);
			if (isUnfinished(checkpoint)) {
				throw new PylogError(
					"PYLOG_RECOVERY_NEEDED",
					`A logman of ${paths.cacheDir} died while it wrote a batch. Run \`pylog drain\` to finish it first.`,
				);
			}
			return new QueueReader(control, inbox, lease, checkpoint);
		} catch (error) {
			checkpoint?.close();
			lease.release();
			throw error;
		}
	}

	/** Whether a lane of the spool is empty; the inbox is not looked at. */
	isEmpty(lane: Lane): boolean {
		return this.#reader.isEmpty(laneIndex[lane]);
	}

	/** The next record of a lane. */
	take(lane: Lane): QueueItem | undefined {
		let item: QueueItem | undefined;
		this.#reader.readOnly(laneIndex[lane], (record) => {
			item = recordItem(record);
			return "last";
		});
		if (item === undefined) return undefined;
		this.#reader.markDelivered();
		const { parked = {}, unsynced = [] } = this.#checkpoint.latest ?? {};
		this.#checkpoint.write({
			horizon: this.#reader.horizon,
			delivered: this.#reader.delivered,
			chains: this.#reader.states(),
			outputs: [],
			parked,
			unsynced,
		});
		this.#reader.publish();
		return item;
	}

	/** The oldest message of the inbox. What is none goes to quarantine, as with a logman. */
	takeMessage(lane: Lane): QueueItem | undefined {
		for (;;) {
			const [file] = this.#inbox.list(lane, 1, (name) => this.#left.has(`${lane}/${name}`));
			if (file === undefined) return undefined;
			const receipt = this.#inbox.receive(file);
			if (receipt.kind === "later") throw receipt.error;
			if (receipt.kind === "bad") {
				const outcome = this.#quarantine.take(file.path, receipt.reason);
				if (outcome.kind === "failed") {
					// Told once; what is behind it must not wait for it.
					this.#left.add(`${lane}/${file.name}`);
					throw outcome.error;
				}
			}
			if (receipt.kind !== "message") continue;
			const removal = this.#inbox.remove(file);
			if (removal.kind === "failed" && !this.#leave(file)) throw removal.error;
			// One that a logman had taken into the spool before it died was in the queue as a record.
			const isOurs = removal.kind === "removed" || removal.kind === "failed";
			if (isOurs && !this.#taken.has(file.identity)) return messageItem(receipt.message);
		}
	}

	/** Passes over a file that can't be removed, and notes on disk that it is taken. Returns whether that is noted. */
	#leave({ lane, name, identity }: InboxFile): boolean {
		try {
			this.#inbox.taken.add(identity);
		} catch {
			return false;
		}
		this.#left.add(`${lane}/${name}`);
		return true;
	}

	close(): void {
		this.#reader.close();
		this.#checkpoint.close();
		this.#lease.release();
	}
}

function isUnfinished({ latest }: CheckpointFile): boolean {
	if (latest === undefined) return false;
	const isBegun = latest.chains.some(({ from, to }) => from.index !== to.index || from.offset !== to.offset);
	return isBegun || latest.outputs.length > 0;
}

/**
 * What waits in a queue: the records of its spool and the messages of its inbox. Nobody who only logs needs it, so it is
 * loaded when a `LogQueue` is made.
 */

import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { type Lane, laneIndex } from "../shared/lane.ts";
import { readCheckpoint } from "../spool/checkpoint.ts";
import type { ControlFile } from "../spool/control-file.ts";
import { Inbox } from "../spool/inbox.ts";
import { SpoolReader } from "../spool/spool-reader.ts";
import type { QueueItem } from "./queue-item.ts";
import { QueueReader } from "./queue-reader.ts";

export interface QueueContents {
	/** Whether nothing waits in a lane. Reads what waits. */
	isEmpty(lane: Lane): boolean;
	/** Takes the oldest of a lane out of the queue. The first call takes the lease. */
	take(lane: Lane): QueueItem | undefined;
	/** A path in the inbox which nothing has yet. */
	newMessagePath(): string;
	/** Gives the lease back. Idempotent. */
	close(): void;
}

const ignore = (): void => undefined;

/** Makes the inbox where it is missing. The control file stays the caller's. */
export function openContents(control: ControlFile): QueueContents {
	return new Contents(control);
}

class Contents implements QueueContents {
	readonly #control: ControlFile;
	readonly #inbox: Inbox;
	#reader: QueueReader | undefined;

	constructor(control: ControlFile) {
		this.#control = control;
		this.#inbox = new Inbox(control.paths.cacheDir);
		this.#inbox.ensure();
	}

	isEmpty(lane: Lane): boolean {
		if (this.#inbox.list(lane, 1).length > 0) return false;
		if (this.#reader !== undefined) return this.#reader.isEmpty(lane);
		const checkpoint = readCheckpoint(this.#control.paths.checkpoint);
		const reader = new SpoolReader(this.#control, checkpoint, { onDamage: ignore, onGap: ignore });
		try {
			return reader.isEmpty(laneIndex[lane]);
		} finally {
			reader.close();
		}
	}

	take(lane: Lane): QueueItem | undefined {
		this.#reader ??= QueueReader.open(this.#control, this.#inbox);
		try {
			return this.#reader.take(lane) ?? this.#reader.takeMessage(lane);
		} catch (error) {
			// What was read and could not be stored as taken is given again, from where the checkpoint stands.
			this.close();
			throw error;
		}
	}

	newMessagePath(): string {
		return join(this.#inbox.directory, "normal", `${Date.now()}-${process.pid}-${randomBytes(6).toString("hex")}.json`);
	}

	close(): void {
		this.#reader?.close();
		this.#reader = undefined;
	}
}

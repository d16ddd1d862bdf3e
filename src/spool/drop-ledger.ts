/**
 * What a producer had to drop and has not told of yet: counted by logger, lane and reason. Invariant: however many
 * loggers there are (a child for each request), it stays small; no drop goes uncounted.
 */

import { instant } from "../shared/instant.ts";
import type { LaneIndex } from "../shared/lane.ts";
import type { Definition } from "./definition.ts";
import type { Entry } from "./producer.ts";
import { recordFlags } from "./log-record.ts";

export type DropReason = "the spool is full" | "the lane was closed";

export interface Drop {
	readonly lane: LaneIndex;
	readonly definition: Definition;
	readonly reason: DropReason;
	readonly sinceMs: number;
	count: number;
}

const warningLevel = 40;
/** Beyond so many, the drops of a logger are told of together with those of another. */
const maxDrops = 64;

export class DropLedger {
	#drops: Drop[] = [];
	/** All drops ever. */
	total = 0;
	/** Drops that a line tells of. */
	told = 0;

	/** Whether there are drops that no line tells of. */
	get isPending(): boolean {
		return this.#drops.length > 0;
	}

	/** The same, in one lane. */
	isPendingIn(lane: LaneIndex): boolean {
		return this.#drops.length > 0 && this.#drops.some((drop) => drop.lane === lane);
	}

	add(lane: LaneIndex, definition: Definition, reason: DropReason): void {
		this.total += 1;
		let alike: Drop | undefined;
		for (const drop of this.#drops) {
			if (drop.lane !== lane || drop.reason !== reason) continue;
			alike = drop;
			if (drop.definition === definition) break;
		}
		if (alike !== undefined && (alike.definition === definition || this.#drops.length >= maxDrops)) alike.count += 1;
		else this.#drops.push({ lane, definition, reason, sinceMs: Date.now(), count: 1 });
	}

	/**
	 * Hands each untold drop to `write`, oldest first. `write` returns whether the line was taken; those it refuses stay.
	 * Returns whether none is left.
	 */
	tell(write: (drop: Drop) => boolean): boolean {
		const refusing = new Set<LaneIndex>();
		this.#drops = this.#drops.filter((drop) => {
			// A lane that has no room for one line has none for the next: asking costs system calls.
			if (refusing.has(drop.lane) || !write(drop)) {
				refusing.add(drop.lane);
				return true;
			}
			this.told += drop.count;
			return false;
		});
		return this.#drops.length === 0;
	}
}

/** The line that stands where records are missing: how many, whose, why, since when. */
export function dropNotice(drop: Drop, producer: number): Entry {
	const since = instant(drop.sinceMs);
	const lane = drop.lane === 0 ? "priority" : "normal";
	return {
		level: warningLevel,
		timeMs: 0,
		flags: recordFlags.dropNotice,
		definition: drop.definition,
		callSite: undefined,
		message: `pylog dropped ${drop.count} ${drop.count === 1 ? "record" : "records"} here: ${drop.reason}`,
		fields: `"dropped":${drop.count},"lane":"${lane}","producer":${producer},"process":${process.pid},"since":"${since}"`,
		error: "",
	};
}

/**
 * What a producer had to drop and has not told of yet: counted by logger, lane, reason and policy. Invariant: however
 * many loggers there are (a child for each request), it stays small; no drop goes uncounted.
 */

import { instant } from "../shared/instant.ts";
import type { LaneIndex } from "../shared/lane.ts";
import { levelNames } from "../shared/level-names.ts";
import type { Definition } from "./definition.ts";
import type { FullPolicy } from "./full-policy.ts";
import { recordFlags } from "./log-record.ts";
import type { Entry } from "./entry.ts";

export type DropReason =
	| "the spool is full"
	| "the spool is nearly full"
	| "the lane was closed"
	| "the stack had no room for the call";

/** What is told of a record that was dropped. */
type Dropped = Pick<Entry, "definition" | "level">;

export interface Drop {
	readonly lane: LaneIndex;
	readonly definition: Definition;
	readonly reason: DropReason;
	readonly policy: FullPolicy;
	/** Why there was no room, when the first was dropped: see `SegmentChain.refusedBecause`. */
	readonly cause: string;
	readonly sinceMs: number;
	/** When it is told of at the latest if others find room meanwhile, on the clock of `performance.now()`. */
	readonly dueMs: number;
	readonly levels: Map<number, number>;
	count: number;
}

const warningLevel = 40;
/** Beyond so many, the drops of a logger are told of together with those of another. */
const maxDrops = 64;
/** Records of low levels that are dropped between others are told of so often: each line takes room of the others. */
const tellIntervalMs = 1000;

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

	/** Whether there are some in a lane that are to be told of now. `isScarce` says whether a policy still drops. */
	isDueIn(lane: LaneIndex, isScarce: (policy: FullPolicy) => boolean): boolean {
		return this.#drops.length > 0 && this.#drops.some((drop) => drop.lane === lane && isDue(drop, isScarce));
	}

	add(lane: LaneIndex, record: Dropped, reason: DropReason, policy: FullPolicy, cause: string): void {
		const { definition, level } = record;
		this.total += 1;
		let drop: Drop | undefined;
		for (const each of this.#drops) {
			if (each.lane !== lane || each.reason !== reason || each.policy !== policy) continue;
			drop = each;
			if (each.definition === definition) break;
		}
		if (drop === undefined || (drop.definition !== definition && this.#drops.length < maxDrops)) {
			const dueMs = reason === "the spool is nearly full" ? performance.now() + tellIntervalMs : 0;
			drop = { lane, definition, reason, policy, cause, sinceMs: Date.now(), dueMs, levels: new Map(), count: 0 };
			this.#drops.push(drop);
		}
		drop.count += 1;
		drop.levels.set(level, (drop.levels.get(level) ?? 0) + 1);
	}

	/**
	 * Hands each drop that is due to `write`, oldest first. `write` returns whether the line was taken; those it refuses
	 * stay. Returns whether none is left.
	 */
	tell(isScarce: (policy: FullPolicy) => boolean, write: (drop: Drop) => boolean): boolean {
		const refusing = new Set<LaneIndex>();
		this.#drops = this.#drops.filter((drop) => {
			if (!isDue(drop, isScarce)) return true;
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

function isDue({ dueMs, policy }: Drop, isScarce: (policy: FullPolicy) => boolean): boolean {
	return dueMs === 0 || performance.now() >= dueMs || !isScarce(policy);
}

/** The line that stands where records are missing: how many of which levels, whose, why, by which policy, since when. */
export function dropNotice(drop: Drop, producer: number): Entry {
	const { count, reason } = drop;
	const fields = {
		dropped: count,
		levels: Object.fromEntries([...drop.levels].map(([level, of]) => [nameOf(level), of])),
		lane: drop.lane === 0 ? "priority" : "normal",
		producer,
		process: process.pid,
		since: instant(drop.sinceMs),
		...policyFields(drop),
	};
	return {
		level: warningLevel,
		timeMs: 0,
		flags: recordFlags.dropNotice,
		definition: drop.definition,
		callSite: undefined,
		message: `pylog dropped ${count} ${count === 1 ? "record" : "records"} here: ${reason}`,
		fields: JSON.stringify(fields).slice(1, -1),
		error: "",
	};
}

function policyFields({ reason, policy, cause }: Drop): object {
	if (reason !== "the spool is full" && reason !== "the spool is nearly full") return {};
	const { policy: name, below, share, deadlineMs } = policy;
	return {
		policy: name,
		...(below > 0 ? { below: nameOf(below), share } : {}),
		...(deadlineMs > 0 ? { deadlineMs } : {}),
		...(reason === "the spool is full" ? { cause } : {}),
	};
}

/** Levels are ten apart, from 10 on. */
function nameOf(level: number): string {
	return levelNames[level / 10 - 1] ?? String(level);
}

/**
 * What becomes of a record that the spool has no room for, as the one who logs it wants it. It travels with each append:
 * the loggers of a thread share a producer and may differ in this.
 *
 * All policies have the same members, so that the append of a record that finds room pays one comparison for them.
 */

export interface FullPolicy {
	readonly policy: "drop-new" | "block" | "drop-lowest";
	/** Records of a lower level are dropped once `share` of the room is taken; 0 for none. */
	readonly below: number;
	/** From 0 to 1: part of what the spool may take. */
	readonly share: number;
	/** How long an append may wait for room, in milliseconds; 0 for not at all. */
	readonly deadlineMs: number;
}

/** A record that finds no room is dropped. */
export const dropNew: FullPolicy = { policy: "drop-new", below: 0, share: 1, deadlineMs: 0 };

/** An append waits for room, `deadlineMs` at most. */
export function block(deadlineMs: number): FullPolicy {
	return { policy: "block", below: 0, share: 1, deadlineMs };
}

/** What is below a level is dropped while more than `share` of the room is taken: the rest is left for the others. */
export function dropLowest(below: number, share: number): FullPolicy {
	return { policy: "drop-lowest", below, share, deadlineMs: 0 };
}

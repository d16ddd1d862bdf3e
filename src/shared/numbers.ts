/** Numbers that must never be mixed up are branded; each brand has one checked constructor. */

import { InvariantError } from "./errors.ts";

declare const brand: unique symbol;
type Branded<Name extends string> = number & { readonly [brand]: Name };

/** A record's place in the one order of a cache directory: a whole number from 1, exact up to 2^53. */
export type QueueNumber = Branded<"QueueNumber">;

export function queueNumber(value: number): QueueNumber {
	if (!Number.isSafeInteger(value) || value < 0) throw new InvariantError("not a queue number", { value });
	return value as QueueNumber;
}

/** Beyond this no full number is made: whoever sets the counter ahead again and again must not reach inexact ones. */
const maxQueueNumber = Number.MAX_SAFE_INTEGER - 0x1_0000_0000;
/** So far they go back then: a multiple of 2^32. */
const stepBack = 0x8_0000_0000_0000;

/**
 * The full number whose low 32 bits are `low` and which is nearest to `reference`.
 *
 * Producers know 32 bits only; the logman carries the rest. Right as long as fewer than 2^31 records wait, which the
 * spool's limit in bytes guarantees, and below 2^53, which no machine reaches by logging.
 */
export function liftQueueNumber(low: number, reference: QueueNumber): QueueNumber {
	const full = reference + ((low - (reference % 0x1_0000_0000)) | 0);
	if (full > maxQueueNumber) return (full - stepBack) as QueueNumber;
	return (full < 0 ? full + 0x1_0000_0000 : full) as QueueNumber;
}

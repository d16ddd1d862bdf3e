/** Lines on their way into one file. */

import type { OutputState } from "../spool/checkpoint.ts";
import type { LoggerDefinition } from "../spool/log-record.ts";

export interface Shipment {
	readonly path: string;
	/** What precedes the batch's lines in `bytes`. */
	lead: string;
	/** All that is to be in the file. */
	bytes: Buffer;
	/** Bytes that are in a file. */
	writtenBytes: number;
	/** Records of the batch, and how lines of this output look: for the line that tells of them if they are dropped. */
	readonly records: number;
	readonly definition: LoggerDefinition | undefined;
	/** What the file that gets the rest was before it; `undefined` before the batch is announced. */
	state: OutputState | undefined;
	/** Whether more than `writtenBytes` may be in that file: a death, or a stalled write, has left it open. */
	isInDoubt: boolean;
	/** Why the rest can go nowhere for now: neither to its output nor beside it. */
	obstacle: Error | undefined;
}

/** A shipment of which nothing is announced yet. */
export function shipmentTo(
	path: string,
	bytes: Buffer,
	{ lead = "", records = 0, definition }: Partial<Pick<Shipment, "lead" | "records" | "definition">> = {},
): Shipment {
	const atFirst = { writtenBytes: 0, state: undefined, isInDoubt: false, obstacle: undefined };
	return { path, bytes, lead, records, definition, ...atFirst };
}

export function isWritten({ writtenBytes, bytes }: Shipment): boolean {
	return writtenBytes >= bytes.length;
}

/** Whether it begins with a line that tells of dropped ones: with it, they would be forgotten. */
export function tellsOfDrops({ lead }: Shipment): boolean {
	return lead !== "" && lead !== "\n";
}

/** Puts a text before the lines, once. */
export function leadWith(shipment: Shipment, lead: string): void {
	if (lead === "" || shipment.lead !== "" || shipment.writtenBytes > 0) return;
	shipment.lead = lead;
	shipment.bytes = Buffer.concat([Buffer.from(lead), shipment.bytes]);
}

const maxLineBytes = 4096;

/** The line that comes next, its beginning if it is long. */
export function nextLine({ bytes, writtenBytes: at }: Shipment): string {
	const start = at === 0 ? 0 : bytes.lastIndexOf(0x0a, at - 1) + 1;
	const end = bytes.indexOf(0x0a, start);
	return bytes.toString("utf8", start, Math.min(end === -1 ? bytes.length : end, start + maxLineBytes));
}

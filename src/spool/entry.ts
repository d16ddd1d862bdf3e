/** What one call logs, on its way into the spool. */

import type { Definition } from "./definition.ts";
import { recordBytes } from "./record-codec.ts";

/** Absent texts are "". */
export interface Entry {
	readonly level: number;
	/** Wall clock, milliseconds since the Unix epoch; 0 stands for now. */
	readonly timeMs: number;
	/** Bits of `recordFlags`. */
	readonly flags: number;
	readonly definition: Definition;
	readonly callSite: Definition | undefined;
	readonly message: string;
	/** Members of a JSON object, without braces. */
	readonly fields: string;
	/** An `ErrorRecord` as JSON. */
	readonly error: string;
}

/** Bytes a segment needs for an entry, with the definitions it refers to. */
export function entryBytes({ message, fields, error, definition, callSite }: Entry): number {
	return (
		recordBytes(Buffer.byteLength(message) + Buffer.byteLength(fields) + Buffer.byteLength(error)) +
		recordBytes(Buffer.byteLength(definition.text)) +
		recordBytes(callSite === undefined ? 0 : Buffer.byteLength(callSite.text))
	);
}

/**
 * A record as it comes out of the spool, and the definition it refers to.
 *
 * The bytes of message, fields and error stay where they were read (`bytes`); a renderer copies them once, into the
 * output. A `LogRecord` is valid only until the next one is read: its memory is used again.
 */

import type { Lane } from "../shared/lane.ts";
import type { QueueNumber } from "../shared/numbers.ts";

/** How a line is laid out: a rendered prefix and text, or one JSON object. */
export const formats = ["text", "json"] as const;
export type Format = (typeof formats)[number];

/** What all records of one logger (or one child) have in common. Defined once per segment, as JSON. */
export interface LoggerDefinition {
	/** Absolute path of the file the line goes to. */
	readonly output: string;
	readonly format: Format;
	/** Template of a text line's prefix. Empty with `format: "json"`. */
	readonly logform: string;
	/** The logger's `name`, or "". */
	readonly name: string;
	readonly hostname: string;
	readonly pid: number;
	/** Worker thread id; 0 is the main thread. */
	readonly thread: number;
	/** The members of the JSON object of bound fields, without braces: `"a":1,"b":"x"`, or "". */
	readonly fields: string;
}

/** Bits of a record's `flags` byte. */
export const recordFlags = {
	/** A finished line: rendered without prefix, in either format (`queueIn`, inbox, `LogQueue.put`). */
	finished: 1,
	/** Something was cut because the record passed the size limit; the mark is in the text itself. */
	cut: 2,
	/** The record's own fields already include the bound ones: those of the definition are left out. */
	ownFieldsOnly: 4,
	/** The record reports dropped records; it stands where they are missing. */
	dropNotice: 8,
} as const;

export interface LogRecord {
	/** Place in the one order; also what `%queue%` prints. */
	readonly queue: QueueNumber;
	/** 1, 2, 3 … within its producer's lane: a hole proves a loss. */
	readonly sequence: number;
	readonly lane: Lane;
	/** trace 10, debug 20, info 30, warning 40, error 50, fatal 60. */
	readonly level: number;
	readonly flags: number;
	/** Wall clock of the call, milliseconds since the Unix epoch. */
	readonly timeMs: number;
	/** What the caller's local time was ahead of UTC, in minutes. */
	readonly utcOffsetMinutes: number;
	readonly definition: LoggerDefinition;
	/** `file:line` of the caller, or "". */
	readonly callSite: string;
	/** UTF-8. Message is [messageStart, fieldsStart), fields [fieldsStart, errorStart), error [errorStart, end). */
	readonly bytes: Buffer;
	/** Over the same bytes, from the first one on. */
	readonly view: DataView;
	readonly messageStart: number;
	/** Fields are the members of a JSON object without its braces. */
	readonly fieldsStart: number;
	/** The error is one JSON object, see `ErrorRecord`. */
	readonly errorStart: number;
	readonly end: number;
	/** Its number is lower than one already written in its lane: its producer had been passed over. */
	readonly late: boolean;
}

/** An error as it travels: JSON in the record's error part. Causes and aggregated errors nest. */
export interface ErrorRecord {
	/** Constructor name, such as `TypeError`. */
	readonly type: string;
	readonly message: string;
	/** The stack as V8 prints it, or "" where there is none. */
	readonly stack: string;
	readonly cause?: ErrorRecord | { readonly value: unknown };
	readonly errors?: readonly (ErrorRecord | { readonly value: unknown })[];
	/** Own enumerable properties such as `code`, `errno`, `statusCode`. */
	readonly properties?: Readonly<Record<string, unknown>>;
}

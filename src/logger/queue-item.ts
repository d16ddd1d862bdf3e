/** What a reader of the queue gets: a record, or a message of the inbox, as a plain object. */

import { levels } from "../line/level.ts";
import { inboxOrigin } from "../spool/taken-from-inbox.ts";
import type { ParsedInboxMessage } from "../spool/inbox-message.ts";
import type { ErrorRecord, LogRecord } from "../spool/log-record.ts";

/** What `LogQueue.get` takes out. */
export interface QueueItem {
	/** Place in the one order of the queue; 0 for a message that never was in it, but in the inbox. */
	readonly queue: number;
	readonly message: string;
	/** Absolute path. */
	readonly logTo: string;
	readonly priority: boolean;
	/** trace 10 … fatal 60. */
	readonly level: number;
	/** Wall clock of the call, milliseconds since the Unix epoch. */
	readonly timeMs: number;
	/** `file:line` of the call, or "". */
	readonly callSite: string;
	/** Fields of the record, without the logger's bound ones. */
	readonly fields: Readonly<Record<string, unknown>>;
	readonly exception: ErrorRecord | undefined;
}

export function recordItem(record: LogRecord): QueueItem {
	const { bytes, messageStart, fieldsStart, errorStart, end } = record;
	return {
		queue: record.queue,
		message: bytes.toString("utf8", messageStart, fieldsStart),
		logTo: record.definition.output,
		priority: record.lane === "priority",
		level: record.level,
		timeMs: record.timeMs,
		callSite: record.callSite.startsWith(inboxOrigin) ? "" : record.callSite,
		fields: parseObject(`{${bytes.toString("utf8", fieldsStart, errorStart)}}`) ?? {},
		exception: parseObject(bytes.toString("utf8", errorStart, end)) as ErrorRecord | undefined,
	};
}

export function messageItem(message: ParsedInboxMessage & { readonly time: number }): QueueItem {
	const { msg, logTo, level, exception, time, priority } = message;
	return {
		queue: 0,
		message: msg,
		logTo,
		priority,
		level: levels[level ?? "info"],
		timeMs: time,
		callSite: "",
		fields: {},
		exception: exception === undefined ? undefined : { type: "Error", message: exception, stack: exception },
	};
}

function parseObject(text: string): Readonly<Record<string, unknown>> | undefined {
	try {
		return JSON.parse(text) as Readonly<Record<string, unknown>>;
	} catch {
		return undefined;
	}
}

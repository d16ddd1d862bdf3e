/** The line that stands where lines of a parked output are missing, in the form of that output's lines. */

import { LineBuffer } from "../line/line-buffer.ts";
import { rendererFor } from "../line/renderer.ts";
import { localOffsetMinutes } from "../shared/local-offset.ts";
import type { QueueNumber } from "../shared/numbers.ts";
import { type LoggerDefinition, type LogRecord, recordFlags } from "../spool/log-record.ts";

const warningLevel = 40;

export function dropLine(count: number, definition: LoggerDefinition, queue: QueueNumber): string {
	const message = `pylog dropped ${count} ${count === 1 ? "record" : "records"} here: parked/ has reached its limit`;
	const fields = `"dropped":${count}`;
	const bytes = Buffer.from(message + fields);
	const messageBytes = Buffer.byteLength(message);
	const timeMs = Date.now();
	const record: LogRecord = {
		queue,
		sequence: 0,
		lane: "normal",
		level: warningLevel,
		flags: recordFlags.dropNotice,
		timeMs,
		utcOffsetMinutes: localOffsetMinutes(timeMs),
		definition,
		callSite: "",
		bytes,
		view: new DataView(bytes.buffer, bytes.byteOffset, bytes.length),
		messageStart: 0,
		fieldsStart: messageBytes,
		errorStart: bytes.length,
		end: bytes.length,
		late: false,
	};
	const line = new LineBuffer({ initialBytes: 1024 });
	rendererFor(definition)(record, line);
	return line.bytes.toString("utf8");
}

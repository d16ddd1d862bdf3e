/** Records as a reader of the spool hands them over, made from texts. */
import { LineBuffer } from "../../src/line/line-buffer.ts";
import type { LineRenderer } from "../../src/line/text-line.ts";
import { queueNumber } from "../../src/shared/numbers.ts";
import type { LoggerDefinition, LogRecord } from "../../src/spool/log-record.ts";

export interface RecordContent {
	readonly message?: string | Uint8Array;
	readonly fields?: string | Uint8Array;
	readonly error?: string | Uint8Array | object;
}

/** 2026-11-22T06:25:28.123Z */
export const someTimeMs = 1_795_328_728_123;

export function makeDefinition(changes: Partial<LoggerDefinition> = {}): LoggerDefinition {
	return {
		output: "/var/log/app.log",
		format: "text",
		logform: "%loglevel% - %time% - %file% | ",
		name: "",
		hostname: "host-1",
		pid: 4711,
		thread: 0,
		fields: "",
		...changes,
	};
}

export function makeRecord(content: RecordContent = {}, changes: Partial<LogRecord> = {}): LogRecord {
	// Foreign bytes around the record, as in a segment: who reads too far, sees them.
	const before = Buffer.from("\u0007before\n");
	const [message, fields, error] = [content.message, content.fields, content.error].map(toBytes) as [
		Buffer,
		Buffer,
		Buffer,
	];
	const fieldsStart = before.length + message.length;
	const errorStart = fieldsStart + fields.length;
	const bytes = Buffer.concat([before, message, fields, error, Buffer.from("\u0007behind\n")]);
	return {
		queue: queueNumber(12),
		sequence: 1,
		lane: "normal",
		level: 30,
		flags: 0,
		timeMs: someTimeMs,
		utcOffsetMinutes: 0,
		definition: makeDefinition(),
		callSite: "app.ts:7",
		bytes,
		view: new DataView(bytes.buffer, bytes.byteOffset, bytes.length),
		messageStart: before.length,
		fieldsStart,
		errorStart,
		end: errorStart + error.length,
		late: false,
		...changes,
	};
}

function renderBytes(render: LineRenderer, record: LogRecord): Buffer {
	const out = new LineBuffer({ initialBytes: 16 });
	render(record, out);
	return Buffer.from(out.bytes);
}

export function renderText(render: LineRenderer, record: LogRecord): string {
	return renderBytes(render, record).toString("utf8");
}

function toBytes(part: string | Uint8Array | object | undefined): Buffer {
	if (part === undefined) return Buffer.alloc(0);
	if (typeof part === "string") return Buffer.from(part, "utf8");
	return Buffer.from(part instanceof Uint8Array ? part : JSON.stringify(part));
}

/**
 * Records as text: prefix, message, fields as JSON after a blank; an error below, indented.
 *
 * Invariants: the first line of a record starts with its prefix, every further line with the indent of its logform,
 * which no prefix starts with. With an empty prefix, or for a finished line, a message is one line. Only newlines (and
 * tabs) are written as control characters. No bytes of a record make a renderer throw.
 */

import type { LoggerDefinition, LogRecord, recordFlags } from "../spool/log-record.ts";
import { type JsonObject, parseErrorPart } from "./error-part.ts";
import { errorHeadline, writeErrorText } from "./error-text.ts";
import { type EscapeStyle, indentedText, oneLineText, writeEscaped, writeEscapedText } from "./escape.ts";
import type { LineBuffer } from "./line-buffer.ts";
import type { CompiledLogform } from "./logform.ts";
import { compilePrefix } from "./prefix.ts";
import { boundMembers, writeMembers } from "./record-members.ts";

/** Appends a record's line, or lines, to `out`, each with its newline. */
export type LineRenderer = (record: LogRecord, out: LineBuffer) => void;

const finished: typeof recordFlags.finished = 1;
/** Below a line without prefix. */
const plainIndent = "    ";
const newline = 0x0a;
const closingBrace = 0x7d;
const openFields = Buffer.from(" {", "utf8");

export function compileTextLine(logform: CompiledLogform, definition: LoggerDefinition): LineRenderer {
	const writePrefix = compilePrefix(logform, definition);
	const bound = boundMembers(definition);
	const messageStyle = logform.indent === "" ? oneLineText : indentedText(logform.indent);
	const indent = logform.indent === "" ? plainIndent : logform.indent;
	return (record, out) => {
		if ((record.flags & finished) !== 0) return renderFinishedLine(record, out);
		writePrefix(record, out);
		if (!hasError(record)) {
			writeEscaped(out, record, record.messageStart, record.fieldsStart, messageStyle);
			writeFields(record, bound, out);
			out.writeByte(newline);
			return;
		}
		const error = readError(record);
		writeMessage(record, error, messageStyle, out);
		writeFields(record, bound, out);
		out.writeByte(newline);
		writeErrorLines(record, error, indent, out);
	};
}

/** A line that its caller had finished: no prefix, no fields, one line, the same in text and JSON files. */
export function renderFinishedLine(record: LogRecord, out: LineBuffer): void {
	const error = readError(record);
	writeMessage(record, error, oneLineText, out);
	out.writeByte(newline);
	if (hasError(record)) writeErrorLines(record, error, plainIndent, out);
}

function hasError(record: LogRecord): boolean {
	return record.errorStart < record.end;
}

function readError(record: LogRecord): JsonObject | undefined {
	return hasError(record) ? parseErrorPart(record.bytes, record.errorStart, record.end) : undefined;
}

/** An error that was logged without words of its own gives the message. */
function writeMessage(record: LogRecord, error: JsonObject | undefined, style: EscapeStyle, out: LineBuffer): void {
	const { messageStart, fieldsStart } = record;
	if (messageStart === fieldsStart && error !== undefined) writeEscapedText(out, errorHeadline(error), style);
	else writeEscaped(out, record, messageStart, fieldsStart, style);
}

function writeFields(record: LogRecord, bound: Buffer, out: LineBuffer): void {
	const start = out.length;
	out.writeBytes(openFields);
	writeMembers(record, bound, out);
	if (out.length === start + openFields.length) out.truncate(start);
	else out.writeByte(closingBrace);
}

/** The error, or on one line the raw text of an error part that can't be read. */
function writeErrorLines(record: LogRecord, error: JsonObject | undefined, indent: string, out: LineBuffer): void {
	if (error !== undefined) return writeErrorText(error, indent, out);
	out.writeText(indent);
	writeEscaped(out, record, record.errorStart, record.end, oneLineText);
	out.writeByte(newline);
}

/**
 * The members of a record's JSON object: those bound to its logger, its own, and `late`. Without braces.
 *
 * Members are stored as encoded JSON and copied. The logger has seen to it that none has a reserved key and that bound
 * and own keys don't collide (else it sets `ownFieldsOnly`).
 */

import type { LoggerDefinition, LogRecord, recordFlags } from "../spool/log-record.ts";
import { jsonMembers, writeEscaped, writeEscapedText } from "./escape.ts";
import { LineBuffer } from "./line-buffer.ts";

const ownFieldsOnly: typeof recordFlags.ownFieldsOnly = 4;
const comma = 0x2c;
const lateMember = Buffer.from('"late":true', "utf8");
const scratch = new LineBuffer({ initialBytes: 1024, maxKeptBytes: 64 * 1024 });

/** A definition's bound members, ready to be copied. */
export function boundMembers(definition: LoggerDefinition): Buffer {
	scratch.clear();
	writeEscapedText(scratch, definition.fields, jsonMembers);
	return Buffer.from(scratch.bytes);
}

/** Appends all members with commas between them; nothing if there are none. */
export function writeMembers(record: LogRecord, bound: Buffer, out: LineBuffer): void {
	const start = out.length;
	if ((record.flags & ownFieldsOnly) === 0) out.writeBytes(bound);
	if (record.fieldsStart < record.errorStart) {
		if (out.length > start) out.writeByte(comma);
		writeEscaped(out, record, record.fieldsStart, record.errorStart, jsonMembers);
	}
	if (record.late) {
		if (out.length > start) out.writeByte(comma);
		out.writeBytes(lateMember);
	}
}

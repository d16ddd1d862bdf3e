/**
 * Records as JSON lines: `time level queue pid name file msg`, bound members, own members, `late`, `err`.
 *
 * Invariants: one record is one line; no key occurs twice, because the logger keeps members off {@link reservedKeys};
 * a line is valid JSON if the record's members are. No bytes of a record make the renderer throw.
 */

import type { LoggerDefinition, LogRecord, recordFlags } from "../spool/log-record.ts";
import { ByteCache } from "./byte-cache.ts";
import { parseErrorPart } from "./error-part.ts";
import { jsonString, parsedJson, writeEscaped, writeEscapedText } from "./escape.ts";
import { levelName } from "./level.ts";
import { LineBuffer } from "./line-buffer.ts";
import { compileHead, type HeadPiece } from "./line-head.ts";
import { boundMembers, writeMembers } from "./record-members.ts";
import { type LineRenderer, renderFinishedLine } from "./text-line.ts";

export { reservedKeys } from "./reserved-keys.ts";

const finished: typeof recordFlags.finished = 1;
const newline = 0x0a;
const comma = 0x2c;
const quote = 0x22;
const closingBrace = 0x7d;
const openLine = Buffer.from('{"time":"', "utf8");
const openMessage = Buffer.from(',"msg":"', "utf8");
const openError = Buffer.from(',"err":', "utf8");
const nothing: Buffer = Buffer.alloc(0);
const scratch = new LineBuffer({ initialBytes: 1024, maxKeptBytes: 64 * 1024 });
const callSites = new ByteCache((callSite) => stringMember("file", callSite));
const callSitePiece: HeadPiece = {
	kind: "callSite",
	of: (callSite) => (callSite === "" ? nothing : callSites.get(callSite)),
};

export function compileJsonLine(definition: LoggerDefinition): LineRenderer {
	const pid = Buffer.from(`,"pid":${definition.pid}`, "latin1");
	const name = definition.name === "" ? nothing : stringMember("name", definition.name);
	const writeHead = compileHead([
		{ kind: "constant", bytes: openLine },
		{ kind: "time" },
		{ kind: "level", of: levelAndQueue },
		{ kind: "queue" },
		{ kind: "own", bytes: Buffer.concat([pid, name]) },
		callSitePiece,
		{ kind: "constant", bytes: openMessage },
	]);
	const bound = boundMembers(definition);
	return (record, out) => {
		if ((record.flags & finished) !== 0) return renderFinishedLine(record, out);
		writeHead(record, out);
		writeEscaped(out, record, record.messageStart, record.fieldsStart, jsonString);
		out.writeByte(quote);
		writeFields(record, bound, out);
		if (record.errorStart < record.end) writeErrorMember(record, out);
		out.writeByte(closingBrace);
		out.writeByte(newline);
	};
}

function writeFields(record: LogRecord, bound: Buffer, out: LineBuffer): void {
	out.writeByte(comma);
	const start = out.length;
	writeMembers(record, bound, out);
	if (out.length === start) out.truncate(start - 1);
}

function writeErrorMember(record: LogRecord, out: LineBuffer): void {
	const { bytes, errorStart, end } = record;
	out.writeBytes(openError);
	if (parseErrorPart(bytes, errorStart, end) !== undefined) {
		writeEscaped(out, record, errorStart, end, parsedJson);
		return;
	}
	out.writeByte(quote);
	writeEscaped(out, record, errorStart, end, jsonString);
	out.writeByte(quote);
}

/** The end of `time`, all of `level` and the start of `queue`. */
function levelAndQueue(level: number): Buffer {
	return Buffer.from(`","level":"${levelName(level)}","queue":`, "utf8");
}

function stringMember(key: string, value: string): Buffer {
	scratch.clear();
	scratch.writeText(`,"${key}":"`);
	writeEscapedText(scratch, value, jsonString);
	scratch.writeByte(quote);
	return Buffer.from(scratch.bytes);
}

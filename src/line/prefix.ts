/**
 * The prefix of a text line, written as bytes.
 *
 * What a logger's lines have in common becomes constant bytes when the prefix is made; level, time, call site and queue
 * number are looked up in caches of bytes. It is the same text as `renderPrefix` gives.
 */

import type { LoggerDefinition, LogRecord } from "../spool/log-record.ts";
import { ByteCache } from "./byte-cache.ts";
import { writeDecimal } from "./decimal.ts";
import { upperLevelName } from "./level.ts";
import type { LineBuffer } from "./line-buffer.ts";
import type { CompiledLogform, Placeholder } from "./logform.ts";
import { dateBytes, timestampBytes } from "./timestamp.ts";
import { valueBytes } from "./value.ts";

export type PrefixWriter = (record: LogRecord, out: LineBuffer) => void;

/** Placeholders whose value is not the same for all records of a logger. */
type RecordPlaceholder = Exclude<Placeholder, "pid" | "hostname" | "name">;

interface Piece {
	readonly kind: "constant" | RecordPlaceholder;
	/** Of a constant; else empty. */
	readonly bytes: Buffer;
}

const nothing: Buffer = Buffer.alloc(0);
const callSites = new ByteCache(valueBytes);
const levelBytes: (Buffer | undefined)[] = [];
const maxCachedLevel = 255;

export function compilePrefix(logform: CompiledLogform, definition: LoggerDefinition): PrefixWriter {
	const pieces = joinConstants(logform.parts.map((part) => compilePart(part.literal, part.placeholder, definition)));
	return (record, out) => {
		for (const piece of pieces) writePiece(piece, record, out);
	};
}

function compilePart(
	literal: string | undefined,
	placeholder: Placeholder | undefined,
	definition: LoggerDefinition,
): Piece {
	switch (placeholder) {
		case undefined:
			return { kind: "constant", bytes: Buffer.from(literal ?? "", "utf8") };
		case "pid":
			return { kind: "constant", bytes: valueBytes(String(definition.pid)) };
		case "hostname":
			return { kind: "constant", bytes: valueBytes(definition.hostname) };
		case "name":
			return { kind: "constant", bytes: valueBytes(definition.name) };
		default:
			return { kind: placeholder, bytes: nothing };
	}
}

function joinConstants(pieces: readonly Piece[]): readonly Piece[] {
	const joined: Piece[] = [];
	for (const piece of pieces) {
		const last = joined.at(-1);
		if (last?.kind === "constant" && piece.kind === "constant") {
			const bytes = Buffer.concat([last.bytes, piece.bytes]);
			joined[joined.length - 1] = { kind: "constant", bytes };
		} else {
			joined.push(piece);
		}
	}
	return joined;
}

function writePiece(piece: Piece, record: LogRecord, out: LineBuffer): void {
	switch (piece.kind) {
		case "constant":
			return out.writeBytes(piece.bytes);
		case "loglevel":
			return out.writeBytes(levelBytes[record.level] ?? makeLevelBytes(record.level));
		case "time":
			return out.writeBytes(timestampBytes(record.timeMs, record.utcOffsetMinutes));
		case "date":
			return out.writeBytes(dateBytes(record.timeMs, record.utcOffsetMinutes));
		case "file":
			return out.writeBytes(callSites.get(record.callSite));
		case "queue":
			return writeDecimal(record.queue, out);
		default:
			return piece.kind satisfies never;
	}
}

function makeLevelBytes(level: number): Buffer {
	const bytes = valueBytes(upperLevelName(level));
	if (Number.isInteger(level) && level >= 0 && level <= maxCachedLevel) levelBytes[level] = bytes;
	return bytes;
}

/**
 * The prefix of a text line, written as bytes.
 *
 * What a logger's lines have in common becomes constant bytes when the prefix is made. It is the same text as
 * `renderPrefix` gives.
 */

import type { LoggerDefinition } from "../spool/log-record.ts";
import { ByteCache } from "./byte-cache.ts";
import { upperLevelName } from "./level.ts";
import { compileHead, type HeadPiece, type HeadWriter } from "./line-head.ts";
import type { CompiledLogform, Placeholder } from "./logform.ts";
import { valueBytes } from "./value.ts";

const callSites = new ByteCache(valueBytes);
const levels = new ByteCache((level) => valueBytes(upperLevelName(Number(level))));
const levelPiece: HeadPiece = { kind: "level", of: (level) => levels.get(String(level)) };
const callSitePiece: HeadPiece = { kind: "callSite", of: (callSite) => callSites.get(callSite) };

export function compilePrefix(logform: CompiledLogform, definition: LoggerDefinition): HeadWriter {
	return compileHead(logform.parts.map((part) => compilePart(part.literal, part.placeholder, definition)));
}

function compilePart(
	literal: string | undefined,
	placeholder: Placeholder | undefined,
	definition: LoggerDefinition,
): HeadPiece {
	switch (placeholder) {
		case undefined:
			return { kind: "constant", bytes: Buffer.from(literal ?? "", "utf8") };
		case "pid":
			return { kind: "own", bytes: valueBytes(String(definition.pid)) };
		case "hostname":
			return { kind: "own", bytes: valueBytes(definition.hostname) };
		case "name":
			return { kind: "own", bytes: valueBytes(definition.name) };
		case "loglevel":
			return levelPiece;
		case "file":
			return callSitePiece;
		case "time":
		case "date":
		case "queue":
			return { kind: placeholder };
		default:
			return placeholder satisfies never;
	}
}

/**
 * The state of one walk through a value, and what such a walk writes of all that is no object.
 *
 * Invariants: nothing here throws; `charsLeft` and `bytesOverChars` tell of everything that was written.
 */

import type { Draft } from "../spool/draft.ts";
import { cutText, functionText, maxStringChars, safeText } from "./json-text.ts";

/** The state of one walk through a value. */
export interface Walk {
	readonly draft: Draft;
	/** Errors are written by whoever starts the walk; this breaks the circle between values and errors. */
	readonly writeError: (error: object, walk: Walk) => void;
	/** The objects that hold the one at hand, outermost first. */
	readonly ancestors: object[];
	/** Characters of JSON text the walk may still produce. */
	charsLeft: number;
	/** By how much the bytes of what was written are more than its characters. */
	bytesOverChars: number;
}

/** A walk that may produce `maxChars`. */
export function newWalk(draft: Draft, maxChars: number, writeError: Walk["writeError"]): Walk {
	return { draft, writeError, ancestors: [], charsLeft: maxChars, bytesOverChars: 0 };
}

/** Adds a text as a JSON string, cut where it is too long. */
export function writeString(text: string, walk: Walk): void {
	const { draft } = walk;
	const start = draft.end;
	if (draft.plainString(text)) {
		walk.charsLeft -= draft.end - start + 1;
		return;
	}
	count(draft.anyString(cutText(text, maxStringChars)), start, walk);
}

/** The same for a text of several lines. */
export function writeLines(text: string, walk: Walk): void {
	const { draft } = walk;
	const start = draft.end;
	count(draft.linesString(cutText(text, maxStringChars)), start, walk);
}

/** The same for what does not count: a mark of a bound. */
export function writeMark(text: string, walk: Walk): void {
	const { charsLeft } = walk;
	writeString(text, walk);
	walk.charsLeft = charsLeft;
}

/** Adds any primitive value, and anything else as its text. */
export function writePrimitive(value: unknown, walk: Walk): void {
	const { draft } = walk;
	const start = draft.end;
	switch (typeof value) {
		case "string":
			writeString(value, walk);
			return;
		case "number":
			writeNumber(draft, value);
			break;
		case "boolean":
			draft.text(value ? "true" : "false");
			break;
		case "bigint":
			draft.text(value.toString());
			break;
		case "function":
			writeString(functionText(value), walk);
			return;
		default:
			writeString(safeText(value), walk);
			return;
	}
	walk.charsLeft -= draft.end - start + 1;
}

/** Adds a number as JSON has it, and as a string what JSON has no number for. */
export function writeNumber(draft: Draft, value: number): void {
	if ((value | 0) === value) draft.integer(value);
	else if (Number.isFinite(value)) draft.number(value);
	else draft.text(`"${value}"`);
}

/** Adds what is JSON already. */
export function writeLiteral(text: string, walk: Walk): void {
	const { draft } = walk;
	const start = draft.end;
	draft.text(text);
	count(text.length, start, walk);
}

/** Takes what was written from byte `start` on into account. */
function count(chars: number, start: number, walk: Walk): void {
	walk.charsLeft -= chars + 1;
	walk.bytesOverChars += walk.draft.end - start - chars;
}

/**
 * The value of a placeholder, as a prefix prints it.
 *
 * Names, host names and call sites come from outside. Invariants: a value is one line without control characters, is
 * never empty and never starts with a blank (so that it can't make a prefix look like an indented continuation), and is
 * of bounded length (a logform may hold it many times).
 */

import { oneLineText, writeEscapedText } from "./escape.ts";
import { LineBuffer } from "./line-buffer.ts";

/** What an empty value prints as. */
export const emptyValue = "-";

const maxValueLength = 4096;
const escapedBlanks: Readonly<Record<string, string>> = { " ": "\\x20", "\t": "\\t" };
const scratch = new LineBuffer({ initialBytes: 1024, maxKeptBytes: 64 * 1024 });

/** UTF-8. */
export function valueBytes(value: string): Buffer {
	const text = cutValue(value) || emptyValue;
	const blank = escapedBlanks[text.charAt(0)];
	scratch.clear();
	if (blank !== undefined) scratch.writeText(blank);
	writeEscapedText(scratch, blank === undefined ? text : text.slice(1), oneLineText);
	return Buffer.from(scratch.bytes);
}

export function valueText(value: string): string {
	return valueBytes(value).toString("utf8");
}

function cutValue(value: string): string {
	return value.length <= maxValueLength ? value : `${value.slice(0, maxValueLength)}…`;
}

/**
 * The size limit of a record: no part of it passes `maxPartBytes`. A message is cut with a mark in its text; fields and
 * errors, which are JSON, are replaced by a mark that is JSON. The line itself is never lost.
 */

import type { Entry } from "./entry.ts";
import { recordFlags } from "./log-record.ts";
import { maxPartBytes } from "./record-codec.ts";

/** Room for the mark. */
const markBytes = 64;

/** The entry itself when it is within the limit, else one that is. */
export function cutEntry(entry: Entry): Entry {
	const units = Math.max(entry.message.length, entry.fields.length, entry.error.length);
	if (units * 3 <= maxPartBytes) return entry;
	const message = cutMessage(entry.message);
	const fields = isTooLarge(entry.fields) ? `"fields":"${mark(Buffer.byteLength(entry.fields))}"` : entry.fields;
	const error = isTooLarge(entry.error) ? cutError(entry.error) : entry.error;
	if (message === entry.message && fields === entry.fields && error === entry.error) return entry;
	return { ...entry, flags: entry.flags | recordFlags.cut, message, fields, error };
}

function isTooLarge(text: string): boolean {
	return Buffer.byteLength(text) > maxPartBytes;
}

/** The message itself when it is within the limit, else its beginning and the mark. */
export function cutMessage(message: string): string {
	const totalBytes = Buffer.byteLength(message);
	if (totalBytes <= maxPartBytes) return message;
	// As many characters as surely fit, at least a third of the limit; half a character at the end goes.
	const head = Buffer.from(message.slice(0, maxPartBytes)).subarray(0, maxPartBytes - markBytes);
	const kept = head.toString("utf8").replace(/\uFFFD$/, "");
	return kept + mark(totalBytes - Buffer.byteLength(kept));
}

function cutError(error: string): string {
	const text = mark(Buffer.byteLength(error));
	return JSON.stringify({ type: "Error", message: text, stack: "" });
}

function mark(bytes: number): string {
	return `…[cut ${bytes} bytes]`;
}

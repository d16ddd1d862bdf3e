/**
 * Fields as the members of a JSON object, without braces: `"userId":42,"name":"x"`.
 *
 * Invariants: nothing here throws; no key occurs twice in a line, and none is one the line has of its own; whatever is
 * renamed, cut or unreadable shows. A flat object of primitive values is the hot path: it is written into the draft of
 * the record piece by piece, with the text of each key kept from calls before.
 */

import { type Draft, giveBackDraft, takeDraft } from "../spool/draft.ts";
import { type Format, recordFlags } from "../spool/log-record.ts";
import { writeRecord } from "./error-record.ts";
import { FieldNames } from "./field-names.ts";
import { cutMark, cutText, jsonString, maxStringChars, throwsMark } from "./json-text.ts";
import { maxBreadth, maxValueChars, writeValue } from "./json-value.ts";
import { hasFields, isError } from "./value-kind.ts";
import { newWalk, writeNumber } from "./walk.ts";

/** All fields of one line, in characters of JSON text. Those beyond are counted instead. */
export const maxFieldsChars: number = 1024 * 1024;

/** The fields of a child logger, encoded once. */
export interface BoundFields {
	/** The members of a JSON object, without braces. */
	readonly members: string;
	/** Key → JSON text of its value, in the order of `members`. */
	readonly keys: ReadonlyMap<string, string>;
}

export interface EncodedFields {
	/** The members of a JSON object, without braces; "" if there are none. */
	readonly members: string;
	/** `members` hold the bound fields too, because one of them had to be renamed. */
	readonly ownFieldsOnly: boolean;
	/** The error that was the value of the field `err`, which then is no field; else `undefined`. */
	readonly error: object | undefined;
}

const comma = 0x2c;
const nothingUnusual: OwnFields = { error: undefined, names: undefined };
const maxKnownKeys = 1000;
const maxKnownKeyChars = 64;
/** Key → `"key":`, of keys that stay as they are. */
const knownLabels: Readonly<Record<Format, Map<string, string>>> = { text: new Map(), json: new Map() };

/**
 * Writes the members of one call's fields into its draft. Returns the error that was the value of the field `err`, which
 * then is no field.
 *
 * A key of the line's own gets underscores until it is free. A key that is bound as well keeps the call's value; the
 * bound value moves to the key with an underscore, unless both are equal. An error under the key `err` is taken out as
 * the line's error, unless the line has one.
 */
export function writeFields(
	draft: Draft,
	fields: object,
	bound: BoundFields | undefined,
	format: Format,
	lineHasError: boolean,
): object | undefined {
	const { error, names } = writeOwn(draft, fields, bound, format, !lineHasError, undefined);
	if (names?.hasConflicts === true) {
		const own = draft.textFrom(draft.fieldsStart);
		draft.end = draft.fieldsStart;
		draft.flags |= recordFlags.ownFieldsOnly;
		draft.text(`${joinMembers(names.keptBound())},${own}`);
	}
	draft.endFields();
	return error;
}

/** The same as a text. */
export function encodeFields(
	fields: object,
	bound: BoundFields | undefined,
	format: Format,
	lineHasError = false,
): EncodedFields {
	const draft = takeDraft();
	try {
		draft.message("");
		const error = writeFields(draft, fields, bound, format, lineHasError);
		return { members: draft.textFrom(0), ownFieldsOnly: (draft.flags & recordFlags.ownFieldsOnly) !== 0, error };
	} finally {
		giveBackDraft(draft);
	}
}

/** The fields of a child logger together with its parent's, by the same rules. An error under `err` stays a field. */
export function bindFields(parent: BoundFields | undefined, fields: object, format: Format): BoundFields {
	const entries = new Map<string, string>();
	const names = namesOf(fields, parent, format, entries);
	const kept = names?.keptBound() ?? parent?.keys ?? [];
	const keys = new Map([...kept, ...entries]);
	return { members: joinMembers(keys), keys };
}

function joinMembers(entries: ReadonlyMap<string, string>): string {
	return Array.from(entries, ([key, text]) => `${jsonString(key)}:${text}`).join(",");
}

function namesOf(
	fields: object,
	parent: BoundFields | undefined,
	format: Format,
	entries: Map<string, string>,
): FieldNames | undefined {
	const draft = takeDraft();
	try {
		draft.message("");
		return writeOwn(draft, fields, parent, format, false, entries).names;
	} finally {
		giveBackDraft(draft);
	}
}

interface OwnFields {
	readonly error: object | undefined;
	/** Only where a name was not known or not free. */
	readonly names: FieldNames | undefined;
}

function writeOwn(
	draft: Draft,
	fields: object,
	bound: BoundFields | undefined,
	format: Format,
	mayTakeError: boolean,
	entries: Map<string, string> | undefined,
): OwnFields {
	try {
		return writeEach(draft, sourceOf(fields), bound, format, mayTakeError, entries);
	} catch (thrown) {
		draft.end = draft.fieldsStart;
		return writeEach(draft, { fields: throwsMark(thrown) }, bound, format, false, entries);
	}
}

/** The object whose own properties are the fields. What has none, such as a date or a map, becomes one field. */
function sourceOf(fields: object): Readonly<Record<string, unknown>> {
	const { toJSON } = fields as { readonly toJSON?: unknown };
	const isOwn = typeof toJSON !== "function";
	// As `hasFields`, written out: here V8 knows the prototype, there it has to ask for it.
	if (isOwn && Object.getPrototypeOf(fields) === Object.prototype) return fields as Readonly<Record<string, unknown>>;
	const source: unknown = isOwn ? fields : toJSON.call(fields, "");
	return hasFields(source) ? (source as Readonly<Record<string, unknown>>) : { fields: source };
}

/**
 * The hot path. Throws only before it has written anything: a proxy may refuse to list its keys.
 * `entries`, if given, receives the members one by one.
 */
function writeEach(
	draft: Draft,
	fields: Readonly<Record<string, unknown>>,
	bound: BoundFields | undefined,
	format: Format,
	mayTakeError: boolean,
	entries: Map<string, string> | undefined,
): OwnFields {
	const keys = Object.keys(fields);
	const known = knownLabels[format];
	const start = draft.end;
	let names: FieldNames | undefined;
	let error: object | undefined;
	let charsLeft = maxFieldsChars;
	let index = 0;
	for (; index < keys.length && index < maxBreadth && charsLeft > 0; index++) {
		const key = keys[index] as string;
		const value = readField(fields, key);
		if (value === undefined) continue;
		if (mayTakeError && key === "err" && isError(value)) {
			error = value;
			continue;
		}
		const memberStart = draft.end;
		if (memberStart > start) draft.byte(comma);
		let name = key;
		const label = known.get(key);
		if (label !== undefined) {
			draft.text(label);
		} else {
			names ??= new FieldNames(keys, bound?.keys, format);
			name = names.nameFor(key);
			draft.text(labelOf(name, key, known));
		}
		const valueStart = draft.end;
		const chars = writeField(draft, value, key, charsLeft);
		const boundText = bound?.keys.get(name);
		if (chars === 0 || (boundText !== undefined && boundText === draft.textFrom(valueStart))) {
			draft.end = memberStart;
			continue;
		}
		if (boundText !== undefined) (names ??= new FieldNames(keys, bound?.keys, format)).addConflict(name);
		charsLeft -= valueStart - memberStart + chars;
		entries?.set(name, draft.textFrom(valueStart));
	}
	if (index < keys.length) {
		names ??= new FieldNames(keys, bound?.keys, format);
		const name = names.freeName("…");
		const text = jsonString(cutMark(keys.length - index, "fields"));
		draft.text(`${draft.end === start ? "" : ","}${jsonString(name)}:${text}`);
		entries?.set(name, text);
	}
	return error === undefined && names === undefined ? nothingUnusual : { error, names };
}

function readField(fields: Readonly<Record<string, unknown>>, key: string): unknown {
	try {
		return fields[key];
	} catch (thrown) {
		return throwsMark(thrown);
	}
}

/** Writes a value. Returns how many characters that were, 0 where JSON leaves the value out. */
function writeField(draft: Draft, value: unknown, key: string, charsLeft: number): number {
	const start = draft.end;
	if (typeof value === "string") {
		if (draft.plainString(value)) return draft.end - start;
	} else if (typeof value === "number" && (value | 0) === value) {
		draft.integer(value);
		return draft.end - start;
	}
	return writeAnyField(draft, value, key, charsLeft);
}

function writeAnyField(draft: Draft, value: unknown, key: string, charsLeft: number): number {
	const start = draft.end;
	if (typeof value === "string") return draft.anyString(cutText(value, maxStringChars));
	if (typeof value === "number") {
		writeNumber(draft, value);
		return draft.end - start;
	}
	const walk = newWalk(draft, Math.min(maxValueChars, charsLeft), writeRecord);
	return writeValue(value, walk, key) ? draft.end - start - walk.bytesOverChars : 0;
}

function labelOf(name: string, key: string, known: Map<string, string>): string {
	const label = `${jsonString(name)}:`;
	if (name === key && key.length <= maxKnownKeyChars) {
		if (known.size >= maxKnownKeys) known.clear();
		known.set(key, label);
	}
	return label;
}

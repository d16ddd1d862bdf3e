/**
 * Any value as JSON, in one walk, written straight into the draft of a record.
 *
 * Differs from `JSON.stringify` where that throws or loses something: cycles, bigints, functions, `NaN`, maps, sets,
 * errors and binary data all show; a getter, `toJSON` or proxy that throws costs its own value and no other.
 * Invariants: never throws but for want of stack; reads each property once; what is written is valid JSON of bounded
 * depth, breadth and size, and whatever a bound leaves out is marked in its place. What turns out to be none, or throws
 * half way, is taken back before anything else is written.
 */

import { types } from "node:util";
import { Draft } from "../spool/draft.ts";
import { mayBeBuiltIn, writeBuiltIn } from "./built-in-value.ts";
import { cutMark, safeText, throwsMark } from "./json-text.ts";
import { newWalk, type Walk, writeMark, writePrimitive, writeString } from "./walk.ts";

/** Objects in objects deeper than this are marked instead. */
const maxDepth = 16;
/** Members of one object, or items of one array, beyond this are counted instead. */
export const maxBreadth = 1000;
/** A value that has taken this much JSON text ends with the member it is at. */
export const maxValueChars: number = 256 * 1024;

const maxKeyChars = 1024;
const tooDeep = `…[cut at depth ${maxDepth}]`;
const comma = 0x2c;
const colon = 0x3a;
const openBrace = 0x7b;
const closeBrace = 0x7d;
const openBracket = 0x5b;
const closeBracket = 0x5d;
/** What texts are made in: the draft of the call is in use meanwhile. */
let spare: Draft | undefined;

/** Adds `value` as JSON; `false` and nothing added if JSON leaves it out. `key` is what `toJSON` is told. */
export function writeValue(value: unknown, walk: Walk, key: string | number): boolean {
	switch (typeof value) {
		case "string":
			writeString(value, walk);
			return true;
		case "object":
			if (value !== null) return writeObject(value, walk, key, true);
			walk.draft.text("null");
			return true;
		case "undefined":
			return false;
		default:
			writePrimitive(value, walk);
			return true;
	}
}

/** The same as a text of its own; `undefined` if JSON leaves the value out. */
export function valueText(
	value: unknown,
	key: string,
	maxChars: number,
	writeError: Walk["writeError"],
): string | undefined {
	const draft = spare ?? new Draft();
	spare = undefined;
	try {
		draft.message("");
		return writeValue(value, newWalk(draft, maxChars, writeError), key) ? draft.textFrom(0) : undefined;
	} finally {
		draft.shrink();
		spare = draft;
	}
}

/** Adds the members of an object, without braces. `skip` names own keys that are told elsewhere. */
export function writeMembers(value: object, walk: Walk, skip?: ReadonlySet<string>): void {
	const { draft } = walk;
	const start = draft.end;
	let index = 0;
	// A third of the cost of `Object.keys`: the engine knows where each of these properties is.
	for (const key in value) {
		if (!Object.prototype.hasOwnProperty.call(value, key)) continue;
		if (index >= maxBreadth || walk.charsLeft <= 0) {
			const keys = Object.keys(value);
			writeCutMember(keys.length - index, keys, draft.end === start, walk);
			return;
		}
		index++;
		if (skip !== undefined && skip.has(key)) continue;
		let member: unknown;
		try {
			member = (value as Readonly<Record<string, unknown>>)[key];
		} catch (thrown) {
			member = throwsMark(thrown);
		}
		if (member !== undefined) writeMember(key, member, draft.end === start, walk);
	}
}

/** Returns whether there is such a member. */
function writeMember(key: string, value: unknown, isFirst: boolean, walk: Walk): boolean {
	const { draft, bytesOverChars } = walk;
	const start = draft.end;
	if (!isFirst) draft.byte(comma);
	const keyStart = draft.end;
	const isPlainKey = draft.plainString(key);
	const keyChars = isPlainKey ? draft.end - keyStart : writeUnusualKey(key, walk);
	draft.byte(colon);
	if (!writeValue(value, walk, key)) {
		draft.end = start;
		walk.bytesOverChars = bytesOverChars;
		return false;
	}
	walk.charsLeft -= keyChars + 1;
	return true;
}

function writeUnusualKey(key: string, walk: Walk): number {
	const { draft } = walk;
	const start = draft.end;
	const isLong = key.length > maxKeyChars;
	const chars = draft.anyString(
		isLong ? key.slice(0, maxKeyChars) + cutMark(key.length - maxKeyChars, "characters") : key,
	);
	walk.bytesOverChars += draft.end - start - chars;
	return chars;
}

function writeObject(value: object, walk: Walk, key: string | number, mayConvert: boolean): boolean {
	const { draft, ancestors, bytesOverChars } = walk;
	const depth = ancestors.length;
	for (let at = 0; at < depth; at++) {
		if (ancestors[at] !== value) continue;
		writeString("[Circular]", walk);
		return true;
	}
	if (depth >= maxDepth) {
		writeString(tooDeep, walk);
		return true;
	}
	walk.charsLeft -= 2;
	const start = draft.end;
	ancestors.push(value);
	try {
		return writeByKind(value, walk, key, mayConvert);
	} catch (thrown) {
		draft.end = start;
		walk.bytesOverChars = bytesOverChars;
		writeString(throwsMark(thrown), walk);
		return true;
	} finally {
		ancestors.pop();
	}
}

function writeByKind(value: object, walk: Walk, key: string | number, mayConvert: boolean): boolean {
	const isArray = Array.isArray(value);
	const prototype: unknown = isArray ? null : Object.getPrototypeOf(value);
	const isPlain = prototype === Object.prototype || prototype === null;
	const isUnusual = !isPlain && mayBeBuiltIn(value, prototype as object);
	if (isUnusual && writeBuiltIn(value, walk)) return true;
	if (mayConvert) {
		const { toJSON } = value as { readonly toJSON?: unknown };
		if (typeof toJSON === "function") return writeConverted(value, toJSON.call(value, String(key)), walk, key);
	}
	const { draft } = walk;
	if (isArray) {
		writeItems(value, walk);
		return true;
	}
	if (isUnusual && types.isSet(value)) {
		writeItems(setItems(value), walk);
		return true;
	}
	draft.bracket(openBrace);
	if (isUnusual && types.isMap(value)) writeEntries(value, walk);
	else writeMembers(value, walk);
	draft.bracket(closeBrace);
	return true;
}

/** What `toJSON` gave. As in JSON, a `toJSON` of the result is not asked again. */
function writeConverted(value: object, result: unknown, walk: Walk, key: string | number): boolean {
	if (typeof result !== "object" || result === null) return writeValue(result, walk, key);
	return result === value ? writeByKind(value, walk, key, false) : writeObject(result, walk, key, false);
}

/** Items of a set beyond the bound stay empty: they are only counted. */
function setItems(set: ReadonlySet<unknown>): unknown[] {
	const items: unknown[] = [];
	for (const item of Set.prototype.values.call(set)) {
		if (items.push(item) >= maxBreadth) break;
	}
	items.length = set.size;
	return items;
}

function writeItems(items: readonly unknown[], walk: Walk): void {
	const { draft } = walk;
	draft.bracket(openBracket);
	for (let index = 0; index < items.length; index++) {
		if (index > 0) draft.byte(comma);
		if (index >= maxBreadth || walk.charsLeft <= 0) {
			writeMark(cutMark(items.length - index, "items"), walk);
			break;
		}
		let item: unknown;
		try {
			item = items[index];
		} catch (thrown) {
			item = throwsMark(thrown);
		}
		if (!writeValue(item, walk, index)) draft.text("null");
		walk.charsLeft--;
	}
	draft.bracket(closeBracket);
}

/** A map as the members of an object. Keys that print alike (`1` and `"1"`) are told apart by underscores. */
function writeEntries(map: ReadonlyMap<unknown, unknown>, walk: Walk): void {
	const { draft } = walk;
	const start = draft.end;
	const names = new Set<string>();
	let index = 0;
	for (const [key, value] of Map.prototype.entries.call(map)) {
		if (index >= maxBreadth || walk.charsLeft <= 0) {
			writeCutMember(map.size - index, [...names], draft.end === start, walk);
			return;
		}
		index++;
		let name = safeText(key);
		while (names.has(name)) name += "_";
		if (writeMember(name, value, draft.end === start, walk)) names.add(name);
	}
}

/** The member that counts those which are left out. */
function writeCutMember(count: number, keys: readonly string[], isFirst: boolean, walk: Walk): void {
	const { charsLeft } = walk;
	let key = "…";
	while (keys.includes(key)) key += "_";
	writeMember(key, cutMark(count, "members"), isFirst, walk);
	walk.charsLeft = charsLeft;
}

/**
 * Any value as JSON text, in one walk.
 *
 * Differs from `JSON.stringify` where that throws or loses something: cycles, bigints, functions, `NaN`, maps, sets,
 * errors and binary data all show; a getter, `toJSON` or proxy that throws costs its own value and no other.
 * Invariants: never throws; reads each property once; the output is valid JSON of bounded depth, breadth and size, and
 * whatever a bound leaves out is marked in its place.
 */

import { types } from "node:util";
import { binaryText } from "./binary-value.ts";
import { cutMark, functionText, jsonString, safeText, throwsMark } from "./json-text.ts";
import { isError } from "./value-kind.ts";

/** Objects in objects deeper than this are marked instead. */
const maxDepth = 16;
/** Members of one object, or items of one array, beyond this are counted instead. */
export const maxBreadth = 1000;
/** A value that has taken this much JSON text ends with the member it is at. */
export const maxValueChars: number = 256 * 1024;

const maxKeyChars = 1024;
const circular = '"[Circular]"';
const tooDeep = jsonString(`…[cut at depth ${maxDepth}]`);

/** The state of one walk through a value. */
export interface Walk {
	/** Errors are encoded by whoever starts the walk; this breaks the circle between values and errors. */
	readonly encodeError: (error: object, walk: Walk) => string;
	/** The objects that hold the one at hand, outermost first. */
	readonly ancestors: object[];
	/** Characters of JSON text the walk may still produce. */
	charsLeft: number;
}

/** JSON text of `value`, or `undefined` if JSON leaves it out. `key` is what `toJSON` is told. */
export function encodeValue(value: unknown, walk: Walk, key: string): string | undefined {
	switch (typeof value) {
		case "object":
			return value === null ? "null" : encodeObject(value, walk, key, true);
		case "undefined":
			return undefined;
		default:
			return spend(encodePrimitive(value), walk);
	}
}

/** JSON text of anything that is neither an object nor `undefined`. */
export function encodePrimitive(value: unknown): string {
	switch (typeof value) {
		case "string":
			return jsonString(value);
		case "number":
			return Number.isFinite(value) ? `${value}` : `"${value}"`;
		case "boolean":
			return value ? "true" : "false";
		case "bigint":
			return value.toString();
		case "function":
			return jsonString(functionText(value));
		default:
			return jsonString(safeText(value));
	}
}

/** The members of an object as JSON, without braces. `skip` names own keys that are told elsewhere. */
export function encodeMembers(value: object, walk: Walk, skip?: ReadonlySet<string>): string {
	const keys = Object.keys(value);
	let members = "";
	for (let index = 0; index < keys.length; index++) {
		const key = keys[index] as string;
		if (index >= maxBreadth || walk.charsLeft <= 0) {
			return members + cutMember(keys.length - index, keys, members === "");
		}
		if (skip?.has(key) === true) continue;
		const text = encodeProperty(value, key, walk);
		if (text === undefined) continue;
		members += member(spend(keyText(key), walk), text, members === "");
	}
	return members;
}

/** The value of one property, or the mark of what its getter throws. */
function encodeProperty(holder: object, key: string, walk: Walk): string | undefined {
	let value: unknown;
	try {
		value = (holder as Readonly<Record<string, unknown>>)[key];
	} catch (thrown) {
		return spend(jsonString(throwsMark(thrown)), walk);
	}
	return encodeValue(value, walk, key);
}

function encodeObject(value: object, walk: Walk, key: string, mayConvert: boolean): string | undefined {
	const { ancestors } = walk;
	if (ancestors.includes(value)) return spend(circular, walk);
	if (ancestors.length >= maxDepth) return spend(tooDeep, walk);
	walk.charsLeft -= 2;
	ancestors.push(value);
	try {
		return encodeByKind(value, walk, key, mayConvert);
	} catch (thrown) {
		return spend(jsonString(throwsMark(thrown)), walk);
	} finally {
		ancestors.pop();
	}
}

function encodeByKind(value: object, walk: Walk, key: string, mayConvert: boolean): string | undefined {
	const isArray = Array.isArray(value);
	const isPlain = isArray || isPlainPrototype(Object.getPrototypeOf(value));
	if (!isPlain) {
		const text = encodeBuiltIn(value, walk);
		if (text !== undefined) return text;
	}
	if (mayConvert) {
		const { toJSON } = value as { readonly toJSON?: unknown };
		if (typeof toJSON === "function") return encodeConverted(value, toJSON.call(value, key), walk, key);
	}
	if (isArray) return encodeItems(value, walk);
	if (!isPlain && types.isMap(value)) return `{${encodeEntries(value, walk)}}`;
	if (!isPlain && types.isSet(value)) return encodeItems(setItems(value), walk);
	return `{${encodeMembers(value, walk)}}`;
}

function isPlainPrototype(prototype: unknown): boolean {
	return prototype === Object.prototype || prototype === null;
}

/** What `toJSON` gave. As in JSON, a `toJSON` of the result is not asked again. */
function encodeConverted(value: object, result: unknown, walk: Walk, key: string): string | undefined {
	if (typeof result !== "object" || result === null) return encodeValue(result, walk, key);
	return result === value ? encodeByKind(value, walk, key, false) : encodeObject(result, walk, key, false);
}

/** Built-in objects that JSON would lose or bloat, whatever their `toJSON`. */
function encodeBuiltIn(value: object, walk: Walk): string | undefined {
	if (isError(value)) return walk.encodeError(value, walk);
	if (types.isDate(value)) return spend(dateText(value), walk);
	if (ArrayBuffer.isView(value) || types.isAnyArrayBuffer(value)) return spend(binaryText(value), walk);
	if (types.isRegExp(value)) return spend(jsonString(safeText(value)), walk);
	if (types.isBoxedPrimitive(value)) return spend(encodePrimitive(primitiveOf(value)), walk);
	return undefined;
}

function primitiveOf(boxed: object): unknown {
	return boxed.valueOf();
}

function dateText(date: Date): string {
	const time = Date.prototype.getTime.call(date);
	return Number.isNaN(time) ? '"Invalid Date"' : `"${new Date(time).toISOString()}"`;
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

function encodeItems(items: readonly unknown[], walk: Walk): string {
	let text = "";
	for (let index = 0; index < items.length; index++) {
		if (index >= maxBreadth || walk.charsLeft <= 0) {
			const mark = jsonString(cutMark(items.length - index, "items"));
			return `[${text}${text === "" ? "" : ","}${mark}]`;
		}
		const item = encodeProperty(items, String(index), walk) ?? "null";
		text += text === "" ? item : `,${item}`;
		walk.charsLeft--;
	}
	return `[${text}]`;
}

/** A map as the members of an object. Keys that print alike (`1` and `"1"`) are told apart by underscores. */
function encodeEntries(map: ReadonlyMap<unknown, unknown>, walk: Walk): string {
	const names = new Set<string>();
	let members = "";
	let index = 0;
	for (const [key, value] of Map.prototype.entries.call(map)) {
		if (index >= maxBreadth || walk.charsLeft <= 0) {
			return members + cutMember(map.size - index, [...names], members === "");
		}
		index++;
		let name = safeText(key);
		while (names.has(name)) name += "_";
		const text = encodeValue(value, walk, name);
		if (text === undefined) continue;
		names.add(name);
		members += member(spend(keyText(name), walk), text, members === "");
	}
	return members;
}

function member(key: string, text: string, isFirst: boolean): string {
	return isFirst ? `${key}:${text}` : `,${key}:${text}`;
}

function keyText(key: string): string {
	return jsonString(
		key.length > maxKeyChars ? key.slice(0, maxKeyChars) + cutMark(key.length - maxKeyChars, "characters") : key,
	);
}

/** The member that counts those which are left out. */
function cutMember(count: number, keys: readonly string[], isFirst: boolean): string {
	let key = "…";
	while (keys.includes(key)) key += "_";
	return member(jsonString(key), jsonString(cutMark(count, "members")), isFirst);
}

function spend(text: string, walk: Walk): string {
	walk.charsLeft -= text.length + 1;
	return text;
}

/** Built-in objects that JSON would lose or bloat, as JSON: errors, dates, binary data, patterns, boxed primitives. */

import { types } from "node:util";
import { binaryText } from "./binary-value.ts";
import { writeDate } from "./date-value.ts";
import { safeText } from "./json-text.ts";
import { isError } from "./value-kind.ts";
import { type Walk, writeLiteral, writePrimitive, writeString } from "./walk.ts";

/** Those whose own prototype is that of all objects. */
const builtInPrototypes: ReadonlySet<object> = new Set(
	[
		Error,
		Date,
		RegExp,
		Map,
		Set,
		ArrayBuffer,
		SharedArrayBuffer,
		DataView,
		Boolean,
		Number,
		String,
		Symbol,
		BigInt,
	].map((maker): object => maker.prototype),
);

/**
 * Whether an object of this prototype may be built in. Not if it is of a class of the application that extends none: then five
 * questions need not be asked, which cost half as much as the whole object. Old code makes errors of its own by giving a real
 * one another prototype.
 */
export function mayBeBuiltIn(value: object, prototype: object): boolean {
	const isOfOwnClass = Object.getPrototypeOf(prototype) === Object.prototype && !builtInPrototypes.has(prototype);
	return !isOfOwnClass || types.isNativeError(value);
}

/** Built-in objects that JSON would lose or bloat, whatever their `toJSON`; `false` for any other. */
export function writeBuiltIn(value: object, walk: Walk): boolean {
	if (isError(value)) walk.writeError(value, walk);
	else if (types.isDate(value)) writeDateValue(value, walk);
	else if (ArrayBuffer.isView(value) || types.isAnyArrayBuffer(value)) writeLiteral(binaryText(value), walk);
	else if (types.isRegExp(value)) writeString(safeText(value), walk);
	else if (types.isBoxedPrimitive(value)) writePrimitive(primitiveOf(value), walk);
	else return false;
	return true;
}

function primitiveOf(boxed: object): unknown {
	return boxed.valueOf();
}

function writeDateValue(date: Date, walk: Walk): void {
	const start = walk.draft.end;
	writeDate(walk.draft, date);
	walk.charsLeft -= walk.draft.end - start + 1;
}

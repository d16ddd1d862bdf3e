/**
 * What was thrown, as the JSON text of an `ErrorRecord`: causes, aggregated errors and own properties included.
 *
 * Invariants: never throws, whatever it is given (getters that throw, cycles, revoked proxies, values that are no
 * errors); the output is bounded, and what a bound leaves out is marked in its place.
 */

import { cutMark, cutText, jsonString, safeText, throwsMark } from "./json-text.ts";
import { encodeMembers, encodeValue, type Walk } from "./json-value.ts";
import { isErrorLike } from "./value-kind.ts";

/** Causes, and errors in errors, deeper than this are marked instead. */
const maxCauseDepth = 16;
/** Errors of one `AggregateError` beyond this are counted instead. */
const maxAggregatedErrors = 32;
export const maxMessageChars: number = 16 * 1024;
export const maxStackChars: number = 32 * 1024;
/** JSON text of one error with everything in it. */
export const maxErrorChars: number = 512 * 1024;

const toldElsewhere: ReadonlySet<string> = new Set(["message", "stack", "cause", "errors"]);
const toldWithName: ReadonlySet<string> = new Set([...toldElsewhere, "name"]);
const genericTypes: ReadonlySet<string> = new Set(["Error", "Object", "DOMException", ""]);

/** JSON text of an `ErrorRecord` for anything that was thrown or logged as an error. */
export function encodeError(error: unknown): string {
	const walk: Walk = { encodeError: encodeRecord, ancestors: [], charsLeft: maxErrorChars };
	if (!isErrorLike(error)) return encodeThrown(error, walk);
	walk.ancestors.push(error);
	return encodeRecord(error, walk);
}

/** An error inside a walk, which knows it as an ancestor: the value of a field, or a property of another error. */
export function encodeRecord(error: object, walk: Walk): string {
	const type = typeOf(error);
	const message = messageText(read(error, "message"));
	const stack = stackText(read(error, "stack"), message);
	const errors = read(error, "errors");
	const shown = cutText(message, maxMessageChars);
	const head = `{"type":${jsonString(type)},"message":${jsonString(shown)},"stack":${jsonString(stack)}`;
	walk.charsLeft -= head.length;
	const inner = causeMember(causeOf(error), walk) + errorsMember(errors, walk);
	return `${head}${inner}${propertiesMember(error, type, isList(errors), walk)}}`;
}

/** What an error says, for a line that has no message of its own. */
export function errorMessage(error: unknown): string {
	const message = isErrorLike(error) ? messageText(read(error, "message")) : thrownText(error);
	return cutText(message, maxMessageChars);
}

/** `TypeError: what went wrong`. */
export function errorHeadline(error: object): string {
	const message = errorMessage(error);
	return message === "" ? typeOf(error) : `${typeOf(error)}: ${message}`;
}

/** A property, or the mark of what its getter throws. */
function read(error: object, key: string): unknown {
	try {
		return (error as Readonly<Record<string, unknown>>)[key];
	} catch (thrown) {
		return throwsMark(thrown);
	}
}

/** The constructor's name where it says something, else the error's own. */
function typeOf(error: object): string {
	const maker = read(error, "constructor");
	const made = typeof maker === "function" ? read(maker, "name") : "";
	const type = typeof made === "string" ? made : "";
	if (!genericTypes.has(type)) return cutText(type, maxMessageChars);
	const name = read(error, "name");
	return cutText((typeof name === "string" && name) || type || "Error", maxMessageChars);
}

function messageText(message: unknown): string {
	if (typeof message === "string") return message;
	if (typeof message !== "object" || message === null) return safeText(message ?? "");
	return (
		encodeValue(message, { encodeError: encodeRecord, ancestors: [], charsLeft: maxMessageChars }, "message") ?? ""
	);
}

/** A stack starts with the message: where that is cut, it is cut here too, so that the frames stay. */
function stackText(stack: unknown, message: string): string {
	if (typeof stack !== "string") return "";
	if (stack.length <= maxStackChars || message.length <= maxMessageChars) return cutText(stack, maxStackChars);
	return cutText(
		stack.replace(message, () => cutText(message, maxMessageChars)),
		maxStackChars,
	);
}

/** Inherited functions are called: before the language had causes, `VError` told its own through a method. */
function causeOf(error: object): unknown {
	const cause = read(error, "cause");
	if (typeof cause !== "function" || hasOwn(error, "cause")) return cause;
	try {
		return cause.call(error) as unknown;
	} catch (thrown) {
		return throwsMark(thrown);
	}
}

function hasOwn(value: object, key: string): boolean {
	try {
		return Object.hasOwn(value, key);
	} catch {
		return false;
	}
}

function causeMember(cause: unknown, walk: Walk): string {
	return cause === undefined || cause === null ? "" : `,"cause":${encodeInner(cause, walk)}`;
}

/** Only where `errors` is a list, as in `AggregateError`; anything else of that name is a property. */
function errorsMember(errors: unknown, walk: Walk): string {
	if (!isList(errors)) return "";
	const items: string[] = [];
	try {
		for (let index = 0; index < errors.length; index++) {
			if (index >= maxAggregatedErrors || walk.charsLeft <= 0) {
				items.push(markRecord(cutMark(errors.length - index, "errors")));
				break;
			}
			items.push(encodeInner(errors[index], walk));
		}
	} catch (thrown) {
		items.push(markRecord(throwsMark(thrown)));
	}
	return `,"errors":[${items.join(",")}]`;
}

function isList(value: unknown): value is readonly unknown[] {
	try {
		return Array.isArray(value);
	} catch {
		return false;
	}
}

/** A cause or aggregated error: a record of its own, or `{"value":…}` for what is no error. */
function encodeInner(inner: unknown, walk: Walk): string {
	if (!isErrorLike(inner)) return `{"value":${encodeValue(inner, walk, "") ?? "null"}}`;
	if (walk.ancestors.includes(inner)) return markRecord("[Circular]");
	if (walk.ancestors.length >= maxCauseDepth) return markRecord(`…[cut at depth ${maxCauseDepth}]`);
	if (walk.charsLeft <= 0) return markRecord(cutMark(1, "error"));
	walk.ancestors.push(inner);
	const text = encodeRecord(inner, walk);
	walk.ancestors.pop();
	return text;
}

function markRecord(mark: string): string {
	return `{"value":${jsonString(mark)}}`;
}

function propertiesMember(error: object, type: string, hasErrors: boolean, walk: Walk): string {
	const skip = new Set(read(error, "name") === type ? toldWithName : toldElsewhere);
	if (!hasErrors) skip.delete("errors");
	try {
		const members = encodeMembers(error, walk, skip);
		return members === "" ? "" : `,"properties":{${members}}`;
	} catch (thrown) {
		return `,"properties":{"…":${jsonString(throwsMark(thrown))}}`;
	}
}

/** What is no error but was thrown: a string, an object, nothing at all. */
function encodeThrown(thrown: unknown, walk: Walk): string {
	const type = thrown === null ? "null" : typeof thrown;
	const head = `{"type":"${type}","message":${jsonString(errorMessage(thrown))},"stack":""`;
	if (typeof thrown !== "object" || thrown === null) return `${head}}`;
	const text = encodeValue(thrown, walk, "") ?? "null";
	return `${head},"properties":${text.startsWith("{") ? text : `{"value":${text}}`}}`;
}

/** Empty for an object that prints as no more than `[object Object]`: its properties say it. */
function thrownText(thrown: unknown): string {
	const text = safeText(thrown);
	if (typeof thrown !== "object" || thrown === null || !/^\[object \w*\]$/.test(text)) return text;
	const message = read(thrown, "message");
	return typeof message === "string" ? message : "";
}

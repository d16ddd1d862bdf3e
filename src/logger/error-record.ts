/**
 * What was thrown, as the JSON of an `ErrorRecord`, written straight into the draft of a record: causes, aggregated errors
 * and own properties included.
 *
 * Invariants: never throws, whatever it is given (getters that throw, cycles, revoked proxies, values that are no
 * errors), but for want of stack; the output is bounded, and what a bound leaves out is marked in its place.
 */

import { type Draft, giveBackDraft, takeDraft } from "../spool/draft.ts";
import { cutMark, cutText, safeText, throwsMark } from "./json-text.ts";
import { valueText, writeMembers, writeValue } from "./json-value.ts";
import { isErrorLike } from "./value-kind.ts";
import { newWalk, type Walk, writeLines, writeMark, writeString } from "./walk.ts";

/** Causes, and errors in errors, deeper than this are marked instead. */
const maxCauseDepth = 16;
/** Errors of one `AggregateError` beyond this are counted instead. */
const maxAggregatedErrors = 32;
export const maxMessageChars: number = 16 * 1024;
export const maxStackChars: number = 32 * 1024;
/** JSON text of one error with everything in it. */
export const maxErrorChars: number = 512 * 1024;

const tolds: readonly string[] = ["message", "stack", "cause"];
/** Own properties that have a member of their own: by whether `errors` has, and whether `name` is the type. */
const toldElsewhere: ReadonlySet<string> = new Set(tolds);
const toldWithName: ReadonlySet<string> = new Set([...tolds, "name"]);
const toldWithErrors: ReadonlySet<string> = new Set([...tolds, "errors"]);
const toldWithBoth: ReadonlySet<string> = new Set([...tolds, "errors", "name"]);
/** What the names of the first members take, beyond what their values do. */
const headChars = '{"type":,"message":,"stack":'.length - 3;
const genericTypes: ReadonlySet<string> = new Set(["Error", "Object", "DOMException", ""]);

/** Adds the `ErrorRecord` of anything that was thrown or logged as an error. */
export function writeError(draft: Draft, error: unknown): void {
	const walk = newWalk(draft, maxErrorChars, writeRecord);
	if (!isErrorLike(error)) {
		writeThrown(error, walk);
		return;
	}
	walk.ancestors.push(error);
	writeRecord(error, walk);
}

/** The same as a text. */
export function encodeError(error: unknown): string {
	const draft = takeDraft();
	try {
		draft.message("");
		writeError(draft, error);
		return draft.textFrom(0);
	} finally {
		giveBackDraft(draft);
	}
}

/** An error inside a walk, which knows it as an ancestor: the value of a field, or a property of another error. */
export function writeRecord(error: object, walk: Walk): void {
	const { draft } = walk;
	const type = typeOf(error);
	const message = messageText(read(error, messageOf));
	const stack = stackText(read(error, stackOf), message);
	const errors = read(error, errorsOf);
	draft.text('{"type":');
	writeString(type, walk);
	draft.text(',"message":');
	writeString(cutText(message, maxMessageChars), walk);
	draft.text(',"stack":');
	writeLines(stack, walk);
	walk.charsLeft -= headChars;
	writeCause(causeOf(error), walk);
	const hasErrors = isList(errors);
	if (hasErrors) writeErrors(errors, walk);
	writeProperties(error, read(error, nameOf) === type, hasErrors, walk);
	draft.text("}");
}

/** What an error says, for a line that has no message of its own. */
export function errorMessage(error: unknown): string {
	const message = isErrorLike(error) ? messageText(read(error, messageOf)) : thrownText(error);
	return cutText(message, maxMessageChars);
}

/** `TypeError: what went wrong`. */
export function errorHeadline(error: object): string {
	const message = errorMessage(error);
	return message === "" ? typeOf(error) : `${typeOf(error)}: ${message}`;
}

/** What an error may have; nothing of it is sure. */
interface ErrorLike {
	readonly [key: string]: unknown;
	readonly name?: unknown;
	readonly message?: unknown;
	readonly stack?: unknown;
	readonly cause?: unknown;
	readonly errors?: unknown;
}

/** Readers of one property each: the engine remembers where an error has it, at a third of the cost of any key. */
const nameOf = (error: ErrorLike): unknown => error.name;
const messageOf = (error: ErrorLike): unknown => error.message;
const stackOf = (error: ErrorLike): unknown => error.stack;
const givenCauseOf = (error: ErrorLike): unknown => error.cause;
const errorsOf = (error: ErrorLike): unknown => error.errors;
const makerOf = (error: object): unknown => error.constructor;

/** A property, or the mark of what its getter throws. */
function read(error: object, property: (error: ErrorLike) => unknown): unknown {
	try {
		return property(error as ErrorLike);
	} catch (thrown) {
		return throwsMark(thrown);
	}
}

/** The constructor's name where it says something, else the error's own. */
function typeOf(error: object): string {
	const maker = read(error, makerOf);
	const made = typeof maker === "function" ? read(maker, nameOf) : "";
	const type = typeof made === "string" ? made : "";
	if (!genericTypes.has(type)) return cutText(type, maxMessageChars);
	const name = read(error, nameOf);
	return cutText((typeof name === "string" && name) || type || "Error", maxMessageChars);
}

function messageText(message: unknown): string {
	if (typeof message === "string") return message;
	if (typeof message !== "object" || message === null) return safeText(message ?? "");
	return valueText(message, "message", maxMessageChars, writeRecord) ?? "";
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
	const cause = read(error, givenCauseOf);
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

function writeCause(cause: unknown, walk: Walk): void {
	if (cause === undefined || cause === null) return;
	walk.draft.text(',"cause":');
	writeInner(cause, walk);
}

/** Only where `errors` is a list, as in `AggregateError`; anything else of that name is a property. */
function writeErrors(errors: readonly unknown[], walk: Walk): void {
	const { draft } = walk;
	draft.text(',"errors":[');
	const first = draft.end;
	let { end } = draft;
	let { bytesOverChars } = walk;
	try {
		for (let index = 0; index < errors.length; index++) {
			const isLast = index >= maxAggregatedErrors || walk.charsLeft <= 0;
			const error = isLast ? undefined : errors[index];
			const mark = isLast ? cutMark(errors.length - index, "errors") : undefined;
			if (end > first) draft.text(",");
			if (mark === undefined) writeInner(error, walk);
			else writeMarkRecord(mark, walk);
			({ end } = draft);
			({ bytesOverChars } = walk);
			if (isLast) break;
		}
	} catch (thrown) {
		draft.end = end;
		walk.bytesOverChars = bytesOverChars;
		if (end > first) draft.text(",");
		writeMarkRecord(throwsMark(thrown), walk);
	}
	draft.text("]");
}

function isList(value: unknown): value is readonly unknown[] {
	try {
		return Array.isArray(value);
	} catch {
		return false;
	}
}

/** A cause or aggregated error: a record of its own, or `{"value":…}` for what is no error. */
function writeInner(inner: unknown, walk: Walk): void {
	const { draft, ancestors } = walk;
	if (!isErrorLike(inner)) {
		draft.text('{"value":');
		if (!writeValue(inner, walk, "")) draft.text("null");
		draft.text("}");
	} else if (ancestors.includes(inner)) {
		writeMarkRecord("[Circular]", walk);
	} else if (ancestors.length >= maxCauseDepth) {
		writeMarkRecord(`…[cut at depth ${maxCauseDepth}]`, walk);
	} else if (walk.charsLeft <= 0) {
		writeMarkRecord(cutMark(1, "error"), walk);
	} else {
		ancestors.push(inner);
		try {
			writeRecord(inner, walk);
		} finally {
			ancestors.pop();
		}
	}
}

function writeMarkRecord(mark: string, walk: Walk): void {
	const { draft } = walk;
	draft.text('{"value":');
	writeMark(mark, walk);
	draft.text("}");
}

function writeProperties(error: object, isNamedByType: boolean, hasErrors: boolean, walk: Walk): void {
	const { draft, bytesOverChars } = walk;
	const start = draft.end;
	draft.text(',"properties":{');
	const membersStart = draft.end;
	const withoutName = hasErrors ? toldWithErrors : toldElsewhere;
	const withName = hasErrors ? toldWithBoth : toldWithName;
	try {
		writeMembers(error, walk, isNamedByType ? withName : withoutName);
		if (draft.end === membersStart) draft.end = start;
		else draft.text("}");
	} catch (thrown) {
		draft.end = membersStart;
		walk.bytesOverChars = bytesOverChars;
		draft.text('"…":');
		walk.bytesOverChars += 2;
		writeMark(throwsMark(thrown), walk);
		draft.text("}");
	}
}

/** What is no error but was thrown: a string, an object, nothing at all. */
function writeThrown(thrown: unknown, walk: Walk): void {
	const { draft } = walk;
	draft.text(`{"type":"${thrown === null ? "null" : typeof thrown}","message":`);
	writeMark(errorMessage(thrown), walk);
	draft.text(',"stack":""');
	if (typeof thrown === "object" && thrown !== null) {
		const text = valueText(thrown, "", walk.charsLeft, writeRecord) ?? "null";
		draft.text(`,"properties":${text.startsWith("{") ? text : `{"value":${text}}`}`);
	}
	draft.text("}");
}

/** Empty for an object that prints as no more than `[object Object]`: its properties say it. */
function thrownText(thrown: unknown): string {
	const text = safeText(thrown);
	if (typeof thrown !== "object" || thrown === null || !/^\[object \w*\]$/.test(text)) return text;
	const message = read(thrown, messageOf);
	return typeof message === "string" ? message : "";
}

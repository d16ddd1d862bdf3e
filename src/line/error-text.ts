/**
 * An error as indented lines below a text line:
 *
 *     TypeError: headline {"code":"E_OWN_PROPERTY"}
 *         at frames (as V8 prints them)
 *     [0] Error: one of an AggregateError's
 *     caused by: Error: the cause
 *
 * Every line starts with the indent it was given, and none holds a control character.
 */

import { type JsonObject, isJsonObject } from "./error-part.ts";
import { jsonMembers, oneLineText, writeEscapedText } from "./escape.ts";
import type { LineBuffer } from "./line-buffer.ts";

const step = "    ";
/** Deeper errors are not indented further, so that indents stay a small part of the output. */
const maxIndentLength = 8 * step.length;
const newline = 0x0a;
const space = 0x20;

/** Appends the lines of an error, its causes and aggregated errors included. */
export function writeErrorText(error: JsonObject, indent: string, out: LineBuffer): void {
	writeError(error, indent, "", out);
}

/** `TypeError: what went wrong`. */
export function errorHeadline(error: JsonObject): string {
	return headlineWith(error, "");
}

function writeError(error: JsonObject, indent: string, label: string, out: LineBuffer): void {
	const { headline, trace } = splitStack(error);
	const [first = "", ...more] = headline.split("\n");
	out.writeText(indent + label);
	writeEscapedText(out, first, oneLineText);
	const properties = error["properties"];
	if (isJsonObject(properties) && Object.keys(properties).length > 0) {
		out.writeByte(space);
		writeEscapedText(out, JSON.stringify(properties), jsonMembers);
	}
	out.writeByte(newline);
	for (const line of more) writeLine(indent + step, line, out);
	for (const line of trace) writeLine(line.startsWith(step) ? indent : indent + step, line, out);
	const { errors, cause } = error;
	if (Array.isArray(errors)) {
		for (const [index, inner] of errors.entries()) writeNested(inner, deeper(indent), `[${index}] `, out);
	}
	if (cause !== undefined) writeNested(cause, indent, "caused by: ", out);
}

function writeLine(indent: string, line: string, out: LineBuffer): void {
	out.writeText(indent);
	writeEscapedText(out, line, oneLineText);
	out.writeByte(newline);
}

/** A cause or aggregated error: an `ErrorRecord`, or any other value that was thrown. */
function writeNested(nested: unknown, indent: string, label: string, out: LineBuffer): void {
	if (isJsonObject(nested) && typeof nested["type"] === "string") return writeError(nested, indent, label, out);
	const value = isJsonObject(nested) && "value" in nested ? nested["value"] : nested;
	out.writeText(indent + label);
	writeEscapedText(out, JSON.stringify(value), jsonMembers);
	out.writeByte(newline);
}

/**
 * The headline, and the lines of the stack after it.
 *
 * V8 starts a stack with name and message as they were when the error was made. That is left out where it says what the
 * headline says; where the message was changed later, both are printed.
 */
function splitStack(error: JsonObject): { readonly headline: string; readonly trace: readonly string[] } {
	const message = textOf(error["message"]);
	const stack = textOf(error["stack"]);
	const opening = stackOpening(stack, message);
	const trace = opening === undefined ? stack : stack.slice(opening.length + 1);
	// Node writes a code behind the name, and not always as a property: `TypeError [ERR_INVALID_ARG_TYPE]: The "path" …`
	const name = opening?.slice(0, opening.length - message.length) ?? "";
	const code = /^[^\s:]+( \[\w+\])(?=:|$)/.exec(name)?.[1] ?? "";
	return { headline: headlineWith(error, code), trace: trace === "" ? [] : trace.split("\n") };
}

/** `name: message` at the start of a stack, as whole lines; `undefined` if the stack starts with anything else. */
function stackOpening(stack: string, message: string): string | undefined {
	if (message === "") return /^[^\s:]+(?: \[\w+\])?(?:: )?(?=\n|$)/.exec(stack)?.[0];
	const at = stack.startsWith(message) ? 0 : stack.indexOf(`: ${message}`) + 2;
	const end = at + message.length;
	const isOpening = stack.startsWith(message, at) && !stack.slice(0, at).includes("\n");
	return isOpening && (end === stack.length || stack[end] === "\n") ? stack.slice(0, end) : undefined;
}

function headlineWith(error: JsonObject, code: string): string {
	const type = textOf(error["type"]) || "Error";
	const message = textOf(error["message"]);
	return message === "" ? type + code : `${type}${code}: ${message}`;
}

function deeper(indent: string): string {
	return indent.length >= maxIndentLength ? indent : indent + step;
}

function textOf(value: unknown): string {
	if (value === undefined || value === null) return "";
	return typeof value === "string" ? value : JSON.stringify(value);
}

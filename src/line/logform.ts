/**
 * Logforms: templates of a text line's prefix, such as `%loglevel% - %time% - %file% | `.
 *
 * A compiled logform is one line without control characters (tabs are allowed), and each of its placeholders has at
 * least one visible character first. So what its prefixes start with is known from the template alone, and `indent`
 * starts with something else: no continuation line can be taken for the start of a line.
 */

import { PylogError } from "../shared/errors.ts";
import { parseTemplate, type TemplatePart } from "./template.ts";
import { formatDate, formatTimestamp } from "./timestamp.ts";
import { isControl } from "./utf8.ts";
import { emptyValue, valueText } from "./value.ts";

export const defaultLogform = "%loglevel% - %time% - %file% | ";

export const placeholders = ["loglevel", "time", "file", "date", "pid", "hostname", "name", "queue"] as const;
export type Placeholder = (typeof placeholders)[number];

export interface CompiledLogform {
	readonly template: string;
	readonly parts: readonly TemplatePart<Placeholder>[];
	/** Which placeholders occur; a logger looks for the call site only if `uses.file`. */
	readonly uses: Readonly<Record<Placeholder, boolean>>;
	/** What a continuation line starts with, or "" if the prefix is empty and a message must stay on one line. */
	readonly indent: string;
}

/** What the placeholders stand for in one prefix. */
export interface PrefixValues {
	/** `INFO` … */
	readonly loglevel: string;
	/** Milliseconds since the Unix epoch. */
	readonly timeMs: number;
	/** What local time is ahead of UTC, in minutes. */
	readonly utcOffsetMinutes: number;
	/** `file:line`, or "". */
	readonly callSite: string;
	readonly pid: number;
	readonly hostname: string;
	readonly name: string;
	/** `undefined` as long as there is no record yet. */
	readonly queue: number | undefined;
}

const maxLogformLength = 1024;
const maxCompiled = 256;
const tab = 0x09;
const compiledLogforms = new Map<string, CompiledLogform>();

/**
 * Compiles `template`, or returns what was compiled for it before.
 *
 * Throws `PYLOG_OPTION_INVALID` for a template that is too long or holds a newline or other control character, and
 * `PYLOG_PLACEHOLDER_UNKNOWN` for a `%word%` that does not exist.
 */
export function compileLogform(template: string): CompiledLogform {
	const known = compiledLogforms.get(template);
	if (known !== undefined) return known;
	checkLogform(template);
	const parts = parseTemplate(template, placeholders, "logform");
	const compiled: CompiledLogform = { template, parts, uses: usedPlaceholders(parts), indent: indentOf(parts) };
	if (compiledLogforms.size >= maxCompiled) compiledLogforms.clear();
	compiledLogforms.set(template, compiled);
	return compiled;
}

/** The prefix of a line with these values: the same text the logman writes. */
export function renderPrefix(logform: CompiledLogform, values: PrefixValues): string {
	return logform.parts.map((part) => part.literal ?? valueText(placeholderValue(part.placeholder, values))).join("");
}

function placeholderValue(placeholder: Placeholder, values: PrefixValues): string {
	switch (placeholder) {
		case "loglevel":
			return values.loglevel;
		case "time":
			return formatTimestamp(values.timeMs, values.utcOffsetMinutes);
		case "date":
			return formatDate(values.timeMs, values.utcOffsetMinutes);
		case "file":
			return values.callSite;
		case "pid":
			return String(values.pid);
		case "hostname":
			return values.hostname;
		case "name":
			return values.name;
		case "queue":
			return values.queue === undefined ? emptyValue : String(values.queue);
		default:
			return placeholder satisfies never;
	}
}

function checkLogform(template: string): void {
	if (typeof template !== "string") throw invalidLogform(typeof template, "is not a string");
	if (template.length > maxLogformLength) {
		throw invalidLogform(template, `has ${template.length} characters; ${maxLogformLength} are allowed`);
	}
	for (const character of template) {
		const code = character.codePointAt(0) as number;
		if (!isControl(code) || code === tab) continue;
		const hex = code.toString(16).toUpperCase().padStart(4, "0");
		throw invalidLogform(template, `holds the control character U+${hex}; a prefix is one line of plain text`);
	}
}

function invalidLogform(got: string, why: string): PylogError {
	const shown = JSON.stringify(got.slice(0, 200));
	return new PylogError("PYLOG_OPTION_INVALID", `The logform ${shown} ${why}.`, {
		details: { option: "logform", got },
	});
}

function usedPlaceholders(parts: readonly TemplatePart<Placeholder>[]): Readonly<Record<Placeholder, boolean>> {
	const used = new Set(parts.map((part) => part.placeholder));
	const entries = placeholders.map((placeholder) => [placeholder, used.has(placeholder)]);
	return Object.fromEntries(entries) as Record<Placeholder, boolean>;
}

function indentOf(parts: readonly TemplatePart<Placeholder>[]): string {
	const [first] = parts;
	if (first === undefined) return "";
	return first.literal?.startsWith(" ") === true ? "\t" : "    ";
}

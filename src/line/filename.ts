/** File names with placeholders, such as `logs/%TIMENOW%.log`. Expanded once, by the logger. */

import { parseTemplate } from "./template.ts";
import { formatDate } from "./timestamp.ts";
import { isControl } from "./utf8.ts";
import { emptyValue } from "./value.ts";

export const defaultFilename = "logs/%TIMENOW%.log";

export const filenamePlaceholders = ["TIMENOW", "date", "pid", "hostname", "name"] as const;
export type FilenamePlaceholder = (typeof filenamePlaceholders)[number];

export interface FilenameValues {
	/** Milliseconds since the Unix epoch. */
	readonly now: number;
	/** What local time is ahead of UTC, in minutes. */
	readonly utcOffsetMinutes: number;
	readonly pid: number;
	readonly hostname: string;
	readonly name: string;
}

/**
 * `template` with its placeholders replaced. `%TIMENOW%` and `%date%` are the local date, `2026-11-22`.
 *
 * A value is part of one file name and can't lead elsewhere: separators and control characters become `_`, and so do
 * the dots of a value made of dots alone. An empty value is `-`.
 * Throws `PYLOG_PLACEHOLDER_UNKNOWN` for a `%word%` that does not exist.
 */
export function expandFilename(template: string, values: FilenameValues): string {
	const parts = parseTemplate(template, filenamePlaceholders, "filename");
	return parts.map((part) => part.literal ?? fileNamePart(placeholderValue(part.placeholder, values))).join("");
}

function placeholderValue(placeholder: FilenamePlaceholder, values: FilenameValues): string {
	switch (placeholder) {
		case "TIMENOW":
		case "date":
			return formatDate(values.now, values.utcOffsetMinutes);
		case "pid":
			return String(values.pid);
		case "hostname":
			return values.hostname;
		case "name":
			return values.name;
		default:
			return placeholder satisfies never;
	}
}

function fileNamePart(value: string): string {
	if (value === "") return emptyValue;
	if (/^\.+$/.test(value)) return "_".repeat(value.length);
	return Array.from(value, (character) => (isUnsafe(character) ? "_" : character)).join("");
}

function isUnsafe(character: string): boolean {
	return character === "/" || character === "\\" || isControl(character.codePointAt(0) as number);
}

/**
 * The form of a message in the inbox: one JSON object, written by a program in any language.
 *
 * Invariant: what is not understood is never left out in silence. A key that does not exist refuses the message, and
 * the error names every problem there is, with what would be taken instead.
 */

import { isAbsolute } from "node:path";
import { PylogError } from "../shared/errors.ts";
import type { Lane } from "../shared/lane.ts";
import { levelNames } from "../shared/level-names.ts";
import { nearestName } from "../shared/nearest-name.ts";

/** What a sender writes. `null` stands for a key that is left out. */
export interface InboxMessage {
	/** The line: finished when there is no level, else printed behind level and time. */
	readonly msg: string;
	/** Absolute path of the file the line goes to. */
	readonly logTo: string;
	/** In any case; `warn` means `warning`. Without one, the line gets no prefix. */
	readonly level?: string | null;
	/** The text of an error, printed below the line. */
	readonly exception?: string | null;
	/** @default what the message's folder says */
	readonly priority?: boolean | null;
	/** ISO 8601, local time if it names no zone, or milliseconds since the Unix epoch. @default when it was written */
	readonly time?: string | number | null;
}

/** A message as it was understood, which is again a message. */
export interface ParsedInboxMessage extends InboxMessage {
	readonly level?: (typeof levelNames)[number];
	readonly exception?: string;
	readonly priority: boolean;
	/** Whole milliseconds since the Unix epoch. */
	readonly time?: number;
}

const maxPathBytes = 4095;
/** The last millisecond of the year 9999. */
const maxTimeMs = 253_402_300_799_999;
const maxPrinted = 80;
const maxUnknownNamed = 8;

const keys = ["msg", "logTo", "level", "exception", "priority", "time"] as const;
type Sent = Readonly<Partial<Record<(typeof keys)[number], unknown>>>;

/**
 * Reads a message.
 *
 * @param lane The folder it lay in: its `priority` where it names none itself.
 * @throws {PylogError} PYLOG_INBOX_MESSAGE_INVALID
 */
export function parseInboxMessage(text: string, lane: Lane): ParsedInboxMessage {
	const sent: Sent = parseObject(text);
	const level = levelOf(sent.level);
	const timeMs = timeOf(sent.time);
	const problems = [
		...textProblems("msg", sent),
		...pathProblems(sent),
		...(level === "wrong" ? [problem("level", `one of ${levelNames.join(" ")} (or warn)`, sent)] : []),
		...(isMissing(sent.exception) ? [] : textProblems("exception", sent)),
		...(isMissing(sent.priority) || typeof sent.priority === "boolean"
			? []
			: [problem("priority", "true or false", sent)]),
		...timeProblems(timeMs, sent),
		...unknownKeys(sent),
	];
	if (problems.length > 0) throw invalid(problems);
	const { msg, logTo, exception, priority } = sent as InboxMessage;
	return {
		msg,
		logTo,
		...(level === undefined || level === "wrong" ? undefined : { level }),
		priority: priority ?? lane === "priority",
		...(typeof exception === "string" ? { exception } : undefined),
		...(timeMs === undefined ? undefined : { time: timeMs }),
	};
}

function isMissing(value: unknown): value is null | undefined {
	return value === undefined || value === null;
}

function textProblems(key: "msg" | "exception", sent: Sent): string[] {
	if (!Object.hasOwn(sent, key)) return [`"${key}" is missing`];
	return typeof sent[key] === "string" ? [] : [problem(key, "a string", sent)];
}

function pathProblems(sent: Sent): string[] {
	if (!Object.hasOwn(sent, "logTo")) return ['"logTo" is missing'];
	const path = sent.logTo;
	if (typeof path !== "string") return [problem("logTo", "an absolute path", sent)];
	const problems: string[] = [];
	if (!isAbsolute(path)) problems.push(problem("logTo", "an absolute path", sent));
	if (path.includes("\0")) problems.push(problem("logTo", "a path without NUL", sent));
	if (Buffer.byteLength(path) > maxPathBytes) {
		problems.push(problem("logTo", `a path of at most ${maxPathBytes} bytes`, sent));
	}
	return problems;
}

function levelOf(given: unknown): ParsedInboxMessage["level"] | "wrong" {
	if (isMissing(given)) return undefined;
	if (typeof given !== "string") return "wrong";
	const name = given.toLowerCase() === "warn" ? "warning" : given.toLowerCase();
	return levelNames.find((known) => known === name) ?? "wrong";
}

function timeProblems(timeMs: number | undefined, sent: Sent): string[] {
	if (isMissing(sent.time)) return [];
	if (timeMs === undefined) return [problem("time", "ISO 8601 or milliseconds since 1970", sent)];
	if (timeMs >= 0 && timeMs <= maxTimeMs) return [];
	return [problem("time", "a time from 1970 to 9999, such as 2026-01-31T12:00:00Z or 1769860800000", sent)];
}

/** NaN for a text that names no time, `undefined` for what is neither text nor number. */
function timeOf(time: unknown): number | undefined {
	if (typeof time === "number") return Math.floor(time);
	return typeof time === "string" ? parseIsoTime(time) : undefined;
}

function parseObject(text: string): object {
	let value: unknown;
	try {
		value = JSON.parse(text);
	} catch (cause) {
		const what = text.trim() === "" ? "it is empty" : `it is not JSON (${(cause as Error).message})`;
		throw invalid([what], cause);
	}
	if (typeof value === "object" && value !== null && !Array.isArray(value)) return value;
	throw invalid([`it is a JSON object, got ${print(value)}`]);
}

function unknownKeys(sent: object): string[] {
	const unknown = Object.keys(sent).filter((key) => !(keys as readonly string[]).includes(key));
	const named = unknown.slice(0, maxUnknownNamed);
	const lines = named.map((key) => `${print(key)} is no key, the nearest is "${nearestName(key.slice(0, 64), keys)}"`);
	if (unknown.length > named.length) lines.push(`${unknown.length - named.length} more are no keys either`);
	return lines;
}

function problem(key: keyof Sent, takes: string, sent: Sent): string {
	return `"${key}" takes ${takes}, got ${print(sent[key])}`;
}

/** Never looks into an object: what is nested deeply enough ends `JSON.stringify`. */
function print(value: unknown): string {
	if (Array.isArray(value)) return "an array";
	if (typeof value === "object" && value !== null) return "an object";
	const text = JSON.stringify(value) ?? String(value);
	return text.length <= maxPrinted ? text : `${text.slice(0, maxPrinted)}… (${text.length} characters)`;
}

function invalid(problems: readonly string[], cause?: unknown): PylogError {
	return new PylogError(
		"PYLOG_INBOX_MESSAGE_INVALID",
		`An inbox message can't be understood: ${problems.join("; ")}. It takes the keys ${keys.join(" ")}.`,
		{ cause, details: { problems } },
	);
}

const isoPattern =
	/^(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?(?:([Zz])|([+-]\d\d)(?::?(\d\d))?)?$/;

/** Milliseconds since the epoch, or NaN. Takes what `date -Is`, Python, Go and others write. */
function parseIsoTime(text: string): number {
	const [, date = "", minutes = "", seconds = "00", fraction = "0", utc, hours, zoneMinutes = "00"] =
		isoPattern.exec(text) ?? [];
	// `Date` reads the 31st of February as a day in March.
	if (Number.isNaN(Date.parse(date)) || new Date(date).toISOString().slice(0, 10) !== date) return Number.NaN;
	const milliseconds = fraction.padEnd(3, "0").slice(0, 3);
	const zone = hours === undefined ? (utc ?? "") : `${hours}:${zoneMinutes}`;
	return Date.parse(`${date}T${minutes}:${seconds}.${milliseconds}${zone.toUpperCase()}`);
}

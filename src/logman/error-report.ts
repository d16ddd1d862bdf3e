/**
 * The text of one report in `pylog_error.log`, and what makes two reports the same.
 *
 * ```
 * (an empty line)
 * = report <sha256 of what, error name, code, message and output, in hex>
 * = count 000000000003 first 2026-01-01T00:00:00.000Z last 2026-01-01T00:00:09.000Z
 *   what: …                      every line from here on is indented
 * ```
 *
 * Invariants: all text that came from outside is escaped to one line and indented, so no text can pass for a line that
 * begins with `=`; the count line has always the same length, so it is rewritten in place.
 */

import { createHash } from "node:crypto";
import { inspect } from "node:util";
import { oneLineText, writeEscapedText } from "../line/escape.ts";
import { LineBuffer } from "../line/line-buffer.ts";
import { systemCode } from "../shared/errors.ts";
import { instant } from "../shared/instant.ts";

/** What the logman met. */
export interface ErrorReport {
	/** What was being done, such as "write lines to their file". A constant: it is part of the report's identity. */
	readonly what: string;
	/** What was thrown. */
	readonly error: unknown;
	/** The first line that could not be delivered. */
	readonly message?: string;
	/** The output it was meant for. */
	readonly output?: string;
	/** How many of it there were. @default 1 */
	readonly times?: number;
}

/** The longest text of a report's indented part, in bytes; what is longer is cut with a mark. */
const maxReportBodyBytes = 8192;

const maxTextLength = 2048;
const maxIdentityLength = 65_536;
const maxFrames = 24;
const maxCauses = 4;
const countDigits = 12;
const maxCount = 10 ** countDigits - 1;
const countLinePattern = /^= count (\d{12}) first (\S{24}) last \S{24}\n$/;

/** The length of a count line with its line end, in bytes. */
export const countLineBytes: number = countLine(0, 0, 0).length;

/** Equal for two reports of the same error: neither the time nor the failing message counts. */
export function reportIdentity(report: ErrorReport): string {
	const { name, code, message } = describeError(report.error);
	const parts = [report.what, name, code, message, report.output ?? ""].map((part) =>
		part.length <= maxIdentityLength ? part : `${part.slice(0, maxIdentityLength)}${part.length}`,
	);
	return createHash("sha256").update(JSON.stringify(parts)).digest("hex");
}

/** The bytes a report with this identity begins with; nothing else in the file can hold them. */
export function reportMarker(identity: string): Buffer {
	return Buffer.from(`\n= report ${identity}\n`);
}

/** The line behind the marker. */
export function countLine(count: number, firstMs: number, lastMs: number): string {
	const digits = String(Math.min(count, maxCount)).padStart(countDigits, "0");
	return `= count ${digits} first ${instant(firstMs)} last ${instant(lastMs)}\n`;
}

/** The count line with `more` added and a new last time, or `undefined` if `line` is none. */
export function recountLine(line: string, more: number, lastMs: number): string | undefined {
	const [, count, first] = countLinePattern.exec(line) ?? [];
	if (count === undefined || first === undefined) return undefined;
	const firstMs = Date.parse(first);
	return countLine(Number(count) + more, Number.isNaN(firstMs) ? lastMs : firstMs, lastMs);
}

/** The indented part of a report. */
export function reportBody(report: ErrorReport): string {
	const lines = [`  what: ${toOneLine(report.what)}`];
	if (report.output !== undefined) lines.push(`  output: ${toOneLine(report.output)}`);
	if (report.message !== undefined) lines.push(`  failing message: ${toOneLine(report.message)}`);
	let error = report.error;
	for (let depth = 0; depth <= maxCauses; depth++) {
		const described = describeError(error);
		lines.push(`  ${depth === 0 ? "error" : "cause"}: ${toOneLine(headline(described))}`);
		lines.push(...stackFrames(member(error, "stack")));
		error = member(error, "cause");
		if (error === undefined) break;
	}
	const body = Buffer.from(`${lines.join("\n")}\n`);
	if (body.length <= maxReportBodyBytes) return body.toString();
	return `${body.toString("utf8", 0, maxReportBodyBytes - 64)}\n  (cut: the report has ${body.length} bytes)\n`;
}

interface DescribedError {
	readonly name: string;
	readonly code: string;
	readonly message: string;
}

function describeError(error: unknown): DescribedError {
	const message = member(error, "message");
	const name = member(error, "name");
	return {
		name: typeof name === "string" ? name : typeof error,
		code: attempt(() => systemCode(error)) ?? "",
		message: typeof message === "string" ? message : (attempt(() => print(error)) ?? "(it cannot be printed)"),
	};
}

/** Errors come from anywhere: each look at one may throw. */
function member(error: unknown, key: "name" | "message" | "stack" | "cause"): unknown {
	if (typeof error !== "object" || error === null) return undefined;
	return attempt((): unknown => Reflect.get(error, key));
}

function print(thrown: unknown): string {
	return typeof thrown === "string" ? thrown : inspect(thrown, { breakLength: Number.POSITIVE_INFINITY });
}

function attempt<Value>(look: () => Value): Value | undefined {
	try {
		return look();
	} catch {
		return undefined;
	}
}

/** The lines of a stack that name places: its head repeats the message, which is printed already. */
function stackFrames(stack: unknown): string[] {
	if (typeof stack !== "string") return [];
	const frames = stack.split("\n", 1024).filter((line) => line.startsWith("    at "));
	return frames.slice(0, maxFrames).map((line) => `    ${toOneLine(line.trimStart())}`);
}

function headline({ name, code, message }: DescribedError): string {
	const codeIsNew = code !== "" && !message.includes(code);
	return `${name}${codeIsNew ? ` ${code}` : ""}: ${message}`;
}

function toOneLine(text: string): string {
	const cut = text.length <= maxTextLength ? text : text.slice(0, maxTextLength);
	const line = new LineBuffer({ initialBytes: 1024 });
	writeEscapedText(line, cut, oneLineText);
	return cut === text ? line.bytes.toString() : `${line.bytes.toString()} (cut: ${text.length} characters)`;
}

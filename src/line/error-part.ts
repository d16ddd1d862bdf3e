/**
 * A record's error part, parsed.
 *
 * What is in the spool may be hostile: text that is no JSON object, is nested so deeply that walking it would overflow
 * the stack, or is so large that its objects would fill the memory counts as unreadable, by fixed limits, so that the
 * same bytes render alike in every process. Its raw text is printed instead.
 */

/** Any JSON object; the members of `ErrorRecord` are looked up in it without trust in their types. */
export interface JsonObject {
	readonly [key: string]: unknown;
}

const maxDepth = 200;
const maxParsedBytes = 4 * 1024 * 1024;
const quote = 0x22;
const backslash = 0x5c;

/** The object in `bytes[start, end)`, or `undefined` if it can't be read. */
export function parseErrorPart(bytes: Buffer, start: number, end: number): JsonObject | undefined {
	if (end - start > maxParsedBytes || nestingDepth(bytes, start, end) > maxDepth) return undefined;
	try {
		const parsed: unknown = JSON.parse(bytes.toString("utf8", start, end));
		return isJsonObject(parsed) ? parsed : undefined;
	} catch {
		return undefined;
	}
}

export function isJsonObject(value: unknown): value is JsonObject {
	return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** How deeply objects and arrays nest; for what is not JSON, a number without meaning. */
function nestingDepth(bytes: Buffer, start: number, end: number): number {
	let depth = 0;
	let deepest = 0;
	let inString = false;
	for (let at = start; at < end; at++) {
		const byte = bytes[at];
		if (inString) {
			if (byte === backslash) at++;
			else if (byte === quote) inString = false;
		} else if (byte === quote) {
			inString = true;
		} else if (byte === 0x7b || byte === 0x5b) {
			depth++;
			if (depth > deepest) deepest = depth;
		} else if (byte === 0x7d || byte === 0x5d) {
			depth--;
		}
	}
	return deepest;
}

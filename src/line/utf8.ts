/**
 * UTF-8 as a renderer has to see it: which bytes form a character, and which characters must not reach a terminal.
 *
 * Only the shortest form counts as valid; surrogates and numbers above U+10FFFF do not (RFC 3629, section 4).
 */

/** The code point whose bytes start at `at`, or -1 where `bytes[at, end)` does not start with a valid character. */
export function codePointAt(bytes: Uint8Array, at: number, end: number): number {
	const lead = bytes[at] as number;
	if (lead < 0x80) return lead;
	if (lead < 0xc2 || lead > 0xf4) return -1;
	if (lead < 0xe0) {
		const second = continuation(bytes, at + 1, end);
		return second < 0 ? -1 : ((lead & 0x1f) << 6) | second;
	}
	const second = continuation(bytes, at + 1, end);
	const third = continuation(bytes, at + 2, end);
	if (second < 0 || third < 0) return -1;
	if (lead < 0xf0) {
		const code = ((lead & 0x0f) << 12) | (second << 6) | third;
		return code < 0x800 || (code >= 0xd800 && code <= 0xdfff) ? -1 : code;
	}
	const fourth = continuation(bytes, at + 3, end);
	const code = ((lead & 0x07) << 18) | (second << 12) | (third << 6) | fourth;
	return fourth < 0 || code < 0x1_0000 || code > 0x10_ffff ? -1 : code;
}

/** How many bytes a valid code point takes. */
export function utf8Size(code: number): number {
	if (code < 0x80) return 1;
	if (code < 0x800) return 2;
	return code < 0x1_0000 ? 3 : 4;
}

/**
 * Whether a code point acts on the display instead of being seen: C0 and C1 controls, DEL, the line and paragraph
 * separators, and the embeddings, overrides and isolates of bidirectional text (CVE-2021-42574).
 */
export function isControl(code: number): boolean {
	if (code < 0x20) return true;
	if (code < 0x7f) return false;
	if (code <= 0x9f) return true;
	if (code < 0x2028 || code > 0x2069) return false;
	return code <= 0x202e || code >= 0x2066;
}

function continuation(bytes: Uint8Array, at: number, end: number): number {
	if (at >= end) return -1;
	const byte = bytes[at] as number;
	return (byte & 0xc0) === 0x80 ? byte & 0x3f : -1;
}

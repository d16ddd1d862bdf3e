import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
	type ByteSource,
	type EscapeStyle,
	indentedText,
	jsonMembers,
	jsonString,
	oneLineText,
	parsedJson,
	writeEscaped,
	writeEscapedText,
} from "../../src/line/escape.ts";
import { LineBuffer } from "../../src/line/line-buffer.ts";

const hostile = /[\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/u;

function escapeText(text: string, style: EscapeStyle): string {
	const out = new LineBuffer({ initialBytes: 1 });
	writeEscapedText(out, text, style);
	return out.bytes.toString("utf8");
}

function escapeBytes(bytes: Uint8Array, style: EscapeStyle): string {
	const out = new LineBuffer({ initialBytes: 1 });
	const around = Buffer.concat([Buffer.from("<<<"), bytes, Buffer.from(">>>")]);
	writeEscaped(out, sourceOf(around), 3, 3 + bytes.length, style);
	return decodeStrictly(out.bytes);
}

function sourceOf(bytes: Buffer): ByteSource {
	return { bytes, view: new DataView(bytes.buffer, bytes.byteOffset, bytes.length) };
}

/** Throws where the bytes are not UTF-8, instead of replacing them. */
function decodeStrictly(bytes: Uint8Array): string {
	return new TextDecoder("utf8", { fatal: true, ignoreBOM: true }).decode(bytes);
}

/** Every code point but surrogates, once: `from` up to `to`. */
function* codePoints(from: number, to: number): Generator<string> {
	for (let code = from; code <= to; code++) {
		if (code < 0xd800 || code > 0xdfff) yield String.fromCodePoint(code);
	}
}

describe("text on one line", () => {
	it("leaves letters of all scripts, tabs and backslashes alone", () => {
		const text = 'plain ASCII ~ \\n " {} \t äöü £ é “quotes” — 日本語 🎉 e\u0301 \u200d\ufeff';
		expect(escapeText(text, oneLineText)).toBe(text);
	});

	it("escapes newlines and control characters", () => {
		expect(escapeText("a\nb\r\nc", oneLineText)).toBe("a\\nb\\r\\nc");
		expect(escapeText("\u0000\u001b[31m\u0007\u007f", oneLineText)).toBe("\\x00\\x1b[31m\\x07\\x7f");
		expect(escapeText("\u0080\u0085\u009b\u009f\u00a0", oneLineText)).toBe("\\x80\\x85\\x9b\\x9f\u00a0");
		expect(escapeText("\u2028\u2029", oneLineText)).toBe("\\u2028\\u2029");
	});

	it("escapes what changes the direction of text", () => {
		expect(escapeText("\u202a\u202b\u202c\u202d\u202e\u202f", oneLineText)).toBe(
			"\\u202a\\u202b\\u202c\\u202d\\u202e\u202f",
		);
		expect(escapeText("\u2065\u2066\u2067\u2068\u2069\u206a", oneLineText)).toBe(
			"\u2065\\u2066\\u2067\\u2068\\u2069\u206a",
		);
	});

	it("escapes exactly the hostile characters, of all that exist", () => {
		for (const character of codePoints(0, 0x1_1000)) {
			const changed = escapeText(character, oneLineText) !== character;
			if (changed !== (hostile.test(character) && character !== "\t")) expect.fail(JSON.stringify(character));
		}
		expect(escapeText("\u{10ffff}", oneLineText)).toBe("\u{10ffff}");
	});

	it("replaces bytes that are not UTF-8", () => {
		const cases: readonly [readonly number[], string][] = [
			[[0x61, 0xe9, 0x62], "a\ufffdb"],
			[[0xc0, 0x8a], "\ufffd\ufffd"],
			[[0xe0, 0x80, 0x8a], "\ufffd\ufffd\ufffd"],
			[[0xed, 0xa0, 0x80], "\ufffd\ufffd\ufffd"],
			[[0xf4, 0x90, 0x80, 0x80], "\ufffd\ufffd\ufffd\ufffd"],
			[[0xf8, 0x61], "\ufffda"],
			[[0xe2, 0x82], "\ufffd\ufffd"],
			[[0xe2, 0x0a], "\ufffd\\n"],
			[[0xc2, 0x22], '\ufffd"'],
		];
		for (const [bytes, expected] of cases) expect(escapeBytes(Uint8Array.from(bytes), oneLineText)).toBe(expected);
	});

	it("does not complete a cut character from the bytes behind it", () => {
		const out = new LineBuffer();
		writeEscaped(out, sourceOf(Buffer.from("é")), 0, 1, oneLineText);
		expect(out.bytes.toString()).toBe("\ufffd");
	});

	it("finds a hostile byte at every place of a long text", () => {
		for (let at = 0; at < 80; at++) {
			for (const byte of [0x00, 0x09, 0x0a, 0x1f, 0x7f, 0x80, 0xff]) {
				const bytes = Buffer.alloc(80, "x");
				bytes[at] = byte;
				const middle = byte === 9 ? "\t" : byte === 10 ? "\\n" : byte > 0x7f ? "\ufffd" : `\\x${hex(byte)}`;
				expect(escapeBytes(bytes, oneLineText)).toBe("x".repeat(at) + middle + "x".repeat(79 - at));
			}
		}
	});
});

describe("text over several lines", () => {
	it("indents what follows a newline, and only that", () => {
		expect(escapeText("a\nb\n\nc\t\r\n", indentedText("    "))).toBe("a\n    b\n    \n    c\t\\r\n    ");
		expect(escapeText("a\nb", indentedText("\t"))).toBe("a\n\tb");
	});

	it("survives a message of nothing but newlines", () => {
		expect(escapeText("\n".repeat(10_000), indentedText("    "))).toBe("\n    ".repeat(10_000));
	});
});

describe("a JSON string", () => {
	it("means the text it was made from", () => {
		fc.assert(
			fc.property(fc.string({ unit: "binary" }), (text) => {
				const escaped = escapeText(text, jsonString);
				expect(JSON.parse(`"${escaped}"`)).toBe(text);
				expect(escaped).not.toMatch(hostile);
			}),
		);
	});

	it("escapes each character that needs it, wherever it stands", () => {
		for (const character of ['"', "\\", "\b", "\t", "\n", "\f", "\r", "\u0000", "\u007f", "\u0085", "\u2028"]) {
			for (let at = 0; at < 40; at++) {
				const text = "x".repeat(at) + character + "y".repeat(40 - at);
				const escaped = escapeText(text, jsonString);
				expect(JSON.parse(`"${escaped}"`)).toBe(text);
				expect(escaped).not.toMatch(hostile);
			}
		}
	});

	it("prefers the short escapes", () => {
		expect(escapeText('"\\\b\t\n\f\r\u0001\u007f\u202e', jsonString)).toBe(
			'\\"\\\\\\b\\t\\n\\f\\r\\u0001\\u007f\\u202e',
		);
	});
});

describe("JSON that is encoded already", () => {
	it("means the same and holds no hostile character", () => {
		fc.assert(
			fc.property(fc.jsonValue({ stringUnit: "binary" }), (value) => {
				for (const style of [jsonMembers, parsedJson]) {
					const escaped = escapeText(JSON.stringify(value), style);
					expect(JSON.parse(escaped)).toEqual(JSON.parse(JSON.stringify(value)));
					expect(escaped).not.toMatch(hostile);
				}
			}),
		);
	});

	it("stays on one line even with raw control characters in it", () => {
		expect(escapeText('"a":"\n","b":\t1', jsonMembers)).toBe('"a":"\\u000a","b":\\u00091');
	});

	it("has blanks for the newlines between its tokens, if it has been parsed", () => {
		expect(escapeText('{\n\t"a": 1\r\n}', parsedJson)).toBe('{  "a": 1  }');
	});
});

describe("every style", () => {
	const indent = "    ";
	const styles: Readonly<Record<string, EscapeStyle>> = {
		oneLineText,
		jsonString,
		jsonMembers,
		parsedJson,
		indentedText: indentedText(indent),
	};
	// Long runs of plain text between hostile bytes, so that words and single bytes take turns.
	const bytes = fc
		.array(fc.oneof(fc.uint8Array({ maxLength: 12 }), fc.string({ minLength: 0, maxLength: 40 }).map(toBytes)))
		.map((parts) => Buffer.concat(parts));

	it("makes valid UTF-8 without control characters of any bytes", () => {
		fc.assert(
			fc.property(bytes, (input) => {
				for (const style of Object.values(styles)) {
					const out = new LineBuffer({ initialBytes: 1 });
					writeEscaped(out, sourceOf(input), 0, input.length, style);
					expect(decodeStrictly(out.bytes).replaceAll("\t", "").replaceAll(`\n${indent}`, "")).not.toMatch(hostile);
				}
			}),
			{ numRuns: 300 },
		);
	});

	it("gives the same bytes however the input is cut at characters", () => {
		fc.assert(
			fc.property(fc.array(fc.string({ unit: "binary" })), (parts) => {
				for (const style of Object.values(styles)) {
					expect(parts.map((part) => escapeText(part, style)).join("")).toBe(escapeText(parts.join(""), style));
				}
			}),
		);
	});
});

function toBytes(text: string): Uint8Array {
	return Buffer.from(text, "utf8");
}

function hex(byte: number): string {
	return byte.toString(16).padStart(2, "0");
}

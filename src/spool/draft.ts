/**
 * A record on its way into a segment: message, fields and error as UTF-8, one behind the other, in memory of this thread.
 *
 * Written for speed: short texts go in character by character, four to a word. Two fields cost 75 ns so; joined as a
 * string and handed to Node they cost 330.
 * Invariants: behind `end` there is always room for a word of zeros. A draft belongs to one call at a time: a call inside of
 * another (a getter that logs) gets one of its own.
 */

import type { MappedBytes } from "../platform/mapping.ts";
import { escapeAscii, isPlainAscii } from "./ascii-json.ts";
import { cutMessage } from "./cut-entry.ts";
import { Definition } from "./definition.ts";
import type { Entry } from "./entry.ts";
import { KnownMessages, notLookedFor } from "./known-messages.ts";
import { recordFlags } from "./log-record.ts";
import { maxPartBytes, recordBytes } from "./record-codec.ts";

/** What a draft keeps from one call to the next. */
const keptBytes = 16 * 1024;
/** Longer texts are written by Node: a call costs as much as so many characters. */
const maxLoopUnits = 40;
/** Most bytes one UTF-16 unit takes in UTF-8. */
const maxBytesPerUnit = 3;
/** Room that is there after each text: for the zeros behind the last one, and for what `integer` and `quoted` add. */
const spareBytes = 32;

/** `escapeAscii` wants it between what it writes and what it reads. */
const sourceGapBytes = 8;

const known = new KnownMessages();
const noDefinition: Definition = Definition.ofCallSite("");

const quote = 0x22;
const backslash = 0x5c;
const minus = 0x2d;
const zero = 0x30;
const point = 0x2e;
const maxInteger32 = 2 ** 31;
/** Below it a number with three digits behind the point has at most 15 in all: no two such make the same double. */
const maxExact = 1e15;
/** What `JSON.stringify` changes: quotes, backslashes, C0 controls and halves of surrogate pairs that stand alone. */
const notPlain = /["\\\u0000-\u001f\ud800-\udfff]/u;

export class Draft {
	level = 0;
	/** Wall clock, milliseconds since the Unix epoch; 0 stands for now. */
	timeMs = 0;
	/** Bits of `recordFlags`. */
	flags = 0;
	definition: Definition = noDefinition;
	callSite: Definition | undefined = undefined;
	bytes: MappedBytes;
	/** The same memory in words. */
	words: Int32Array;
	/** The message is [0, fieldsStart), the fields [fieldsStart, errorStart), the error [errorStart, end). */
	fieldsStart = 0;
	errorStart = 0;
	end = 0;
	/** Of the message among those that came before; negative for any other. */
	#place: number = notLookedFor;

	constructor() {
		[this.bytes, this.words] = memory(keptBytes);
	}

	/** Begins a record with its message. One that is surely too long is cut at once: it is never held as a whole. */
	message(whole: string): void {
		const isCut = whole.length > maxPartBytes;
		const text = isCut ? cutMessage(whole) : whole;
		if (isCut) this.flags |= recordFlags.cut;
		const place = known.find(text);
		this.#place = place;
		if (place >= 0) {
			this.end = known.copy(place, this.words);
		} else {
			this.#encodeMessage(text);
			if (place !== notLookedFor) known.note(this.end, this.bytes, this.words);
		}
		this.fieldsStart = this.end;
		this.errorStart = this.end;
	}

	/** Whether the message has a `%`. Given is the text that {@link Draft.message} was given last. */
	hasPercent(message: string): boolean {
		return this.#place >= 0 ? known.hasPercent(this.#place) : message.includes("%");
	}

	/** What follows is the error. Without it, fields and error are empty. */
	endFields(): void {
		this.errorStart = this.end;
	}

	/** Puts a message in front of fields that have none. */
	insertMessage(text: string): void {
		const fields = this.textFrom(0);
		this.message(text);
		this.text(fields);
		this.endFields();
	}

	/** Adds a text as it is. */
	text(text: string): void {
		const units = text.length;
		this.#reserve(units * maxBytesPerUnit);
		const { bytes, end } = this;
		if (units <= maxLoopUnits) {
			let at = 0;
			for (; at < units; at++) {
				const unit = text.charCodeAt(at);
				if (unit > 0x7f) break;
				bytes[end + at] = unit;
			}
			if (at === units) {
				this.end = end + units;
				return;
			}
		}
		this.end = end + bytes.utf8Write(text, end);
	}

	/** Adds one byte. The caller knows that there is room: `spareBytes` after any text. */
	byte(byte: number): void {
		this.bytes[this.end++] = byte;
	}

	/** Adds a short text of plain ASCII as a JSON string; `false` and nothing added where it is anything else. */
	plainString(text: string): boolean {
		const units = text.length;
		if (units > maxLoopUnits) return false;
		this.#reserve(units);
		const { bytes, end } = this;
		for (let at = 0; at < units; at++) {
			const unit = text.charCodeAt(at);
			if (unit < 0x20 || unit > 0x7f || unit === quote || unit === backslash) return false;
			bytes[end + 1 + at] = unit;
		}
		bytes[end] = quote;
		bytes[end + 1 + units] = quote;
		this.end = end + units + 2;
		return true;
	}

	/** Adds a whole number of 32 bits in decimal digits. */
	integer(value: number): void {
		this.#reserve(0);
		const { bytes } = this;
		let { end } = this;
		let rest = value;
		if (rest < 0) {
			bytes[end++] = minus;
			rest = -rest;
		}
		let digits = 1;
		for (let power = 10; digits < 10 && rest >= power; power *= 10) digits++;
		this.end = end + digits;
		for (let at = end + digits - 1; at >= end; at--) {
			const tenth = (rest / 10) >>> 0;
			bytes[at] = zero + (rest - tenth * 10);
			rest = tenth;
		}
	}

	/** What was written from a byte on. */
	textFrom(start: number): string {
		return this.bytes.toString("utf8", start, this.end);
	}

	/** Bytes a segment needs for the record, with the definitions it refers to. */
	get neededBytes(): number {
		const { definition, callSite } = this;
		return (
			recordBytes(this.end) +
			recordBytes(Buffer.byteLength(definition.text)) +
			recordBytes(callSite === undefined ? 0 : Buffer.byteLength(callSite.text))
		);
	}

	/** The same record with its parts as strings. */
	toEntry(): Entry {
		const { level, timeMs, flags, definition, callSite, bytes, fieldsStart, errorStart, end } = this;
		return {
			level,
			timeMs,
			flags,
			definition,
			callSite,
			message: bytes.toString("utf8", 0, fieldsStart),
			fields: bytes.toString("utf8", fieldsStart, errorStart),
			error: bytes.toString("utf8", errorStart, end),
		};
	}

	/** Takes over a record whose parts are strings. */
	takeOver(entry: Entry): void {
		this.level = entry.level;
		this.timeMs = entry.timeMs;
		this.flags = entry.flags;
		this.definition = entry.definition;
		this.callSite = entry.callSite;
		this.message(entry.message);
		if (entry.fields !== "") this.text(entry.fields);
		this.endFields();
		if (entry.error !== "") this.text(entry.error);
	}

	#encodeMessage(text: string): void {
		const units = text.length;
		if (units <= maxLoopUnits && this.#asciiMessage(text)) {
			this.end = units;
			return;
		}
		this.#reserve(units * maxBytesPerUnit);
		this.end = this.bytes.utf8Write(text, 0);
	}

	#asciiMessage(text: string): boolean {
		const { words } = this;
		const units = text.length;
		let at = 0;
		for (; at + 4 <= units; at += 4) {
			const first = text.charCodeAt(at);
			const second = text.charCodeAt(at + 1);
			const third = text.charCodeAt(at + 2);
			const fourth = text.charCodeAt(at + 3);
			if ((first | second | third | fourth) > 0x7f) return false;
			words[at >>> 2] = first | (second << 8) | (third << 16) | (fourth << 24);
		}
		let last = 0;
		for (let shift = 0; at + (shift >>> 3) < units; shift += 8) {
			const unit = text.charCodeAt(at + (shift >>> 3));
			if (unit > 0x7f) return false;
			last |= unit << shift;
		}
		words[at >>> 2] = last;
		return true;
	}

	#reserve(moreBytes: number): void {
		const needed = this.end + moreBytes + spareBytes;
		const before = this.bytes;
		if (needed <= before.length) return;
		const [bytes, words] = memory(Math.max(needed, before.length * 2));
		// First: a call on the last bytes of the stack may end here.
		bytes.set(before.subarray(0, this.end));
		this.bytes = bytes;
		this.words = words;
	}

	/** Gives back what one large record took. */
	shrink(): void {
		if (this.bytes.length > keptBytes) [this.bytes, this.words] = memory(keptBytes);
	}

	/** Adds a text that `plainString` did not take as a JSON string. Returns how many UTF-16 units that has. */
	anyString(text: string): number {
		const { end } = this;
		const units = text.length;
		this.#reserve(units * maxBytesPerUnit);
		const start = end + 1;
		const textEnd = start + this.bytes.utf8Write(text, start);
		if (textEnd - start === units) {
			if (isPlainAscii(this.bytes, this.words, start, textEnd)) return this.#quoted(end, textEnd);
			const escapedBytes = this.#escapedString(text);
			if (escapedBytes > 0) return escapedBytes;
		} else if (!notPlain.test(text)) {
			this.#quoted(end, textEnd);
			return units + 2;
		}
		const literal = JSON.stringify(text);
		this.text(literal);
		return literal.length;
	}

	/** The same for a text of several lines, which is not plain; a third cheaper. */
	linesString(text: string): number {
		return this.#escapedString(text) || this.anyString(text);
	}

	/** Adds a text of ASCII as a JSON string; 0 and nothing added where it is anything else, or has an escape of six bytes. */
	#escapedString(text: string): number {
		const units = text.length;
		this.#reserve(units * maxBytesPerUnit);
		const { bytes, words, end } = this;
		const start = end + 1;
		const source = (start + units + sourceGapBytes + 3) & ~3;
		if (bytes.utf8Write(text, source) !== units) return 0;
		const escapedEnd = escapeAscii(bytes, words, source, source + units, start);
		return escapedEnd < 0 ? 0 : this.#quoted(end, escapedEnd);
	}

	/** Adds one byte, whatever stands before it: brackets may follow one another without end. */
	bracket(byte: number): void {
		this.#reserve(0);
		this.bytes[this.end++] = byte;
	}

	/** Adds a finite number that is none of 32 bits as JSON has it. */
	number(value: number): void {
		const size = Math.abs(value);
		const thousandths = Math.round(size * 1000);
		// A number with so few digits is the only such one, and so the shortest, that stands for the value.
		if (thousandths >= maxExact || thousandths / 1000 !== size) {
			this.text(`${value}`);
			return;
		}
		if (value < 0) this.byte(minus);
		const whole = Math.floor(size);
		if (whole < maxInteger32) {
			this.integer(whole);
		} else {
			const billions = Math.floor(whole / 1e9);
			this.integer(billions);
			this.digits(whole - billions * 1e9, 9);
		}
		if (whole === size) return;
		this.byte(point);
		const rest = (thousandths - whole * 1000) | 0;
		if (rest % 10 !== 0) this.digits(rest, 3);
		else if (rest % 100 !== 0) this.digits((rest / 10) | 0, 2);
		else this.digits((rest / 100) | 0, 1);
	}

	/** Adds so many digits of a whole number of 32 bits. The caller knows that there is room, as for `byte`. */
	digits(value: number, count: number): void {
		const { bytes } = this;
		const end = this.end + count;
		let rest = value;
		for (let at = end - 1; at >= this.end; at--) {
			const tenth = (rest / 10) >>> 0;
			bytes[at] = zero + (rest - tenth * 10);
			rest = tenth;
		}
		this.end = end;
	}

	/** Puts quotes around what stands behind `start`. Returns how many bytes that has with them. */
	#quoted(start: number, textEnd: number): number {
		const { bytes } = this;
		bytes[start] = quote;
		bytes[textEnd] = quote;
		this.end = textEnd + 1;
		return textEnd + 1 - start;
	}
}

/** The draft that calls of this thread take in turns. */
let free: Draft | undefined;

/** A draft for one call, to be given back with {@link giveBackDraft}. */
export function takeDraft(): Draft {
	const draft = free ?? new Draft();
	free = undefined;
	draft.end = 0;
	draft.flags = 0;
	draft.timeMs = 0;
	return draft;
}

export function giveBackDraft(draft: Draft): void {
	free = draft;
	draft.shrink();
}

function memory(sizeBytes: number): [MappedBytes, Int32Array] {
	const bytes = Buffer.allocUnsafeSlow((sizeBytes + 7) & ~7) as unknown as MappedBytes;
	return [bytes, new Int32Array(bytes.buffer)];
}

/**
 * What comes before the message of a line: constant text, level, time, call site, queue number.
 *
 * Neighbouring lines share most of it, so it is kept as bytes by level and call site, with the time of the last line in it:
 * a line costs a copy, and 29 bytes more when its millisecond is another. Only a queue number is written anew each time.
 *
 * Invariants: the bytes depend on the record alone, whatever was rendered before; what is kept is bounded over all loggers.
 */

import type { LogRecord } from "../spool/log-record.ts";
import { writeDecimal } from "./decimal.ts";
import type { LineBuffer } from "./line-buffer.ts";
import { dateBytes, timestampBytes } from "./timestamp.ts";

/**
 * A piece of a head. `own` is what most loggers have another one of, such as the process id: what is kept for others has none
 * of it. `of` must give the same bytes for the same argument, always, and be the same function for all loggers.
 */
export type HeadPiece =
	| { readonly kind: "constant"; readonly bytes: Buffer }
	| { readonly kind: "own"; readonly bytes: Buffer }
	| { readonly kind: "queue" }
	| { readonly kind: "time" | "date" }
	| { readonly kind: "level"; readonly of: (level: number) => Buffer }
	| { readonly kind: "callSite"; readonly of: (callSite: string) => Buffer };

export type HeadWriter = (record: LogRecord, out: LineBuffer) => void;

/** A stretch of a head without a queue number, ready to be copied. */
interface Image {
	readonly bytes: Buffer;
	/** The same, with zeros behind it to a multiple of eight. */
	readonly doubles: Float64Array;
	/** Where the time stands in it, and where the date. */
	readonly times: readonly number[];
	readonly dates: readonly number[];
	/** The time that stands there. */
	timeMs: number;
	utcOffsetMinutes: number;
	/** When its second began. */
	secondMs: number;
}

const maxImages = 4096;
const maxImageBytes = 512;
const maxLevel = 255;
const zero = 0x30;
/** In the text of a time. */
const millisecondsAt = 20;
/** Times below it are printed as they are, in any time zone. */
const plainTimesMs = 253_000_000_000_000;
/** How many images there are, how many were not made since, and which stretches have some. */
const kept = { images: 0, refused: 0, stretches: new Set<Stretch>() };
const maxStretches = 1024;
const stretches = new Map<string, Stretch>();
/** What levels and call sites are made of; told apart by their place. */
const sources: unknown[] = [];

export function compileHead(pieces: readonly HeadPiece[]): HeadWriter {
	const parts: HeadPart[] = [];
	let shared: HeadPiece[] = [];
	const endStretch = (): void => {
		if (shared.length > 0) parts.push(stretchOf(shared));
		shared = [];
	};
	for (const piece of pieces) {
		if (piece.kind !== "queue" && piece.kind !== "own") {
			shared.push(piece);
			continue;
		}
		endStretch();
		parts.push(piece.kind === "queue" ? queueNumberPart : new OwnBytes(piece.bytes));
	}
	endStretch();
	const [only] = parts;
	if (parts.length === 1 && only !== undefined) return (record, out) => only.write(record, out);
	return (record, out) => {
		for (const part of parts) part.write(record, out);
	};
}

interface HeadPart {
	write(record: LogRecord, out: LineBuffer): void;
}

const queueNumberPart: HeadPart = { write: (record, out) => writeDecimal(record.queue, out) };

class OwnBytes implements HeadPart {
	readonly #doubles: Float64Array;
	readonly #length: number;

	constructor(bytes: Buffer) {
		this.#doubles = doublesOf(bytes);
		this.#length = bytes.length;
	}

	write(_record: LogRecord, out: LineBuffer): void {
		out.writeDoubles(this.#doubles, this.#length);
	}
}

function doublesOf(bytes: Buffer): Float64Array {
	const doubles = new Float64Array(Math.ceil(bytes.length / 8));
	bytes.copy(new Uint8Array(doubles.buffer));
	return doubles;
}

/** The stretch of these pieces; one for equal ones: most loggers have the same, and their call sites with it. */
function stretchOf(pieces: readonly HeadPiece[]): Stretch {
	const key = pieces.map(keyOf).join(" ");
	let stretch = stretches.get(key);
	if (stretch === undefined) {
		stretch = new Stretch(pieces);
		if (stretches.size >= maxStretches) stretches.clear();
		stretches.set(key, stretch);
	}
	return stretch;
}

function keyOf(piece: HeadPiece): string {
	if (piece.kind === "constant" || piece.kind === "own") return piece.bytes.toString("hex");
	if (piece.kind !== "level" && piece.kind !== "callSite") return piece.kind;
	if (!sources.includes(piece.of)) sources.push(piece.of);
	return `${piece.kind} ${sources.indexOf(piece.of)}`;
}

class Stretch implements HeadPart {
	readonly #pieces: readonly HeadPiece[];
	readonly #usesCallSite: boolean;
	/** By level, of all call sites where these do not count. */
	readonly #byLevel: (Image | undefined)[] = [];
	/** By call site, then by level. */
	readonly #byCallSite = new Map<string, (Image | undefined)[]>();

	constructor(pieces: readonly HeadPiece[]) {
		this.#pieces = pieces;
		this.#usesCallSite = pieces.some(({ kind }) => kind === "callSite");
	}

	write(record: LogRecord, out: LineBuffer): void {
		const byLevel = this.#usesCallSite ? this.#byCallSite.get(record.callSite) : this.#byLevel;
		const image = byLevel?.[record.level] ?? this.#make(record);
		if (image === undefined) return writePieces(this.#pieces, record, out);
		if (image.timeMs !== record.timeMs || image.utcOffsetMinutes !== record.utcOffsetMinutes) setTime(image, record);
		out.writeDoubles(image.doubles, image.bytes.length);
	}

	forget(): void {
		this.#byLevel.length = 0;
		this.#byCallSite.clear();
	}

	/** `undefined` for what is not kept. */
	#make(record: LogRecord): Image | undefined {
		const { level, callSite } = record;
		if (!Number.isInteger(level) || level < 0 || level > maxLevel || !hasRoom()) return undefined;
		const image = makeImage(this.#pieces, record);
		if (image === undefined) return undefined;
		kept.images += 1;
		kept.stretches.add(this);
		const byLevel = this.#usesCallSite ? (this.#byCallSite.get(callSite) ?? []) : this.#byLevel;
		byLevel[level] = image;
		if (this.#usesCallSite) this.#byCallSite.set(callSite, byLevel);
		return image;
	}
}

/** Whether another image may be kept. Where there are too many, all go now and then: not each time, or none were of use. */
function hasRoom(): boolean {
	if (kept.images < maxImages) return true;
	kept.refused += 1;
	if (kept.refused < maxImages * 16) return false;
	for (const stretch of kept.stretches) stretch.forget();
	kept.stretches.clear();
	kept.images = kept.refused = 0;
	return true;
}

function makeImage(pieces: readonly HeadPiece[], record: LogRecord): Image | undefined {
	const parts: Buffer[] = [];
	const times: number[] = [];
	const dates: number[] = [];
	let length = 0;
	for (const piece of pieces) {
		if (piece.kind === "time") times.push(length);
		else if (piece.kind === "date") dates.push(length);
		// A copy: the bytes of a time are used again.
		const part = Buffer.from(bytesOf(piece, record));
		parts.push(part);
		length += part.length;
		if (length > maxImageBytes) return undefined;
	}
	const doubles = doublesOf(Buffer.concat(parts));
	const bytes = Buffer.from(doubles.buffer, 0, length);
	const { timeMs, utcOffsetMinutes } = record;
	return { bytes, doubles, times, dates, timeMs, utcOffsetMinutes, secondMs: secondOf(timeMs) };
}

function setTime(image: Image, { timeMs, utcOffsetMinutes }: LogRecord): void {
	const { bytes, secondMs } = image;
	const isSameSecond = timeMs >= secondMs && timeMs < secondMs + 1000;
	if (isSameSecond && utcOffsetMinutes === image.utcOffsetMinutes) {
		for (const at of image.times) setMilliseconds(bytes, at + millisecondsAt, Math.trunc(timeMs) - secondMs);
	} else {
		for (const at of image.times) bytes.set(timestampBytes(timeMs, utcOffsetMinutes), at);
		for (const at of image.dates) bytes.set(dateBytes(timeMs, utcOffsetMinutes), at);
		image.secondMs = secondOf(timeMs);
	}
	image.timeMs = timeMs;
	image.utcOffsetMinutes = utcOffsetMinutes;
}

/** When the second of a time began; `Infinity` for one that is printed as another, or before 1970. */
function secondOf(timeMs: number): number {
	return timeMs >= 0 && timeMs < plainTimesMs ? Math.floor(timeMs / 1000) * 1000 : Number.POSITIVE_INFINITY;
}

function setMilliseconds(bytes: Buffer, at: number, milliseconds: number): void {
	const tens = (milliseconds / 10) | 0;
	const hundreds = (milliseconds / 100) | 0;
	bytes[at] = zero + hundreds;
	bytes[at + 1] = zero + tens - hundreds * 10;
	bytes[at + 2] = zero + milliseconds - tens * 10;
}

function writePieces(pieces: readonly HeadPiece[], record: LogRecord, out: LineBuffer): void {
	for (const piece of pieces) out.writeBytes(bytesOf(piece, record));
}

const nothing: Buffer = Buffer.alloc(0);

function bytesOf(piece: HeadPiece, record: LogRecord): Buffer {
	switch (piece.kind) {
		case "constant":
		case "own":
			return piece.bytes;
		case "level":
			return piece.of(record.level);
		case "callSite":
			return piece.of(record.callSite);
		case "time":
			return timestampBytes(record.timeMs, record.utcOffsetMinutes);
		case "date":
			return dateBytes(record.timeMs, record.utcOffsetMinutes);
		case "queue":
			return nothing;
		default:
			return piece satisfies never;
	}
}

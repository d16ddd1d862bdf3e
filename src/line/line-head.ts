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

/** A piece of a head. `of` must give the same bytes for the same argument, always. */
export type HeadPiece =
	| { readonly kind: "constant"; readonly bytes: Buffer }
	| { readonly kind: "time" | "date" | "queue" }
	| { readonly kind: "level"; readonly of: (level: number) => Buffer }
	| { readonly kind: "callSite"; readonly of: (callSite: string) => Buffer };

export type HeadWriter = (record: LogRecord, out: LineBuffer) => void;

/** A stretch of a head without a queue number, ready to be copied. */
interface Image {
	readonly level: number;
	readonly callSite: string;
	readonly bytes: Buffer;
	/** The same, with zeros behind it to the next word. */
	readonly words: Int32Array;
	/** Where the time stands in it, and where the date. */
	readonly times: readonly number[];
	readonly dates: readonly number[];
	/** The time that stands there. */
	timeMs: number;
	utcOffsetMinutes: number;
}

const maxImages = 4096;
const maxImageBytes = 512;
const maxLevel = 255;
/** How many images there are in all stretches; those of an earlier generation count no more. */
const kept = { images: 0, generation: 0 };

export function compileHead(pieces: readonly HeadPiece[]): HeadWriter {
	const stretches: Stretch[] = [new Stretch()];
	for (const piece of pieces) {
		if (piece.kind === "queue") stretches.push(new Stretch());
		else stretches.at(-1)?.pieces.push(piece);
	}
	const [first = new Stretch(), ...others] = stretches;
	if (others.length === 0) return (record, out) => first.write(record, out);
	return (record, out) => {
		first.write(record, out);
		for (const stretch of others) {
			writeDecimal(record.queue, out);
			stretch.write(record, out);
		}
	};
}

class Stretch {
	readonly pieces: HeadPiece[] = [];
	/** By call site, then by level. */
	readonly #images = new Map<string, (Image | undefined)[]>();
	#generation = 0;
	#last: Image | undefined;

	write(record: LogRecord, out: LineBuffer): void {
		let image = this.#last;
		if (image === undefined || image.callSite !== record.callSite || image.level !== record.level) {
			image = this.#find(record);
			if (image === undefined) return writePieces(this.pieces, record, out);
			this.#last = image;
		}
		if (image.timeMs !== record.timeMs || image.utcOffsetMinutes !== record.utcOffsetMinutes) setTime(image, record);
		out.writeWords(image.words, image.bytes.length);
	}

	/** `undefined` for what is not kept. */
	#find(record: LogRecord): Image | undefined {
		if (this.#generation !== kept.generation) {
			this.#images.clear();
			this.#generation = kept.generation;
		}
		return this.#images.get(record.callSite)?.[record.level] ?? this.#make(record);
	}

	#make(record: LogRecord): Image | undefined {
		const { level, callSite } = record;
		if (!Number.isInteger(level) || level < 0 || level > maxLevel) return undefined;
		const image = makeImage(this.pieces, record);
		if (image === undefined) return undefined;
		if (kept.images >= maxImages) {
			kept.images = 0;
			kept.generation += 1;
			this.#images.clear();
			this.#generation = kept.generation;
		}
		kept.images += 1;
		const byLevel = this.#images.get(callSite) ?? [];
		byLevel[level] = image;
		this.#images.set(callSite, byLevel);
		return image;
	}
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
	const words = new Int32Array(Math.ceil(length / 4));
	const bytes = Buffer.from(words.buffer, 0, length);
	Buffer.concat(parts).copy(bytes);
	const { level, callSite, timeMs, utcOffsetMinutes } = record;
	return { level, callSite, bytes, words, times, dates, timeMs, utcOffsetMinutes };
}

function setTime(image: Image, { timeMs, utcOffsetMinutes }: LogRecord): void {
	const stamp = timestampBytes(timeMs, utcOffsetMinutes);
	const { bytes } = image;
	for (const at of image.times) {
		for (let index = 0; index < stamp.length; index++) bytes[at + index] = stamp[index] as number;
	}
	for (const at of image.dates) bytes.set(dateBytes(timeMs, utcOffsetMinutes), at);
	image.timeMs = timeMs;
	image.utcOffsetMinutes = utcOffsetMinutes;
}

function writePieces(pieces: readonly HeadPiece[], record: LogRecord, out: LineBuffer): void {
	for (const piece of pieces) out.writeBytes(bytesOf(piece, record));
}

const nothing: Buffer = Buffer.alloc(0);

function bytesOf(piece: HeadPiece, record: LogRecord): Buffer {
	switch (piece.kind) {
		case "constant":
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

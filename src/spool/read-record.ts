/**
 * The record that a chain gives next: one object for all its records, since making one for each shows in the time of a drain.
 */

import type { Lane } from "../shared/lane.ts";
import { liftQueueNumber, type QueueNumber } from "../shared/numbers.ts";
import type { LoggerDefinition, LogRecord } from "./log-record.ts";
import { parseDefinition } from "./logger-definition.ts";
import { recordHeader, recordHeaderBytes } from "./record-codec.ts";
import type { SegmentReader } from "./segment-reader.ts";

export type Mutable<Type> = { -readonly [Key in keyof Type]: Type[Key] };

const nothing: Buffer = Buffer.alloc(0);
const noView: DataView = new DataView(new ArrayBuffer(0));
const noDefinition: LoggerDefinition = parseDefinition(undefined);
/** Numbers below it are exact whatever is added to them. */
const surelyExact = 2 ** 52;

export class ReadRecord {
	readonly record: Mutable<LogRecord>;
	/** What numbers are near to, and the low bits of that. */
	#reference = 0 as QueueNumber;
	#referenceLow = 0;

	constructor(lane: Lane) {
		this.record = blankRecord(lane);
	}

	/** Numbers of records that follow are near to it. */
	setReference(reference: QueueNumber): void {
		if (reference === this.#reference) return;
		this.#reference = reference;
		this.#referenceLow = (reference % 2 ** 32) | 0;
	}

	/** Takes over the record at byte `at` of a segment's chunk. */
	fill({ chunk, words, view }: SegmentReader, at: number, definition: LoggerDefinition, callSite: string): void {
		const { record } = this;
		const word = at >>> 2;
		// Kind, level, flags and the quarters of an hour of the time zone, a byte each.
		const marks = words[word + recordHeader.kind / 4] as number;
		const messageStart = at + recordHeaderBytes;
		const fieldsStart = messageStart + (words[word + recordHeader.messageBytes / 4] as number);
		const errorStart = fieldsStart + (words[word + recordHeader.fieldsBytes / 4] as number);
		record.queue = this.#lift(words[word + recordHeader.number / 4] as number);
		record.sequence = words[word + recordHeader.sequence / 4] as number;
		record.level = (marks >>> 8) & 0xff;
		record.flags = (marks >>> 16) & 0xff;
		record.timeMs = view.getFloat64(at + recordHeader.timeMs, true);
		record.utcOffsetMinutes = (marks >> 24) * 15;
		record.definition = definition;
		record.callSite = callSite;
		record.bytes = chunk;
		record.view = view;
		record.messageStart = messageStart;
		record.fieldsStart = fieldsStart;
		record.errorStart = errorStart;
		record.end = errorStart + (words[word + recordHeader.errorBytes / 4] as number);
		record.late = false;
	}

	/** Lets go of the memory that the record is in. */
	clear(): void {
		this.record.bytes = nothing;
		this.record.view = noView;
		this.record.definition = noDefinition;
	}

	/** As `liftQueueNumber`, without a remainder for each record. */
	#lift(low: number): QueueNumber {
		const full = this.#reference + ((low - this.#referenceLow) | 0);
		return full >= 0 && full < surelyExact ? (full as QueueNumber) : liftQueueNumber(low, this.#reference);
	}
}

/** Its values are of the kinds that come later: what an object holds at first decides how it is kept. */
function blankRecord(lane: Lane): Mutable<LogRecord> {
	return {
		queue: 0.5 as QueueNumber,
		sequence: 0,
		lane,
		level: 0,
		flags: 0,
		timeMs: 0.5,
		utcOffsetMinutes: 0,
		definition: noDefinition,
		callSite: "",
		bytes: nothing,
		view: noView,
		messageStart: 0,
		fieldsStart: 0,
		errorStart: 0,
		end: 0,
		late: false,
	};
}

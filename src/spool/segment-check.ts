/**
 * Looks through one segment file from its first byte to its last record, and tells what is wrong with it.
 *
 * Invariants: nothing is changed; what producers and logman do meanwhile is never told as a problem of the file: bytes
 * being committed are looked at again, and a segment that was used again is given up ({@link checkSegment} returns
 * `undefined`), which the logman allows only for what is delivered.
 */

import { isAbsolute } from "node:path";
import type { ChainPosition } from "./checkpoint.ts";
import { parseDefinition } from "./logger-definition.ts";
import { recordHeader, recordHeaderBytes, recordKinds } from "./record-codec.ts";
import { type SegmentHeader, segmentHeaderBytes } from "./segment-header.ts";
import { SegmentReader } from "./segment-reader.ts";
import type { SpoolProblem } from "./spool-problem.ts";

/** What the last record before a segment was, low 32 bits each; `undefined` where that can't be known. */
export interface LastRecord {
	readonly sequence: number | undefined;
	readonly number: number | undefined;
}

export interface SegmentFindings {
	/** Valid log records. */
	readonly records: number;
	readonly problems: readonly SpoolProblem[];
	readonly last: LastRecord;
	/** The segment its end record leads to; `undefined` while it is not full. */
	readonly link: { readonly place: number; readonly index: number } | undefined;
}

/**
 * @param delivered End of what is delivered of the lane, where a checkpoint says so.
 * @returns `undefined` when the file is no longer this segment.
 */
export function checkSegment(
	path: string,
	header: SegmentHeader,
	before: LastRecord,
	delivered: ChainPosition | undefined,
): SegmentFindings | undefined {
	const reader = SegmentReader.open(path, header);
	if (reader === undefined) return undefined;
	try {
		const walk = new SegmentWalk(reader, before, delivered);
		walk.run();
		const now = SegmentReader.headerOf(path);
		return now?.index === header.index && now.nonce === header.nonce ? walk : undefined;
	} finally {
		reader.close();
	}
}

/** A stretch of bytes that are no record, until the next record tells what is lost with them. */
interface Damage {
	readonly offset: number;
	readonly bytes: number;
}

class SegmentWalk implements SegmentFindings {
	records = 0;
	readonly problems: SpoolProblem[] = [];
	link: SegmentFindings["link"];
	readonly #reader: SegmentReader;
	readonly #delivered: ChainPosition | undefined;
	/** Offsets of the definitions met, by kind. */
	readonly #definitions = {
		[recordKinds.loggerDefinition]: new Set<number>(),
		[recordKinds.callSite]: new Set<number>(),
	};
	/** Records that refer to what is not there, by offset referred to. */
	readonly #unresolved = new Map<number, number>();
	#sequence: number | undefined;
	#number: number | undefined;
	#damage: Damage | undefined;
	#offset: number = segmentHeaderBytes;

	constructor(reader: SegmentReader, before: LastRecord, delivered: ChainPosition | undefined) {
		this.#reader = reader;
		this.#sequence = before.sequence;
		this.#number = before.number;
		this.#delivered = delivered;
	}

	get last(): LastRecord {
		return { sequence: this.#sequence, number: this.#number };
	}

	run(): void {
		let isPositionMet = this.#isAtPosition();
		for (let length = this.#findRecord(); length !== 0; length = this.#findRecord()) {
			isPositionMet ||= this.#isAtPosition();
			this.#visit(length);
			this.#offset += length;
			isPositionMet ||= this.#isAtPosition();
			if (this.link !== undefined) break;
		}
		// The next record, which would tell what is lost, is in another segment or nowhere.
		this.#tellDamage(undefined);
		for (const [offset, records] of this.#unresolved) this.#tellUnresolved(offset, records);
		if (!isPositionMet && this.#delivered?.index === this.#reader.header.index) this.#tellPosition(this.#delivered);
	}

	/** Length of the record at the offset, moved over what is none; 0 at the end. */
	#findRecord(): number {
		const reader = this.#reader;
		let length = reader.recordAt(this.#offset);
		if (length !== 0) return length;
		const found = this.#searchBehind();
		// The chunk may be older than the commit, or have been read in the middle of it.
		reader.look(this.#offset);
		length = reader.recordAt(this.#offset);
		if (length !== 0) return length;
		const isEnd = reader.lengthAt(this.#offset) === 0;
		if (found === undefined && isEnd) return 0;
		this.#tellDamage(undefined);
		const end = found ?? this.#offset;
		this.#damage = { offset: this.#offset, bytes: end - this.#offset };
		if (found === undefined) return 0;
		this.#offset = found;
		return reader.recordAt(found);
	}

	#searchBehind(): number | undefined {
		this.#reader.look(this.#offset);
		return this.#reader.search(this.#offset);
	}

	#visit(length: number): void {
		const { chunk, words } = this.#reader;
		const at = this.#reader.inChunk(this.#offset);
		const kind = chunk[at + recordHeader.kind] as number;
		const first = words[(at + recordHeader.definition) >>> 2] as number;
		const second = words[(at + recordHeader.callSite) >>> 2] as number;
		if (kind === recordKinds.log) this.#visitLog(at, first, second);
		else if (kind === recordKinds.loggerDefinition) this.#visitLoggerDefinition(at);
		else if (kind === recordKinds.callSite) this.#definitions[recordKinds.callSite].add(this.#offset);
		else if (kind === recordKinds.end) this.link = { place: first, index: second };
		else this.#tellRecord(this.#offset, length, `a record of kind ${kind}, which does not exist`, undefined);
	}

	#visitLog(at: number, definition: number, callSite: number): void {
		const { words } = this.#reader;
		const sequence = words[(at + recordHeader.sequence) >>> 2] as number;
		const number = words[(at + recordHeader.number) >>> 2] as number;
		const missing = this.#sequence === undefined ? undefined : (sequence - this.#sequence - 1) | 0;
		if (this.#damage !== undefined) this.#tellDamage(missing);
		else if (missing !== undefined && missing !== 0) this.#tellGap(missing, sequence);
		if (this.#number !== undefined && ((number - this.#number) | 0) <= 0) this.#tellOrder(number, this.#number);
		this.#sequence = sequence;
		this.#number = number;
		this.records += 1;
		if (!this.#definitions[recordKinds.loggerDefinition].has(definition)) this.#noteUnresolved(definition);
		if (callSite !== 0 && !this.#definitions[recordKinds.callSite].has(callSite)) this.#noteUnresolved(callSite);
	}

	#visitLoggerDefinition(at: number): void {
		const { chunk } = this.#reader;
		const start = at + recordHeaderBytes;
		const end = start + chunk.readUInt32LE(at + recordHeader.messageBytes);
		const { output } = parseDefinition(chunk.toString("utf8", start, end));
		this.#definitions[recordKinds.loggerDefinition].add(this.#offset);
		if (isAbsolute(output) && !output.includes("\0")) return;
		this.#tell("definition", this.#offset, {
			what: `a logger definition names ${JSON.stringify(output)} as its output, which is no absolute path`,
			meaning: "The logman can't write the records that refer to it: they go to quarantine/ as text.",
			remedy: "Find the program that wrote it; a Pylog logger never does. The text is not lost.",
		});
	}

	#noteUnresolved(offset: number): void {
		this.#unresolved.set(offset, (this.#unresolved.get(offset) ?? 0) + 1);
	}

	/** Whether the offset is where the delivered records of the lane end. */
	#isAtPosition(): boolean {
		return this.#delivered?.index === this.#reader.header.index && this.#delivered.offset === this.#offset;
	}

	#isDelivered(offset: number): boolean {
		const { index } = this.#reader.header;
		const end = this.#delivered;
		return end !== undefined && (index < end.index || (index === end.index && offset < end.offset));
	}

	/** Tells of the bytes passed over, if there are any. @param missing Records that are missing behind them. */
	#tellDamage(missing: number | undefined): void {
		const damage = this.#damage;
		this.#damage = undefined;
		if (damage === undefined) return;
		// What follows can't be compared with what was before.
		if (missing === undefined) this.#sequence = undefined;
		const what = damage.bytes === 0 ? "bytes up to the end of the file are" : `${damage.bytes} bytes are`;
		this.#tellRecord(damage.offset, damage.bytes, `${what} no valid record`, missing);
	}

	#tellRecord(offset: number, bytes: number, what: string, missing: number | undefined): void {
		const isCounted = missing !== undefined && missing >= 0;
		const lost = isCounted ? `${counted(missing)} lost.` : "Which records stood there can't be told; they are lost.";
		const isWritten = this.#isDelivered(offset);
		const copy = `dd if='${this.#reader.path}' bs=1 skip=${offset}${bytes > 0 ? ` count=${bytes}` : ""}`;
		this.#tell("record", offset, {
			what,
			meaning: isWritten
				? "The lines are in their files already: nothing is lost."
				: `${lost} The logman keeps the bytes in quarantine/ and goes on behind them.`,
			remedy: isWritten
				? "None is needed; look after the disk."
				: `Look after the disk and its file system. To keep the bytes: ${copy}`,
		});
	}

	#tellGap(missing: number, sequence: number): void {
		const isBackwards = missing < 0;
		this.#tell("gap", this.#offset, {
			what: isBackwards
				? `record ${sequence >>> 0} stands where a later one should`
				: `${counted(missing)} missing before record ${sequence >>> 0}`,
			meaning: this.#isDelivered(this.#offset)
				? "What is here is in its file already; the logman has told of the gap in pylog_error.log."
				: "They are not in the segments any more. The logman goes on and tells of the gap in pylog_error.log.",
			remedy: "Look for another program that writes in the cache directory, and after the disk.",
		});
	}

	#tellOrder(number: number, before: number): void {
		this.#tell("order", this.#offset, {
			what: `queue number ${number >>> 0} follows ${before >>> 0}`,
			meaning: "The line may stand in the wrong place of its file; nothing is lost.",
			remedy: "Was the control file replaced while processes logged? Restart those processes.",
		});
	}

	#tellUnresolved(offset: number, records: number): void {
		this.#tell("definition", offset, {
			what: "records refer to a definition here, and there is none",
			meaning: `${counted(records)} concerned. Without the definition of their logger they go to quarantine/ as text, without that of their call site they lack it.`,
			remedy: "Look after the disk and its file system. The text is not lost.",
		});
	}

	#tellPosition({ offset }: ChainPosition): void {
		// Damage explains it: the reader passed over it in its own way.
		if (this.problems.length > 0) return;
		this.#tell("position", offset, {
			what: "the checkpoint says that records are delivered up to here, where no record ends",
			meaning: "Segment and checkpoint are of different times: lines may be missing in their files, or come twice.",
			remedy: "Was the cache directory restored from a copy? Let the logman drain it, and compare.",
		});
	}

	#tell(kind: SpoolProblem["kind"], offset: number, texts: Pick<SpoolProblem, "what" | "meaning" | "remedy">): void {
		this.problems.push({ kind, path: this.#reader.path, offset, ...texts });
	}
}

function counted(records: number): string {
	if (records === 0) return "No log record is";
	return records === 1 ? "1 record is" : `${records} records are`;
}

/**
 * A producer: one thread of one process that logs. It owns a folder in the spool, a slot in the control file, and a
 * chain of segments per lane; nobody else ever writes to those segments.
 *
 * One append, in this order; the reader's side of the protocol is in `horizon.ts`:
 *   1. the record is laid out behind the last committed one, but for its number;
 *   2. slot ← a lower bound of the number, the counter as it reads now;
 *   3. number ← counter, counter + 1 (atomic over all processes);
 *   4. number and checksum are stored, then the length word: now the record is committed;
 *   5. the count of records appended is stored, then slot ← 0.
 * A death anywhere leaves at most an uncommitted tail. Between 2 and 5 nothing is called that could wait or throw.
 */

import { randomBytes } from "node:crypto";
import { threadId } from "node:worker_threads";
import { removeTree, writeWhole } from "../platform/durable-file.ts";
import type { FileLock } from "../platform/file-lock.ts";
import { PylogError, systemCode } from "../shared/errors.ts";
import { hasStack } from "../platform/stack.ts";
import { localOffsetMinutes } from "../shared/local-offset.ts";
import { type LaneIndex, lanes } from "../shared/lane.ts";
import { ControlFile } from "./control-file.ts";
import { controlWords, slotCount, slotWords } from "./control-layout.ts";
import { cutEntry } from "./cut-entry.ts";
import type { Definition } from "./definition.ts";
import { DropLedger, type DropReason, dropNotice } from "./drop-ledger.ts";
import { aliveFile, producerDirectory } from "./paths.ts";
import { claimFolder, claimSlot } from "./producer-claim.ts";
import {
	bodyChecksum,
	maxPartBytes,
	recordBytes,
	recordHeader,
	recordHeaderBytes,
	recordKinds,
} from "./record-codec.ts";
import type { Segment } from "./segment.ts";
import { firstSegmentBytes, maxSegmentBytes, SegmentChain } from "./segment-chain.ts";
import { define, writeEnd } from "./unnumbered-record.ts";

export interface ProducerOptions {
	/** Absolute path of the cache directory. */
	readonly cacheDir: string;
	/** Disk that all segments of the spool may take together, in bytes. @default 1 GiB */
	readonly maxSpoolBytes?: number;
	/**
	 * Sizes of segments, multiples of 4096: of a lane's first one, and the one up to which they grow. Only tests set them.
	 * @default [firstSegmentBytes, maxSegmentBytes]
	 */
	readonly segmentBytes?: readonly [first: number, most: number];
}

/** What one call logs, as the spool keeps it. Absent texts are "". */
export interface Entry {
	readonly level: number;
	/** Wall clock, milliseconds since the Unix epoch; 0 stands for now. */
	readonly timeMs: number;
	/** Bits of `recordFlags`. */
	readonly flags: number;
	readonly definition: Definition;
	readonly callSite: Definition | undefined;
	readonly message: string;
	/** Members of a JSON object, without braces. */
	readonly fields: string;
	/** An `ErrorRecord` as JSON. */
	readonly error: string;
}

export const defaultMaxSpoolBytes: number = 1024 * 1024 * 1024;

/** Most bytes one UTF-16 unit takes in UTF-8. */
const maxBytesPerUnit = 3;
/** So many units are within the limit of a record's parts, whatever they are. */
const maxUncutUnits: number = Math.floor(maxPartBytes / maxBytesPerUnit);

/** How soon segments are made ready after a new one was begun, and how often surplus ones are looked at. */
const prepareDelayMs = 1;
const trimIntervalMs = 100;

export class Producer {
	readonly control: ControlFile;
	/** This producer's number; also the name of its folder. */
	readonly number: number;
	readonly #alive: FileLock;
	readonly #slotWord: number;
	readonly #chains: readonly [SegmentChain, SegmentChain];
	/** Records appended, by lane. */
	readonly #appended: [number, number] = [0, 0];
	readonly #drops = new DropLedger();
	readonly #directory: string;
	#closed = false;
	#maintenance: NodeJS.Timeout | undefined;

	private constructor(control: ControlFile, number: number, alive: FileLock, slot: number, options: ProducerOptions) {
		this.control = control;
		this.number = number;
		this.#alive = alive;
		this.#slotWord = control.slotWord(slot);
		this.#directory = producerDirectory(control.paths, number);
		const nonce = randomBytes(4).readUInt32LE();
		const owner = {
			control,
			directory: this.#directory,
			producer: number,
			nonce,
			slotWord: this.#slotWord,
			maxSpoolBytes: options.maxSpoolBytes ?? defaultMaxSpoolBytes,
			segmentBytes: options.segmentBytes ?? ([firstSegmentBytes, maxSegmentBytes] as const),
		};
		this.#chains = [new SegmentChain("priority", owner), new SegmentChain("normal", owner)];
	}

	/**
	 * Becomes a producer of the spool at `cacheDir`. Blocks for some file system calls.
	 *
	 * @throws PylogError as `ControlFile.open`, and PYLOG_SLOTS_EXHAUSTED when 4,096 producers live.
	 */
	static open(options: ProducerOptions): Producer {
		const control = ControlFile.open(options.cacheDir);
		try {
			return Producer.#claim(control, options);
		} catch (error) {
			control.close();
			throw error;
		}
	}

	static #claim(control: ControlFile, options: ProducerOptions): Producer {
		const { number, alive } = claimFolder(control);
		const slot = claimSlot(control, number);
		if (slot === undefined) {
			alive.release();
			removeTree("producer.give-up", producerDirectory(control.paths, number));
			throw new PylogError(
				"PYLOG_SLOTS_EXHAUSTED",
				`All ${slotCount} producer slots of ${options.cacheDir} are taken by living processes or threads. ` +
					"End some, or give groups of processes cache directories of their own.",
				{ details: { slotCount, cacheDir: options.cacheDir } },
			);
		}
		writeWhole("producer.say", alive.fd, Buffer.from(`slot ${slot}\npid ${process.pid}\nthread ${threadId}\n`));
		const producer = new Producer(control, number, alive, slot, options);
		control.add("producersOpened", 1);
		return producer;
	}

	get isClosed(): boolean {
		return this.#closed;
	}

	/** Whether the spool is still where it was: nobody removed or moved the cache directory. Two system calls. */
	get isInPlace(): boolean {
		return this.#closed || this.#alive.isInPlace(aliveFile(this.#directory));
	}

	/** Records appended so far, both lanes. */
	get appended(): number {
		return this.#appended[0] + this.#appended[1];
	}

	/** Records dropped so far. */
	get dropped(): number {
		return this.#drops.total;
	}

	/**
	 * Appends a record. On return it survives the death of this process. Blocks for about a microsecond; where a new
	 * segment is due, for some file system calls. Never throws for a full spool or a closed lane: the record is dropped,
	 * counted, and told of by a line once there is room again.
	 *
	 * @param lane 0 priority, 1 normal.
	 * @returns whether the record was taken.
	 */
	append(lane: LaneIndex, entry: Entry): boolean {
		if (this.#closed) return false;
		const closedLanes = this.control.mapping.words[controlWords.closedLanes] as number;
		if (closedLanes !== 0 && (closedLanes & (1 << lane)) !== 0) {
			return this.#drop(lane, entry.definition, "the lane was closed");
		}
		const isTaken = this.#tellDropsBefore(lane, entry) && this.#write(lane, entry, false);
		return isTaken || this.#drop(lane, entry.definition, "the spool is full");
	}

	/** As {@link append}, for a caller who keeps what is not taken or tells of it: nothing is counted as dropped. */
	offer(lane: LaneIndex, entry: Entry): boolean {
		if (this.#closed || this.control.isClosed(lanes[lane])) return false;
		return this.#tellDropsBefore(lane, entry) && this.#write(lane, entry, false);
	}

	/** Records appended so far, by lane: a goal for {@link Producer.hasReached}. */
	counts(): readonly [number, number] {
		return [...this.#appended];
	}

	/** Whether records up to `goal` have their lines in their files (`written`), or also on disk (`durable`). */
	hasReached(state: "written" | "durable", goal: readonly [number, number] = this.#appended): boolean {
		if (this.#closed) return true;
		const words = this.control.mapping.words;
		const word = this.#slotWord + slotWords[state];
		return goal.every((count, lane) => ((Atomics.load(words, word + lane) - count) | 0) >= 0);
	}

	/** Leaves the spool: what was appended stays for the logman, mappings and descriptors are given back. Idempotent. */
	close(): void {
		if (this.#closed) return;
		if (this.#drops.isPending) this.#tellDrops(true);
		this.#closed = true;
		clearTimeout(this.#maintenance);
		for (const chain of this.#chains) chain.release();
		this.control.doorbell.ring();
		this.#alive.release();
		this.control.close();
	}

	#write(lane: LaneIndex, entry: Entry, force: boolean): boolean {
		const { definition, callSite, message, fields, error } = entry;
		const units = message.length + fields.length + error.length;
		const segment = this.#chains[lane].current;
		if (
			segment !== undefined &&
			units <= maxUncutUnits &&
			segment.hasRoom(recordHeaderBytes + units * maxBytesPerUnit + 8) &&
			definition.segment[lane] === segment.serial &&
			(callSite === undefined || callSite.segment[lane] === segment.serial)
		) {
			this.#commit(lane, segment, entry);
			return true;
		}
		// A call on the last bytes of the stack must not end half way through what follows.
		if (!hasStack()) return false;
		const cut = cutEntry(entry);
		const ready = this.#makeReady(lane, cut, force);
		if (ready === undefined) return false;
		this.#commit(lane, ready, cut);
		return true;
	}

	/** The hot path: lays the record out and commits it. There is room, and the definitions are in the segment. */
	#commit(lane: LaneIndex, segment: Segment, entry: Entry): void {
		const { bytes, words, doubles } = segment.mapping;
		const at = segment.offset;
		const word = at >>> 2;
		const timeMs = entry.timeMs || Date.now();
		let end = at + recordHeaderBytes;
		const messageBytes = bytes.utf8Write(entry.message, end);
		end += messageBytes;
		const fieldsBytes = entry.fields === "" ? 0 : bytes.utf8Write(entry.fields, end);
		end += fieldsBytes;
		const errorBytes = entry.error === "" ? 0 : bytes.utf8Write(entry.error, end);
		end += errorBytes;
		while ((end & 7) !== 0) bytes[end++] = 0;
		words[end >>> 2] = 0;
		const sequence = (this.#appended[lane] + 1) | 0;
		words[word + 3] = sequence;
		doubles[(at + recordHeader.timeMs) >>> 3] = timeMs;
		const meta = recordKinds.log | (entry.level << 8) | (entry.flags << 16) | (utcOffsetQuarters(timeMs) << 24);
		words[word + 6] = meta;
		words[word + 7] = entry.definition.offset[lane];
		words[word + 8] = entry.callSite === undefined ? 0 : entry.callSite.offset[lane];
		words[word + 9] = messageBytes;
		words[word + 10] = fieldsBytes;
		words[word + 11] = errorBytes;
		const length = end - at;
		const body = bodyChecksum(words, word, length, segment.seed);
		const control = this.control.mapping.words;
		const slot = this.#slotWord;

		// A bound of 0 would read as "no append": one below it is a lower bound as well.
		Atomics.store(control, slot + slotWords.bound, Atomics.load(control, controlWords.nextNumber) || -1);
		const number = Atomics.add(control, controlWords.nextNumber, 1);
		words[word + 2] = number;
		// As `finishChecksum`, written out: a call could overflow the stack, and the bound would stand.
		let sum = Math.imul(body ^ number, 0x9e3779b1);
		sum = Math.imul(sum ^ (sum >>> 15) ^ length, 0x85ebca6b);
		words[word + 1] = sum ^ (sum >>> 13);
		Atomics.store(words, word, length);
		// Before the bound goes: a reader whom the bound does not hold up must see that there is something to read.
		Atomics.store(control, slot + slotWords.appended + lane, sequence);
		Atomics.store(control, slot + slotWords.bound, 0);

		segment.offset = end;
		this.#appended[lane] = sequence;
		if (Atomics.load(control, controlWords.sleeping) !== 0) this.control.doorbell.ring();
	}

	/**
	 * The path off the hot one: finds or makes a segment with room and writes missing definitions. `undefined` when the
	 * spool is full, or the outside world (descriptors at their limit, a folder removed) allows no further segment.
	 */
	#makeReady(lane: LaneIndex, entry: Entry, force: boolean): Segment | undefined {
		const { definition, callSite, message, fields, error } = entry;
		const chain = this.#chains[lane];
		const needed =
			recordBytes(Buffer.byteLength(message) + Buffer.byteLength(fields) + Buffer.byteLength(error)) +
			recordBytes(Buffer.byteLength(definition.text)) +
			recordBytes(callSite === undefined ? 0 : Buffer.byteLength(callSite.text));
		try {
			if (chain.current === undefined || !chain.current.hasRoom(needed)) this.#roll(chain, needed, force);
		} catch (cause) {
			if (cause instanceof PylogError || systemCode(cause) !== undefined) return undefined;
			throw cause;
		}
		const segment = chain.current as Segment;
		if (definition.segment[lane] !== segment.serial) define(segment, lane, definition);
		if (callSite !== undefined && callSite.segment[lane] !== segment.serial) define(segment, lane, callSite);
		return segment;
	}

	#roll(chain: SegmentChain, needed: number, force: boolean): void {
		const current = chain.current;
		const next = chain.next(needed, force);
		if (current !== undefined) {
			writeEnd(current, next);
			this.#maintainSoon(prepareDelayMs);
		}
		chain.advance(next);
	}

	/** Makes the next segments ready and gives back surplus ones, outside of any logging call. */
	#maintainSoon(delayMs: number): void {
		if (this.#maintenance !== undefined) return;
		this.#maintenance = setTimeout(() => {
			this.#maintenance = undefined;
			if (this.#closed) return;
			for (const chain of this.#chains) chain.maintain();
			const told = !this.#drops.isPending || this.#tellDrops(false);
			if (!told || this.#chains.some((chain) => chain.hasSurplus)) this.#maintainSoon(trimIntervalMs);
		}, delayMs);
		this.#maintenance.unref();
	}

	#drop(lane: LaneIndex, definition: Definition, reason: DropReason): false {
		this.#drops.add(lane, definition, reason);
		Atomics.store(this.control.mapping.words, this.#slotWord + slotWords.dropped, this.#drops.total | 0);
		this.#maintainSoon(trimIntervalMs);
		return false;
	}

	/**
	 * Tells of what was dropped in the lane, if anything was, before a record that is taken again. `false` when there is
	 * no room for that record: a line about drops, which is short, may still find some, and would come for each of many.
	 */
	#tellDropsBefore(lane: LaneIndex, entry: Entry): boolean {
		if (!this.#drops.isPendingIn(lane)) return true;
		if (this.#makeReady(lane, cutEntry(entry), false) === undefined) return false;
		this.#tellDrops(false, lane);
		return true;
	}

	/** Tells of dropped records by a line in each log where they are missing. `false` while some must wait for that. */
	#tellDrops(force: boolean, only?: LaneIndex): boolean {
		const all = this.#drops.tell((drop) => {
			const isOpen = !this.control.isClosed(lanes[drop.lane]) && (only === undefined || drop.lane === only);
			return isOpen && this.#write(drop.lane, dropNotice(drop, this.number), force);
		});
		Atomics.store(this.control.mapping.words, this.#slotWord + slotWords.dropsTold, this.#drops.told | 0);
		return all;
	}
}

function utcOffsetQuarters(nowMs: number): number {
	return Math.round(localOffsetMinutes(nowMs) / 15) & 0xff;
}

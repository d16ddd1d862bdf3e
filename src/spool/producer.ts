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
 * A death anywhere leaves at most an uncommitted tail. Once the bound stands, nothing is called that could wait or throw.
 * Why two of the stores need not be atomic: docs/adr/0007.
 */

import type { FileLock } from "../platform/file-lock.ts";
import { hasStack } from "../platform/stack.ts";
import { announceStore } from "../platform/step.ts";
import { PylogError, systemCode } from "../shared/errors.ts";
import { type LaneIndex, lanes } from "../shared/lane.ts";
import { randomWord } from "../shared/random-word.ts";
import { ControlFile } from "./control-file.ts";
import { controlWords, slotCount, slotWords } from "./control-layout.ts";
import { cutEntry } from "./cut-entry.ts";
import { Draft, giveBackDraft, takeDraft } from "./draft.ts";
import { type Drop, DropLedger, type DropReason, dropNotice } from "./drop-ledger.ts";
import { type Entry, entryBytes } from "./entry.ts";
import { dropNew, type FullPolicy } from "./full-policy.ts";
import { aliveFile, producerDirectory } from "./paths.ts";
import { claimFolder, claimSlot, giveUpFolder, sayWho } from "./producer-claim.ts";
import { defaultMaxSpoolBytes, type ProducerOptions } from "./producer-options.ts";
import { maxPartBytes, recordBytes } from "./record-codec.ts";
import { layOut } from "./record-layout.ts";
import type { Segment } from "./segment.ts";
import { SegmentChain } from "./segment-chain.ts";
import { SpoolRoom } from "./spool-room.ts";
import { define, writeEnd } from "./unnumbered-record.ts";
import { Upkeep } from "./upkeep.ts";
import { waitFor } from "./wait-for.ts";

export type { Entry } from "./entry.ts";
export { defaultMaxSpoolBytes, type ProducerOptions } from "./producer-options.ts";

/** Attempts to become a producer of a spool that others remove meanwhile. */
const maxClaims = 10;
/** How soon segments are made ready after a new one was begun, and how often surplus ones are looked at. */
const prepareDelayMs = 1;
const trimIntervalMs = 100;

/** Whether the processor shows stores to others in the order of the program. */
const keepsStoreOrder: boolean = process.arch === "x64";

export class Producer {
	readonly control: ControlFile;
	/** This producer's number; also the name of its folder. */
	readonly number: number;
	readonly #alive: FileLock;
	readonly #slotWord: number;
	readonly #room: SpoolRoom;
	readonly #chains: readonly [SegmentChain, SegmentChain];
	readonly #maxWaitMs: () => number;
	/** Records appended, by lane. */
	readonly #appended: [number, number] = [0, 0];
	readonly #drops = new DropLedger();
	/** Gives back what both lanes hold free. */
	readonly #giveBack = (): void => this.#chains.forEach((chain) => chain.giveBack());
	/**
	 * Whether a policy drops what is below its level. What this producer holds free must not count as taken; nor does what
	 * the lanes of all hold while no line waits, for nobody would ever give that back.
	 */
	readonly #isScarce = ({ share }: FullPolicy): boolean =>
		this.#room.isScarce(share, this.#giveBack) && !this.#room.isDrained;
	readonly #directory: string;
	readonly #upkeep: Upkeep;
	/** Records appended when it was last looked whether the producer rests. */
	#appendedBefore = 0;
	#hadStack = true;
	#closed = false;

	private constructor(control: ControlFile, number: number, alive: FileLock, slot: number, options: ProducerOptions) {
		this.control = control;
		this.number = number;
		this.#alive = alive;
		this.#slotWord = control.slotWord(slot);
		this.#directory = producerDirectory(control.paths, number);
		const nonce = randomWord();
		const room = new SpoolRoom(control, this.#directory, options.maxSpoolBytes ?? defaultMaxSpoolBytes);
		const place = { directory: this.#directory, slotWord: this.#slotWord, segmentBytes: options.segmentBytes };
		const owner = { control, room, producer: number, nonce, ...place };
		this.#room = room;
		this.#chains = [new SegmentChain("priority", owner), new SegmentChain("normal", owner)];
		this.#maxWaitMs = options.maxWaitMs ?? (() => Number.POSITIVE_INFINITY);
		this.#upkeep = new Upkeep(
			() => this.#maintain(),
			() => this.#hasRested(),
		);
	}

	/**
	 * Becomes a producer of the spool at `cacheDir`. Blocks for some file system calls.
	 *
	 * @throws PylogError as `ControlFile.open`, and PYLOG_SLOTS_EXHAUSTED when 4,096 producers live.
	 */
	static open(options: ProducerOptions): Producer {
		for (let attempt = 1; ; attempt++) {
			const control = ControlFile.open(options.cacheDir);
			try {
				const producer = Producer.#claim(control, options);
				if (producer !== undefined) return producer;
			} catch (error) {
				control.close();
				// A folder that was still being made, and was taken for a dead producer's: this process was stopped for long.
				if (systemCode(error) !== "ENOENT" || attempt === maxClaims) throw error;
			}
		}
	}

	/** `undefined` when the cache directory was removed meanwhile, and perhaps made again by others. */
	static #claim(control: ControlFile, options: ProducerOptions): Producer | undefined {
		const { number, alive } = claimFolder(control);
		// Else the folder would be in one spool and the slot in another one.
		const { isInPlace } = control;
		const slot = isInPlace ? claimSlot(control, number) : undefined;
		if (slot === undefined) {
			giveUpFolder(control, number, alive);
			if (!isInPlace) {
				control.close();
				return undefined;
			}
			throw new PylogError(
				"PYLOG_SLOTS_EXHAUSTED",
				`All ${slotCount} producer slots of ${options.cacheDir} are taken by living processes or threads. ` +
					"End some, or give groups of processes cache directories of their own.",
				{ details: { slotCount, cacheDir: options.cacheDir } },
			);
		}
		sayWho(alive, slot);
		const producer = new Producer(control, number, alive, slot, options);
		announceStore("producer.announce");
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
	 * segment is due, for some file system calls; where there is no room, as long as `whenFull` says. Never throws for a
	 * full spool or a closed lane: the record is dropped, counted, and told of by a line once there is room again.
	 *
	 * @param lane 0 priority, 1 normal.
	 * @param record A draft stays the caller's.
	 * @returns whether the record was taken.
	 */
	append(lane: LaneIndex, record: Draft | Entry, whenFull: FullPolicy = dropNew): boolean {
		if (this.#closed) return false;
		const closedLanes = this.control.mapping.words[controlWords.closedLanes] as number;
		if (closedLanes !== 0 && (closedLanes & (1 << lane)) !== 0) {
			return this.#drop(lane, record, "the lane was closed", dropNew);
		}
		if (record.level < whenFull.below && this.#isScarce(whenFull)) {
			return this.#drop(lane, record, "the spool is nearly full", whenFull);
		}
		let entry: Entry;
		if (record instanceof Draft) {
			const isCut = record.end > maxPartBytes;
			if (!isCut && !this.#drops.isPending && this.#tryToCommit(lane, record, false)) return true;
			// A spool that is full makes every call ask: then nothing is made of what is lost.
			if (!isCut && whenFull.deadlineMs === 0 && this.#hadStack && this.#isKnownFull(lane, record.neededBytes)) {
				return this.#drop(lane, record, "the spool is full", whenFull);
			}
			entry = record.toEntry();
		} else {
			entry = record;
		}
		return this.#tryToAppend(lane, entry) || this.#refuse(lane, entry, whenFull);
	}

	/** As {@link append}, for a caller who keeps what is not taken or tells of it: nothing is counted as dropped. */
	offer(lane: LaneIndex, entry: Entry): boolean {
		if (this.#closed || this.control.isClosed(lanes[lane])) return false;
		return this.#tryToAppend(lane, entry);
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
		this.#upkeep.stop();
		for (const chain of this.#chains) chain.release();
		this.control.doorbell.ring();
		this.#alive.release();
		this.control.close();
	}

	#tryToAppend(lane: LaneIndex, entry: Entry): boolean {
		return this.#tellDropsBefore(lane, entry) && this.#write(lane, entry, false);
	}

	/** There was no room: waits for it if the policy says so, and drops the record at last. */
	#refuse(lane: LaneIndex, entry: Entry, whenFull: FullPolicy): boolean {
		if (!this.#hadStack) {
			this.#hadStack = true;
			return this.#drop(lane, entry, "the stack had no room for the call", dropNew);
		}
		if (whenFull.deadlineMs > 0 && this.#chains[lane].canEverHold(entryBytes(cutEntry(entry)))) {
			const isClosed = (): boolean => this.control.isClosed(lanes[lane]);
			const tryAgain = (): boolean => {
				this.control.doorbell.ring();
				return isClosed() || this.#tryToAppend(lane, entry);
			};
			const isOver = waitFor(tryAgain, whenFull.deadlineMs, this.#maxWaitMs);
			if (isOver && !isClosed()) return true;
			if (isOver) return this.#drop(lane, entry, "the lane was closed", dropNew);
		}
		return this.#drop(lane, entry, "the spool is full", whenFull);
	}

	#write(lane: LaneIndex, entry: Entry, force: boolean): boolean {
		const draft = takeDraft();
		try {
			draft.takeOver(cutEntry(entry));
			return this.#tryToCommit(lane, draft, force);
		} finally {
			giveBackDraft(draft);
		}
	}

	#tryToCommit(lane: LaneIndex, draft: Draft, force: boolean): boolean {
		const { definition, callSite } = draft;
		const segment = this.#chains[lane].current;
		if (
			segment !== undefined &&
			segment.hasRoom(recordBytes(draft.end)) &&
			definition.segment[lane] === segment.serial &&
			(callSite === undefined || callSite.segment[lane] === segment.serial)
		) {
			this.#commit(lane, segment, draft);
			return true;
		}
		const { neededBytes } = draft;
		if (!force && this.#isKnownFull(lane, neededBytes)) return false;
		// A call on the last bytes of the stack must not end half way through what follows.
		if (!(this.#hadStack = hasStack())) return false;
		const ready = this.#makeReady(lane, draft, neededBytes, force);
		if (ready === undefined) return false;
		this.#commit(lane, ready, draft);
		return true;
	}

	/** The hot path: lays the record out and commits it. There is room, and the definitions are in the segment. */
	#commit(lane: LaneIndex, segment: Segment, draft: Draft): void {
		const { words } = segment.mapping;
		const word = segment.offset >>> 2;
		const length = recordBytes(draft.end);
		const sequence = (this.#appended[lane] + 1) | 0;
		const body = layOut(segment, lane, draft, sequence);
		const control = this.control.mapping.words;
		const slot = this.#slotWord;

		// A bound of 0 would read as "no append": one below it is a lower bound as well. An ordinary store: the addition
		// that follows makes it seen by all who see the number taken, and a locked store costs 10 ns.
		announceStore("append.bound");
		control[slot + slotWords.bound] = Atomics.load(control, controlWords.nextNumber) || -1;
		// step: append.number
		const number = Atomics.add(control, controlWords.nextNumber, 1);
		words[word + 2] = number;
		// As `finishChecksum`, written out: a call could overflow the stack, and the bound would stand.
		let sum = Math.imul(body ^ number, 0x9e3779b1);
		sum = Math.imul(sum ^ (sum >>> 15) ^ length, 0x85ebca6b);
		words[word + 1] = sum ^ (sum >>> 13);
		// step: append.commit
		Atomics.store(words, word, length);
		// Before the bound goes: a reader whom the bound does not hold up must see that there is something to read. And
		// behind the commit: who sees the count must find the record.
		// step: append.count
		if (keepsStoreOrder) control[slot + slotWords.appended + lane] = sequence;
		else Atomics.store(control, slot + slotWords.appended + lane, sequence);
		// step: append.clear
		Atomics.store(control, slot + slotWords.bound, 0);

		segment.offset += length;
		this.#appended[lane] = sequence;
		if (Atomics.load(control, controlWords.sleeping) !== 0) this.control.doorbell.ring();
	}

	/** The path off the hot one: finds or makes a segment with room and writes missing definitions. */
	#makeReady(lane: LaneIndex, record: Draft | Entry, needed: number, force: boolean): Segment | undefined {
		const { definition, callSite } = record;
		const chain = this.#chains[lane];
		const hasRoom = chain.current?.hasRoom(needed) === true || this.#roll(lane, needed, force);
		if (!hasRoom) return undefined;
		const segment = chain.current as Segment;
		if (definition.segment[lane] !== segment.serial) define(segment, lane, definition);
		if (callSite !== undefined && callSite.segment[lane] !== segment.serial) define(segment, lane, callSite);
		return segment;
	}

	/** Whether there was no room just now: a spool that is full makes every call ask, and must not make it pay for it. */
	#isKnownFull(lane: LaneIndex, needed: number): boolean {
		const chain = this.#chains[lane];
		return chain.isRefusing && chain.refuses(needed);
	}

	#roll(lane: LaneIndex, needed: number, force: boolean): boolean {
		const chain = this.#chains[lane];
		const current = chain.current;
		let next = chain.next(needed, force);
		// What the other lane holds free is room as well.
		if (next === undefined && this.#chains[lane === 0 ? 1 : 0].giveBack()) next = chain.next(needed, force);
		if (next === undefined) return false;
		// What needs stack comes first: were the end written and the chain not advanced, no later call could write.
		if (current !== undefined) {
			this.#upkeep.soon(prepareDelayMs);
			writeEnd(current, next);
		}
		chain.advance(next);
		return true;
	}

	/** Makes the next segments ready, gives back surplus ones, and tells of drops: outside of any logging call. */
	#maintain(): void {
		for (const chain of this.#chains) chain.maintain();
		const isTold = !this.#drops.isPending || this.#tellDrops(false);
		if (!isTold || this.#chains.some((chain) => chain.hasSurplus)) this.#upkeep.soon(trimIntervalMs);
	}

	/** A producer that rests keeps no segment that another could need. */
	#hasRested(): boolean {
		const isAtRest = this.appended === this.#appendedBefore && !this.#drops.isPending;
		this.#appendedBefore = this.appended;
		if (isAtRest) this.#giveBack();
		return isAtRest && !this.#chains.some((chain) => chain.hasSpare);
	}

	#drop(lane: LaneIndex, record: Draft | Entry, reason: DropReason, whenFull: FullPolicy): false {
		this.#drops.add(lane, record, reason, whenFull, this.#chains[lane].refusedBecause);
		announceStore("producer.count-drop");
		Atomics.store(this.control.mapping.words, this.#slotWord + slotWords.dropped, this.#drops.total | 0);
		this.#upkeep.soon(trimIntervalMs);
		return false;
	}

	/**
	 * Tells of what was dropped in the lane, if anything was, before a record that is taken again. `false` when there is
	 * no room for that record: a line about drops, which is short, may still find some, and would come for each of many.
	 */
	#tellDropsBefore(lane: LaneIndex, entry: Entry): boolean {
		if (!this.#drops.isPending || !this.#drops.isDueIn(lane, this.#isScarce)) return true;
		const cut = cutEntry(entry);
		const needed = entryBytes(cut);
		if (this.#isKnownFull(lane, needed) || !(this.#hadStack = hasStack())) return false;
		if (this.#makeReady(lane, cut, needed, false) === undefined) return false;
		this.#tellDrops(false, lane);
		return true;
	}

	/** Tells of dropped records by a line in each log where they are missing. `false` while some must wait for that. */
	#tellDrops(force: boolean, only?: LaneIndex): boolean {
		const write = (drop: Drop): boolean => {
			const isOpen = !this.control.isClosed(lanes[drop.lane]) && (only === undefined || drop.lane === only);
			return isOpen && this.#write(drop.lane, dropNotice(drop, this.number), force);
		};
		const all = this.#drops.tell(force ? () => false : this.#isScarce, write);
		announceStore("producer.count-told");
		Atomics.store(this.control.mapping.words, this.#slotWord + slotWords.dropsTold, this.#drops.told | 0);
		return all;
	}
}

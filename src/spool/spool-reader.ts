/**
 * Reads the whole spool in its order: what waits in the priority lane first, then the normal lane, each by queue number
 * over all producers, and nothing beyond the horizon. Only the holder of the lease may deliver what it reads.
 *
 * The horizon is fixed until everything of the priority lane below it is read: a flood of priority records so delays
 * the normal lane, and does not starve it.
 */

import { type LaneIndex, lanes } from "../shared/lane.ts";
import { liftQueueNumber, type QueueNumber, queueNumber } from "../shared/numbers.ts";
import type { Damage } from "./chain-reader.ts";
import type { ChainState, Checkpoint } from "./checkpoint.ts";
import type { ControlFile } from "./control-file.ts";
import { Horizon } from "./horizon.ts";
import type { LogRecord } from "./log-record.ts";
import { Merge, type Source } from "./merge.ts";
import { producerNumbers } from "./numbering.ts";
import { ProducerReader, type UntoldDrops } from "./producer-reader.ts";
import type { Mutable } from "./read-record.ts";
import { ReservedSpace } from "./reserved-space.ts";
import { RetiredChains } from "./retired-chains.ts";
import { type GarbledWord, WordWatch } from "./word-watch.ts";

export interface SpoolReaderEvents {
	readonly onDamage: (damage: Damage) => void;
	/** `count` records of a producer's lane are missing before the record with this sequence. */
	readonly onGap: (gap: { producer: number; lane: string; count: number; sequence: number }) => void;
	/** A word of the control file was wrong, and is right again. */
	readonly onMended?: (what: string) => void;
	/** A shared word holds what nobody of ours writes. */
	readonly onGarbled?: (garbled: GarbledWord) => void;
	/** The slot of a producer shows what no append stores. It is passed over like one that is stopped. */
	readonly onSuspect?: (producer: number) => void;
}

/** Sequences of the last records delivered, by producer and lane. */
export type DeliveredCounts = readonly (readonly [producer: ProducerReader, sequences: readonly [number, number]])[];

/** What to do after a record: take it and go on, take it and stop, or stop before it. */
export type Visit = (record: LogRecord) => "on" | "last";

const livenessIntervalMs = 1000;
const noLimit = Number.MAX_SAFE_INTEGER as QueueNumber;

/** How a run of records of one chain has ended: another chain goes on, it has no more, or it was stopped (with its last one). */
type RunEnd = "on" | "end" | "last" | "last and end";

export class SpoolReader {
	readonly #control: ControlFile;
	readonly #events: SpoolReaderEvents;
	readonly #horizon: Horizon;
	readonly #reserved: ReservedSpace;
	readonly #watch: WordWatch;
	/**
	 * Below it every number is settled, whatever the counter says: where somebody has set that back, records that are
	 * committed have numbers above it.
	 */
	#floor = 0 as QueueNumber;
	readonly #producers = new Map<number, ProducerReader>();
	/** States of producers not met yet. */
	#states: readonly ChainState[];
	/** Whether there may be lanes that were read before and that the checkpoint does not name. */
	readonly #isUncertain: boolean;
	readonly #retired: RetiredChains;
	/** Highest number read, by lane. */
	readonly #highest: [number, number];
	/** The same, of what is delivered. */
	#delivered: readonly [number, number];
	/** While the next batch is read ahead: the same, of all batches before it. */
	#beforeAhead: readonly [number, number] | undefined;
	/** Lowest number that the last reading gave. */
	#lowestRead = Number.POSITIVE_INFINITY;
	/** The horizon, while priority records below it may wait. */
	#fixed: QueueNumber | undefined;
	#lastHorizon: QueueNumber;
	#discoveredAt: number | undefined;
	#hasDiscovered = false;
	#livenessAtMs = 0;

	/** @param isUncertain Whether the checkpoint may be older than what was delivered. */
	constructor(
		control: ControlFile,
		checkpoint: Checkpoint | undefined,
		events: SpoolReaderEvents,
		isUncertain: boolean = checkpoint === undefined,
	) {
		this.#isUncertain = isUncertain;
		this.#control = control;
		this.#events = events;
		this.#lastHorizon = queueNumber(checkpoint?.horizon ?? 0);
		if (this.#lastHorizon > 0) this.#settleBelow(this.#lastHorizon);
		if (control.recountSlots()) events.onMended?.("slots that have an owner were not looked at");
		this.#horizon = new Horizon(control, this.#lastHorizon, events.onSuspect);
		this.#reserved = new ReservedSpace(control);
		const onGarbled = (garbled: GarbledWord): void => events.onGarbled?.(garbled);
		this.#retired = new RetiredChains(control, onGarbled);
		this.#watch = new WordWatch(control, onGarbled);
		this.#states = checkpoint?.chains ?? [];
		this.#delivered = checkpoint?.delivered ?? [0, 0];
		this.#highest = [...this.#delivered];
	}

	/** The horizon of the last reading. */
	get horizon(): QueueNumber {
		return this.#lastHorizon;
	}

	/** Highest number delivered, by lane. */
	get delivered(): readonly [number, number] {
		return this.#delivered;
	}

	/** Whether some producer holds the horizon up: records may become readable without any new append. */
	get isHeldUp(): boolean {
		return this.#horizon.isHeldUp;
	}

	/** Whether a producer that was passed over has left its append since: its record came without a new number. */
	get hasLateNews(): boolean {
		return this.#horizon.isPassedGone;
	}

	get producers(): Iterable<ProducerReader> {
		return this.#producers.values();
	}

	/** How many producers live, not counting the one with this number. */
	countLiving(except?: number): number {
		let living = 0;
		for (const producer of this.#producers.values()) if (producer.isAlive && producer.number !== except) living += 1;
		return living;
	}

	/**
	 * Hands records to `visit` in order, until it says `"last"` or all below the horizon is read.
	 * Returns whether more may wait.
	 *
	 * @param stopAt Low bits of a number: nothing from there on is read.
	 */
	read(visit: Visit, stopAt?: number): boolean {
		const floor = this.#floor;
		this.#lowestRead = Number.POSITIVE_INFINITY;
		this.#lastHorizon = this.#fixed ?? this.#readHorizon();
		if (stopAt !== undefined) {
			const stop = liftQueueNumber(stopAt, this.#lastHorizon);
			if (stop > this.#lastHorizon) this.#settleBelow(stop);
			// Of records with numbers above a counter that was set back, nobody can say that they came later.
			this.#lastHorizon = Math.min(this.#lastHorizon, Math.max(stop, this.#floor)) as QueueNumber;
		}
		this.discover();
		this.#fixed = this.#lastHorizon;
		if (this.#readLane(0, this.#lastHorizon, visit) !== "end") return true;
		this.#fixed = undefined;
		return this.#readLane(1, this.#lastHorizon, visit) === "more" || this.#floor > floor;
	}

	/** Hands the records of one lane only to `visit`, as {@link read} does. */
	readOnly(lane: LaneIndex, visit: Visit): boolean {
		const floor = this.#floor;
		this.#lastHorizon = this.#readHorizon();
		this.discover();
		return this.#readLane(lane, this.#lastHorizon, visit) === "more" || this.#floor > floor;
	}

	/** Hands the records of a batch that was begun before to `visit`, as they were then. */
	replay(chains: readonly ChainState[], visit: Visit): void {
		this.discover();
		for (const producer of this.#producers.values()) {
			producer.chains.forEach((chain, lane) => {
				const state = chains.find((each) => each.producer === producer.number && each.lane === lane);
				chain.stopAt(state?.to ?? chain.position);
			});
		}
		for (const lane of [0, 1] as const) this.#readLane(lane, noLimit, visit);
		for (const producer of this.#producers.values()) for (const chain of producer.chains) chain.stopAt(undefined);
	}

	/** Hands everything that is committed to `look`, lane by lane, also beyond the horizon: to look, not to deliver. */
	scan(look: (record: LogRecord) => void): void {
		this.discover();
		const visit: Visit = (record) => {
			look(record);
			return "on";
		};
		for (const lane of [0, 1] as const) this.#readLane(lane, noLimit, visit);
	}

	/**
	 * What is read from now on is the batch behind the one that is being delivered: no state tells of it, and it is not
	 * delivered with that one. Until {@link takeAhead}.
	 */
	beginAhead(): void {
		for (const producer of this.#producers.values()) producer.endBatch();
		this.#beforeAhead = [...this.#highest];
	}

	/** What was read ahead is the batch that is to be delivered now. All before it is delivered. */
	takeAhead(): void {
		this.#beforeAhead = undefined;
	}

	/**
	 * Where all chains stand, for a checkpoint, up to the end of the batch that is to be delivered; also those whose folder
	 * is gone, while that is not on the disk.
	 */
	states(): readonly ChainState[] {
		const isAhead = this.#beforeAhead !== undefined;
		return [...[...this.#producers.values()].flatMap((producer) => producer.states(isAhead)), ...this.#retired.states];
	}

	/** Whether something was read, or passed over as no record, since the last delivery. */
	get hasMoved(): boolean {
		for (const producer of this.#producers.values()) if (producer.hasMoved(0) || producer.hasMoved(1)) return true;
		return false;
	}

	/** Notes that all that was read is delivered, but for what was read ahead. */
	markDelivered(): void {
		const isAhead = this.#beforeAhead !== undefined;
		for (const producer of this.#producers.values()) producer.markDelivered(isAhead);
		this.#delivered = this.#beforeAhead ?? [...this.#highest];
	}

	/** Tells producers what is written. Only after a checkpoint says so too. */
	publish(): void {
		this.#control.whileTelling(() => {
			for (const producer of this.#producers.values()) producer.publish();
		});
	}

	/** How many records of each producer are delivered, for {@link publishDurable}. */
	deliveredCounts(): DeliveredCounts {
		return [...this.#producers.values()].map((producer) => [producer, producer.deliveredCounts()]);
	}

	/** Tells producers that what was delivered then is on disk. Only after a checkpoint that says so is, too. */
	publishDurable(counts: DeliveredCounts): void {
		this.#control.whileTelling(() => {
			for (const [producer, delivered] of counts) producer.publishDurable(delivered);
		});
		this.#retired.forget();
	}

	/** Number below which every record is read, and not only ahead. */
	readBelow(): QueueNumber {
		let lowest = this.#lastHorizon;
		if (this.#beforeAhead !== undefined && this.#lowestRead < lowest) lowest = this.#lowestRead as QueueNumber;
		for (const producer of this.#producers.values()) {
			for (const lane of [0, 1] as const) {
				if (!producer.refresh(lane)) continue;
				const next = producer.chains[lane].peek(this.#lastHorizon);
				if (next !== undefined && next.queue < lowest) lowest = next.queue;
			}
		}
		return lowest;
	}

	/** Whether a lane holds nothing that is not delivered, below the horizon or above. */
	isEmpty(lane: LaneIndex): boolean {
		this.discover();
		for (const producer of this.#producers.values()) {
			producer.refresh(lane);
			if (producer.chains[lane].peek(this.#lastHorizon) !== undefined) return false;
		}
		return true;
	}

	/** Removes what finished producers left. Only after a checkpoint says that all of it is delivered. */
	retire(): readonly UntoldDrops[] {
		const drops: UntoldDrops[] = [];
		const before = this.#producers.size;
		for (const producer of this.#producers.values()) {
			if (!producer.isFinished) continue;
			for (const lane of [0, 1] as const) this.#tellLostTail(producer, lane);
			this.#retired.add(producer.states(false));
			const untold = producer.retire();
			// Only now: as long as its folder is there, the checkpoint has to say that it is delivered.
			this.#producers.delete(producer.number);
			// Should its number be given once more, it is another's.
			this.#states = this.#states.filter((state) => state.producer !== producer.number);
			if (untold.count > 0) drops.push(untold);
		}
		this.#retired.settle(this.#producers.size < before && this.#producers.size === 0);
		return drops;
	}

	/** Looks for dead producers, and now and then for what they left counted: once a second at most, or now. */
	checkLiveness(now = false): void {
		const nowMs = performance.now();
		if (!now && nowMs - this.#livenessAtMs < livenessIntervalMs) return;
		this.#livenessAtMs = nowMs;
		for (const producer of this.#producers.values()) {
			producer.checkAlive();
			producer.rest();
			for (const garbled of producer.garbledWords()) this.#events.onGarbled?.(garbled);
		}
		this.#watch.look();
		this.#reserved.check(nowMs);
		// A count that somebody holds still must not hide those who come.
		this.#discoveredAt = undefined;
	}

	/** Meets producers that have come since. */
	discover(): void {
		const opened = this.#control.load("producersOpened");
		if (opened === this.#discoveredAt) return;
		for (const number of producerNumbers(this.#control.paths)) {
			if (this.#producers.has(number)) continue;
			const before = { states: this.#states, isUncertain: this.#isUncertain };
			this.#producers.set(number, new ProducerReader(this.#control, number, before, this.#events.onDamage));
		}
		if (!this.#hasDiscovered) {
			// What a logman before this one retired.
			this.#retired.add(this.#states.filter(({ producer }) => !this.#producers.has(producer)));
		}
		// Only now: where descriptors run out in between, the rest is met the next time.
		this.#discoveredAt = opened;
		this.#hasDiscovered = true;
	}

	close(): void {
		for (const producer of this.#producers.values()) producer.close();
	}

	#readHorizon(): QueueNumber {
		return Math.max(this.#horizon.read(), this.#floor) as QueueNumber;
	}

	/**
	 * A number was seen that is not below the counter, though it was taken: somebody has set the counter back. What is
	 * below that number is settled all the same, but for the order of what is being appended just now. Nothing where the
	 * counter is above the number, as it should be.
	 */
	#settleBelow(number: QueueNumber): void {
		if (!this.#control.raiseCounter(number % 2 ** 32)) return;
		this.#floor = Math.max(this.#floor, number) as QueueNumber;
		this.#events.onGarbled?.({
			word: "nextNumber",
			what: "the counter is below a number that was taken",
			values: `below ${number}`,
		});
	}

	/** Whether `visit` stopped the reading (with `"more"` or just at the end), or it came to the `"end"` by itself. */
	#readLane(lane: LaneIndex, limit: QueueNumber, visit: Visit): "more" | "stopped" | "end" {
		const merge = new Merge();
		for (const producer of this.#producers.values()) {
			if (!producer.refresh(lane)) continue;
			const chain = producer.chains[lane];
			const source = { queue: 0, producer, chain, lane, limit, appended: producer.appended(lane) };
			const first = this.#next(source);
			if (first === undefined) continue;
			source.queue = first.queue;
			merge.add(source);
		}
		return this.#visitAll(merge, lane, visit);
	}

	#visitAll(merge: Merge, lane: LaneIndex, visit: Visit): "more" | "stopped" | "end" {
		for (let source = merge.first; source !== undefined; source = merge.first) {
			const answer = this.#visitRun(source, merge.nextOther, lane, visit);
			if (answer === "end") merge.drop();
			else if (answer === "on") merge.settle();
			else return answer === "last and end" && merge.nextOther === Number.POSITIVE_INFINITY ? "stopped" : "more";
		}
		return "end";
	}

	/** Hands the records of one chain to `visit` as long as no other has a lower number. */
	#visitRun(source: Source, nextOther: number, lane: LaneIndex, visit: Visit): RunEnd {
		const delivered = (this.#beforeAhead ?? this.#delivered)[lane];
		const highest = this.#highest;
		let record: Mutable<LogRecord> | undefined = this.#next(source);
		while (record !== undefined) {
			const { queue } = record;
			if (queue > nextOther) {
				source.queue = queue;
				return "on";
			}
			// Within a batch the order is by number; only what an earlier batch has passed is late.
			record.late = queue < delivered;
			if (queue > highest[lane]) highest[lane] = queue;
			if (queue < this.#lowestRead) this.#lowestRead = queue;
			const answer = visit(record);
			this.#take(source, record.sequence);
			record = this.#next(source);
			if (answer === "last") return record === undefined ? "last and end" : "last";
		}
		return "end";
	}

	/** The next record of a chain below the limit, without taking it. */
	#next({ chain, producer, lane, limit, appended }: Source): Mutable<LogRecord> | undefined {
		const record = chain.peek(this.#lastHorizon);
		// The end of a batch that is replayed is not the end of its lane.
		if (record === undefined && !chain.isLimited) producer.markExhausted(lane, appended);
		if (record === undefined || record.queue < limit) return record;
		// The next reading goes up to it, if it has to.
		this.#settleBelow((record.queue + 1) as QueueNumber);
		return undefined;
	}

	#take({ producer, chain, lane }: Source, sequence: number): void {
		const count = chain.take();
		if (count > 0) this.#events.onGap({ producer: producer.number, lane: lanes[lane], count, sequence });
	}

	/** Behind the last record no other tells of a gap; the producer's own count does. */
	#tellLostTail(producer: ProducerReader, lane: LaneIndex): void {
		const count = producer.missing(lane);
		if (count === 0) return;
		const sequence = (producer.chains[lane].sequence + count + 1) | 0;
		this.#events.onGap({ producer: producer.number, lane: lanes[lane], count, sequence });
	}
}

/**
 * A producer as the reader of the spool knows it: its two chains, how far their records are delivered, and whether it
 * lives.
 */

import { lstatSync } from "node:fs";
import { removeIfThere, removeTree } from "../platform/durable-file.ts";
import { isLocked } from "../platform/file-lock.ts";
import { readPlainFile } from "../platform/owned-files.ts";
import { announceStore } from "../platform/step.ts";
import { type Lane, type LaneIndex, laneIndex, lanes } from "../shared/lane.ts";
import { ChainReader, chainStart, type Damage } from "./chain-reader.ts";
import type { ChainPosition, ChainState } from "./checkpoint.ts";
import type { ControlFile } from "./control-file.ts";
import { slotCount, slotInBetween, slotWords } from "./control-layout.ts";
import { segmentFiles } from "./numbering.ts";
import { aliveFile, producerDirectory } from "./paths.ts";
import type { GarbledWord } from "./word-watch.ts";

const maxAliveBytes = 4096;
/** More records than this can't wait in a lane: a spool of a hundred gibibytes has not so many. */
const maxRecordsAhead = 2 ** 30;

export interface UntoldDrops {
	readonly producer: number;
	readonly count: number;
}

/** What a checkpoint says of lanes. */
export interface LaneStates {
	readonly states: readonly ChainState[];
	/** Whether lanes may have been read that it does not name. */
	readonly isUncertain: boolean;
}

export class ProducerReader {
	readonly number: number;
	readonly directory: string;
	readonly chains: readonly [ChainReader, ChainReader];
	/** End of what is delivered, by lane. */
	readonly #delivered: [ChainPosition, ChainPosition];
	/** End of the batch that is being delivered, by lane, while the next one is read ahead. */
	readonly #batchEnd: [ChainPosition, ChainPosition];
	/** Records appended when the lane was last read to its end, by lane; `undefined` while there may be more. */
	readonly #exhaustedAt: [number | undefined, number | undefined] = [undefined, undefined];
	readonly #control: ControlFile;
	/** `undefined` until it is found: a producer has its folder before it has a slot. */
	#slot: number | undefined;
	/** What this reader has stored in the slot, by word. Nobody else writes there. */
	readonly #stored = new Map<number, number>();
	#isAlive = true;

	constructor(control: ControlFile, number: number, before: LaneStates, onDamage: (damage: Damage) => void) {
		this.#control = control;
		this.number = number;
		this.directory = producerDirectory(control.paths, number);
		const chain = (lane: Lane): ChainReader => {
			const state = before.states.find((each) => each.producer === number && each.lane === laneIndex[lane]);
			// A lane that a sound checkpoint does not name was never read, whatever the slot says.
			const start = before.isUncertain ? this.#start(laneIndex[lane]) : chainStart;
			return new ChainReader(this.directory, lane, state?.from ?? start, state?.nonce, onDamage);
		};
		this.chains = [chain("priority"), chain("normal")];
		this.#delivered = [this.chains[0].position, this.chains[1].position];
		this.#batchEnd = [...this.#delivered];
		this.checkAlive();
	}

	get isAlive(): boolean {
		return this.#isAlive;
	}

	/** Whether the producer is dead and everything of it is delivered. */
	get isFinished(): boolean {
		return !this.#isAlive && lanes.every((lane) => this.#isExhausted(laneIndex[lane]) && !this.hasUndelivered(lane));
	}

	/** Looks whether the producer lives. Dead once, it stays dead. */
	checkAlive(): boolean {
		if (!this.#isAlive || isLocked(aliveFile(this.directory))) return this.#isAlive;
		this.#isAlive = false;
		this.#exhaustedAt.fill(undefined);
		return false;
	}

	/** Makes a lane ready to be read on, if there can be anything new. */
	refresh(lane: LaneIndex): boolean {
		if (this.#isExhausted(lane)) return false;
		this.#exhaustedAt[lane] = undefined;
		this.chains[lane].refresh(!this.#isAlive);
		return true;
	}

	/** Notes that a lane was read to its end. `appended` is what the slot said before the reading. */
	markExhausted(lane: LaneIndex, appended: number): void {
		this.#exhaustedAt[lane] = appended;
	}

	/** Gives descriptors and memory of idle lanes back. */
	rest(): void {
		for (const lane of [0, 1] as const) if (this.#isExhausted(lane)) this.chains[lane].rest();
	}

	/** Records appended to a lane, as the producer's slot says (low 32 bits); 0 for a producer without a slot. */
	appended(lane: LaneIndex): number {
		return this.#load(slotWords.appended + lane);
	}

	/** Whether something was read, or passed over, since the last delivery. */
	hasMoved(lane: LaneIndex): boolean {
		const from = this.#delivered[lane];
		const { index, offset } = this.chains[lane].position;
		return from.index !== index || from.offset !== offset;
	}

	/** Whether records were read that are not delivered. What else stands in the segments needs no delivery. */
	hasUndelivered(lane: Lane): boolean {
		const index = laneIndex[lane];
		return ((this.#delivered[index].sequence - this.chains[index].sequence) | 0) !== 0;
	}

	/** Records that the producer counted and that are not in its segments any more. Only of a finished one. */
	missing(lane: LaneIndex): number {
		return Math.max(0, (this.appended(lane) - this.chains[lane].sequence) | 0);
	}

	/** What is read from now on belongs to the batch behind the one that is being delivered. */
	endBatch(): void {
		this.#batchEnd[0] = this.chains[0].position;
		this.#batchEnd[1] = this.chains[1].position;
	}

	/**
	 * The states of both chains, for a checkpoint. A chain that was never read has none.
	 *
	 * @param isAhead Whether the next batch is read ahead: it is left out.
	 */
	states(isAhead: boolean): readonly ChainState[] {
		return this.chains.flatMap((chain, index) => {
			if (chain.nonce === undefined) return [];
			const lane = index as LaneIndex;
			const from = this.#delivered[lane];
			const end = isAhead ? this.#batchEnd[lane] : chain.position;
			const to = ((from.sequence - end.sequence) | 0) === 0 ? from : end;
			return [{ producer: this.number, nonce: chain.nonce, lane, from, to }];
		});
	}

	/** Notes that all that was read is delivered, but for what was read ahead. Nothing is told yet, see {@link publish}. */
	markDelivered(isAhead: boolean): void {
		for (const lane of [0, 1] as const) {
			this.#delivered[lane] = isAhead ? this.#batchEnd[lane] : this.chains[lane].position;
		}
	}

	/** Tells the producer what is written, and which segments it may use again. Only after the checkpoint says so too. */
	publish(): void {
		// Nobody reads it of a dead one, and its slot may be another's in the next moment.
		if (!this.#isAlive) return;
		announceStore("producer.publish");
		this.#delivered.forEach((position, lane) => {
			this.#store(slotWords.written + lane, position.sequence);
			this.#store(slotWords.freeBelow + lane, position.index);
		});
	}

	/** Sequences of the last records delivered, by lane. */
	deliveredCounts(): readonly [number, number] {
		return [this.#delivered[0].sequence, this.#delivered[1].sequence];
	}

	/** Tells the producer that what was delivered then is on disk. */
	publishDurable(delivered: readonly [number, number]): void {
		announceStore("producer.publish-durable");
		for (const lane of [0, 1] as const) this.#store(slotWords.durable + lane, delivered[lane]);
	}

	/** Removes what a finished producer left. Returns the drops that no line told of. */
	retire(): UntoldDrops {
		this.close();
		const count = this.#load(slotWords.dropped) - this.#load(slotWords.dropsTold);
		for (const path of segmentFiles(this.directory)) {
			const stats = lstatSync(path, { throwIfNoEntry: false });
			// Anything else was never counted, and goes with the folder.
			if (stats?.isFile() !== true) continue;
			removeIfThere("producer.retire-segment", path);
			// One by one: a death in between leaves one segment counted, and ReservedSpace has less to find.
			announceStore("producer.give-back-space");
			this.#control.add("reservedKib", -stats.size / 1024);
		}
		removeTree("producer.retire", this.directory);
		announceStore("producer.free-slot");
		const slot = this.#ownSlot();
		if (slot !== undefined) this.#control.releaseSlot(slot, this.number);
		return { producer: this.number, count };
	}

	close(): void {
		for (const chain of this.chains) chain.rest();
	}

	/** Words of the slot that hold what neither the producer nor this reader writes. Only of a living one. */
	garbledWords(): GarbledWord[] {
		// Read before the words: counts go up meanwhile.
		const sequences = this.chains.map((chain) => chain.sequence);
		if (!this.#isAlive || this.#slot === undefined) return [];
		const owner = ownerOf(this.#control, this.#slot);
		if (owner !== this.number) {
			return owner === slotInBetween >>> 0 ? [] : [this.#garbled("owner", "the slot is this producer's", owner)];
		}
		const garbled: GarbledWord[] = [];
		sequences.forEach((sequence, lane) => {
			const appended = this.appended(lane as LaneIndex);
			// A record is committed a moment before it is counted.
			const ahead = (appended - sequence) | 0;
			if (ahead >= -1 && ahead <= maxRecordsAhead) return;
			garbled.push(this.#garbled("appended", "it is not near to the records there are", `${appended} for ${sequence}`));
		});
		for (const [word, stored] of this.#stored) {
			const found = this.#load(word);
			if (found === stored) continue;
			garbled.push(this.#garbled(wordName(word), "the logman has stored something else", `${found} for ${stored}`));
		}
		return garbled;
	}

	#garbled(word: keyof typeof slotWords, what: string, value: number | string): GarbledWord {
		return { word, producer: this.number, what, values: `${value} in slot ${this.#slot ?? "?"}` };
	}

	/** Where to begin without a checkpoint: what the slot says was written needs no second time. */
	#start(lane: LaneIndex): ChainPosition {
		const index = Math.max(chainStart.index, this.#load(slotWords.freeBelow + lane));
		return { ...chainStart, index, sequence: this.#load(slotWords.written + lane) };
	}

	#isExhausted(lane: LaneIndex): boolean {
		const seen = this.#exhaustedAt[lane];
		if (seen === undefined || !this.#isAlive) return seen !== undefined;
		// A producer that died in an append has committed more, perhaps, than it has counted.
		const isUnchanged = this.#load(slotWords.bound) === 0 && seen === this.appended(lane);
		// Asked last, since the slot may be handed on between any two of these. One whose slot is another's has died: nothing
		// counts any more what it had committed before.
		if (this.#ownSlot() !== undefined) return isUnchanged;
		this.checkAlive();
		return false;
	}

	/** Its slot, as long as it is its own: that of a dead producer may have gone to another one. */
	#ownSlot(): number | undefined {
		const slot = this.#slot ?? this.#findSlot();
		return slot !== undefined && ownerOf(this.#control, slot) === this.number ? slot : undefined;
	}

	/**
	 * The slot that the producer says it has, if it says so; else the one that names it. In this order: any slot may name a
	 * producer as its owner that is not, and what one slot holds must not pass for another's.
	 */
	#findSlot(): number | undefined {
		const said = saidSlot(this.directory);
		if (said === undefined) return searchSlot(this.#control, this.number);
		this.#slot = said;
		// Whoever looks for the lowest of all bounds must not pass it over.
		const isOwn = ownerOf(this.#control, said) === this.number;
		if (isOwn && this.#control.load("slotsUsed") <= said) this.#control.raiseSlotsUsed(said + 1);
		return said;
	}

	#load(word: number): number {
		const slot = this.#ownSlot();
		return slot === undefined ? 0 : Atomics.load(this.#control.mapping.words, this.#control.slotWord(slot) + word);
	}

	#store(word: number, value: number): void {
		const slot = this.#ownSlot();
		if (slot === undefined) return;
		this.#stored.set(word, value | 0);
		Atomics.store(this.#control.mapping.words, this.#control.slotWord(slot) + word, value | 0);
	}
}

function saidSlot(directory: string): number | undefined {
	let text: string | undefined;
	try {
		text = readPlainFile(aliveFile(directory), maxAliveBytes);
	} catch {
		// Not readable now: it is asked again.
	}
	const slot = /^slot (\d+)$/m.exec(text ?? "")?.[1];
	return slot === undefined || Number(slot) >= slotCount ? undefined : Number(slot);
}

function searchSlot(control: ControlFile, number: number): number | undefined {
	const slots = control.load("slotsUsed");
	for (let slot = 0; slot < slots; slot++) if (ownerOf(control, slot) === number) return slot;
	return undefined;
}

function wordName(word: number): keyof typeof slotWords {
	const names = Object.keys(slotWords) as (keyof typeof slotWords)[];
	return names.findLast((name) => slotWords[name] <= word) ?? "owner";
}

function ownerOf(control: ControlFile, slot: number): number {
	return Atomics.load(control.mapping.words, control.slotWord(slot) + slotWords.owner) >>> 0;
}

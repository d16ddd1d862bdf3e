/**
 * A real spool with producers and a reader that delivers as the logman does (intent, output, confirmation), and dies after
 * any of these steps, or in the middle of a checkpoint; the next one takes over. The model goes along in lockstep.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "vitest";
import { observeSteps } from "../../src/platform/step.ts";
import { type Checkpoint, CheckpointFile } from "../../src/spool/checkpoint.ts";
import { checkpointHeader, firstSlotBytes } from "../../src/spool/checkpoint-layout.ts";
import { confirmedSince } from "../../src/spool/confirmed-since.ts";
import { ControlFile } from "../../src/spool/control-file.ts";
import type { Definition } from "../../src/spool/definition.ts";
import type { Producer } from "../../src/spool/producer.ts";
import { SpoolReader } from "../../src/spool/spool-reader.ts";
import { copyOf, type ReadRecord, ReaderNotes } from "../spool/spool-records.ts";
import { Died } from "./interrupted.ts";
import type { SpoolModel } from "./spool-model.ts";

/** How far a delivery gets before its reader dies: to one of its steps, or to its end. */
export const crashes = [
	"read",
	"intent torn",
	"intended",
	"written",
	"delivered",
	"confirmation torn",
	"confirmed",
	"confirmation lost",
	"none",
] as const;
export type Crash = (typeof crashes)[number];

export interface OpenProducer {
	readonly producer: Producer;
	readonly definition: Definition;
}

export class SpoolUnderTest {
	readonly cacheDir: string = mkdtempSync(join(tmpdir(), "pylog-model-"));
	readonly control: ControlFile = ControlFile.open(this.cacheDir);
	readonly producers: OpenProducer[] = [];
	readonly notes: ReaderNotes = new ReaderNotes();
	/** Drops that producers left without a word, as they were told when their folders went. */
	readonly toldAtEnd: Map<number, number> = new Map();
	reader: SpoolReader;
	readonly #model: SpoolModel;
	#checkpoint: CheckpointFile;
	/** What was read ahead and is not delivered. */
	#ahead: readonly ReadRecord[] | undefined;

	constructor(model: SpoolModel) {
		this.#model = model;
		this.control.store("nextNumber", model.next % 2 ** 32);
		this.control.store("numberHigh", Math.floor(model.next / 2 ** 32));
		this.#checkpoint = CheckpointFile.open(this.control.paths.checkpoint);
		this.reader = new SpoolReader(this.control, undefined, this.notes);
	}

	/**
	 * One batch of at most `count` records, after the one that was read ahead; afterwards the reader goes on, or the next one
	 * takes over. Of the batch behind it up to `aheadCount` records are read while its output is written.
	 */
	deliver(count: number, crash: Crash, aheadCount = 0): void {
		const ahead = this.#ahead;
		if (ahead !== undefined) {
			this.#ahead = undefined;
			this.reader.takeAhead();
			this.#deliverBatch(ahead, crash, 0);
			if (crash !== "none") return;
		}
		this.#deliverBatch(this.#read(count), crash, aheadCount);
	}

	#read(count: number): readonly ReadRecord[] {
		const batch: ReadRecord[] = [];
		this.reader.read((record) => {
			batch.push(copyOf(record));
			return batch.length === count ? "last" : "on";
		});
		expect(batch.length).toBeLessThanOrEqual(count);
		this.#model.checkBatch(batch);
		return batch;
	}

	#deliverBatch(batch: readonly ReadRecord[], crash: Crash, aheadCount: number): void {
		const ofLiving = this.#numbersOfLiving(batch);
		if (crash === "read") return this.restart(undefined, false);
		if (crash === "intent torn") return this.#tearAndRestart(batch, false);
		this.#writeCheckpoint();
		if (crash === "intended") return this.restart(batch, false);
		this.#model.deliver(batch);
		if (aheadCount > 0) {
			this.reader.beginAhead();
			this.#ahead = this.#read(aheadCount);
		}
		if (crash === "written") return this.restart(batch, true);
		this.reader.markDelivered();
		if (crash === "delivered") return this.restart(batch, true);
		if (crash === "confirmation torn") return this.#tearAndRestart(batch, true);
		this.#writeCheckpoint();
		this.reader.publish();
		if (crash === "confirmed") this.restart([], true);
		if (crash !== "confirmation lost") return;
		this.#loseNewest();
		// Of producers that live the control file tells that it is done; of others it is found in the output.
		this.restart(batch, true, ofLiving);
	}

	/**
	 * A new reader finds `begun` in the checkpoint, unless that is confirmed, and its output written or not.
	 *
	 * @param confirmed Numbers of records that are known to be confirmed though the checkpoint does not say so.
	 */
	restart(begun: readonly ReadRecord[] | undefined, isWritten: boolean, confirmed?: ReadonlySet<number>): void {
		this.#ahead = undefined;
		this.reader.close();
		this.#checkpoint.close();
		this.#checkpoint = CheckpointFile.open(this.control.paths.checkpoint);
		const { latest, isUncertain } = this.#checkpoint;
		const resumed = latest !== undefined && isUncertain ? confirmedSince(this.control, latest) : latest;
		this.reader = new SpoolReader(this.control, resumed, this.notes, isUncertain);
		if (resumed === undefined) return;
		const again: ReadRecord[] = [];
		this.reader.replay(resumed.chains, (record) => {
			again.push(copyOf(record));
			return "on";
		});
		const numbers = new Set(again.map(({ queue }) => queue));
		// Whether a dead producer was told is not known here.
		const wanted =
			confirmed === undefined ? begun : begun?.filter(({ queue }) => numbers.has(queue) && !confirmed.has(queue));
		expect(again, "the batch that was begun, as it was").toEqual(wanted ?? []);
		if (!isWritten) this.#model.deliver(again);
		this.reader.markDelivered();
		this.#writeCheckpoint();
		this.reader.publish();
	}

	retire(): void {
		this.reader.checkLiveness(true);
		for (const { producer, count } of this.reader.retire()) this.toldAtEnd.set(producer, count);
	}

	dispose(): void {
		this.reader.close();
		this.#checkpoint.close();
		for (const { producer } of this.producers) producer.close();
		this.control.close();
		rmSync(this.cacheDir, { recursive: true, force: true });
	}

	#numbersOfLiving(batch: readonly ReadRecord[]): ReadonlySet<number> {
		const living = new Set(this.producers.map(({ producer }) => producer.number));
		const numbers = batch.map(({ queue }) => queue as number);
		return new Set(numbers.filter((number) => living.has(this.#model.waiting.get(number)?.producer ?? 0)));
	}

	#state(): Checkpoint {
		const { horizon, delivered } = this.reader;
		return { horizon, delivered, chains: this.reader.states(), outputs: [], parked: {}, unsynced: [] };
	}

	#writeCheckpoint(): void {
		this.#checkpoint.write(this.#state());
	}

	/** Dies in the middle of a checkpoint: of an intent (`begun` is read only), or of a confirmation (it is written). */
	#tearAndRestart(begun: readonly ReadRecord[], isWritten: boolean): void {
		let isWhole = false;
		observeSteps((step) => {
			if (step.call !== "write" || step.name !== "checkpoint.store") return;
			const position = step.position ?? 0;
			writeSync(step.fd, step.bytes, 0, Math.ceil(step.bytes.length / 2), position);
			// Its second half may have stood there already.
			const there = readFileSync(this.control.paths.checkpoint).subarray(position, position + step.bytes.length);
			isWhole = there.equals(step.bytes);
			throw new Died();
		});
		try {
			expect(() => this.#writeCheckpoint()).toThrow(Died);
		} finally {
			observeSteps(undefined);
		}
		if (isWritten) return this.restart(isWhole ? [] : begun, true);
		this.restart(isWhole ? begun : [], false);
	}

	/** The slot that was written last is not what it was. */
	#loseNewest(): void {
		const { checkpoint } = this.control.paths;
		const bytes = readFileSync(checkpoint);
		const generations = [0, firstSlotBytes].map((start) => bytes.readDoubleLE(start + checkpointHeader.generation));
		const newest = (generations[0] as number) > (generations[1] as number) ? 0 : firstSlotBytes;
		const at = newest + checkpointHeader.horizon;
		bytes[at] = (bytes[at] as number) ^ 0x40;
		writeFileSync(checkpoint, bytes);
	}
}

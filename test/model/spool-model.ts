/**
 * What a spool must give, as plain lists: each record that was taken has a number, and comes out once, those of a lane in the
 * order of their numbers, but for those whose producer was passed over.
 */
import { expect } from "vitest";
import type { LaneIndex } from "../../src/shared/lane.ts";
import { lanes } from "../../src/shared/lane.ts";
import { recordFlags } from "../../src/spool/log-record.ts";
import type { ReadRecord } from "../spool/spool-records.ts";

interface Taken {
	/** `undefined` where only the bytes tell. */
	readonly lane: LaneIndex | undefined;
	/** `undefined` for a line that tells of drops: its text is checked by its count. */
	readonly message: string | undefined;
	/** Whether it may be such a line as well. */
	readonly mayBeNotice: boolean;
	readonly producer: number;
}

/** What a producer has dropped. */
interface Drops {
	counted: number;
	/** Sum of what lines tell that were read. */
	told: number;
	/** Whether it died while it may have been counting, or its slot is somebody else's by now. */
	isVague: boolean;
}

export class SpoolModel {
	/** The number that the next record gets, with all its bits. */
	next: number;
	/** What was taken and is not delivered, by number. */
	readonly waiting = new Map<number, Taken>();
	readonly isClosed: [boolean, boolean] = [false, false];
	readonly drops = new Map<number, Drops>();
	/** Numbers of appends that were stopped in their middle while others were delivered. */
	readonly passedOver = new Set<number>();
	/** Numbers of producers that died, and whose folders may be there. */
	readonly dead: number[] = [];
	/** Highest number delivered, by lane. */
	readonly delivered: [number, number] = [0, 0];
	/** Texts given out so far. */
	texts = 0;
	deliveredCount = 0;

	constructor(next: number) {
		this.next = next;
	}

	/** Notes what an append has committed: lines about drops, and the record itself, where it was taken, behind them. */
	take(producer: number, lane: LaneIndex, commits: number, message: string | undefined): void {
		for (let index = 1; index <= commits; index++) {
			const text = index === commits ? message : undefined;
			this.add(this.next, { lane, producer, message: text, mayBeNotice: text === undefined });
			this.next += 1;
		}
	}

	add(number: number, taken: Taken): void {
		this.waiting.set(number, taken);
	}

	dropsOf(producer: number): Drops {
		const drops = this.drops.get(producer) ?? { counted: 0, told: 0, isVague: false };
		this.drops.set(producer, drops);
		return drops;
	}

	/** Checks records as they are read, before they count as delivered. */
	checkBatch(batch: readonly ReadRecord[]): void {
		const byLane = batch.map(({ lane }) => lanes.indexOf(lane));
		expect(byLane, "the priority lane first").toEqual(byLane.toSorted((a, b) => a - b));
		const numbers = new Set<number>();
		batch.forEach((record, at) => {
			const { queue, lane, late, message } = record;
			const taken = this.waiting.get(queue);
			expect(taken, `record ${queue} (${message.slice(0, 40)}) was taken and is not delivered`).toBeDefined();
			expect(numbers.has(queue), `record ${queue} is given once`).toBe(false);
			numbers.add(queue);
			const index = lanes.indexOf(lane) as LaneIndex;
			if (taken?.lane !== undefined) expect(taken.lane).toBe(index);
			expect(late, `whether record ${queue} is late`).toBe(queue < this.delivered[index]);
			if (late) expect(this.passedOver.has(queue), `record ${queue} was passed over`).toBe(true);
			const before = batch[at - 1];
			if (before?.lane === lane) expect(queue, "the order of the numbers").toBeGreaterThan(before.queue);
			const isNotice = (record.flags & recordFlags.dropNotice) !== 0;
			if (isNotice) expect(taken?.mayBeNotice).toBe(true);
			else expect(message.trimEnd()).toBe(taken?.message);
		});
	}

	/** Notes that a batch is in its file. */
	deliver(batch: readonly ReadRecord[]): void {
		for (const { queue, message, lane, flags } of batch) {
			const { producer } = this.waiting.get(queue) as Taken;
			const index = lanes.indexOf(lane) as LaneIndex;
			this.waiting.delete(queue);
			this.deliveredCount += 1;
			this.delivered[index] = Math.max(this.delivered[index], queue);
			if ((flags & recordFlags.dropNotice) === 0) continue;
			const drops = this.dropsOf(producer);
			drops.told += Number(/^pylog dropped (\d+) records? here: /.exec(message)?.[1]);
			expect(drops.told, `what is told of producer ${producer}`).toBeLessThanOrEqual(drops.counted);
		}
	}
}

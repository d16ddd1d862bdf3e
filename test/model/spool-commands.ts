/** What can happen to a spool, as commands of the property test; each keeps model and spool in lockstep. */
import type fc from "fast-check";
import { expect } from "vitest";
import { type LaneIndex, lanes } from "../../src/shared/lane.ts";
import { slotWords } from "../../src/spool/control-layout.ts";
import { Producer } from "../../src/spool/producer.ts";
import { passOverMs } from "../../src/spool/horizon.ts";
import { endSilently } from "../spool/silent-end.ts";
import { entryOf, newDefinition } from "../spool/spool-records.ts";
import { passTime } from "./clock.ts";
import { Died, interrupted } from "./interrupted.ts";
import type { SpoolModel } from "./spool-model.ts";
import type { Crash, OpenProducer, SpoolUnderTest } from "./spool-under-test.ts";

const mostProducers = 3;
const tinySegments = [4096, 16_384] as const;

abstract class SpoolCommand implements fc.Command<SpoolModel, SpoolUnderTest> {
	check(_model: Readonly<SpoolModel>): boolean {
		return true;
	}

	abstract act(model: SpoolModel, spool: SpoolUnderTest): void;

	run(model: SpoolModel, spool: SpoolUnderTest): void {
		this.act(model, spool);
		expect(spool.control.load("nextNumber"), "the counter").toBe(model.next % 2 ** 32);
	}

	toString(): string {
		return `${this.constructor.name}(${Object.values(this).join(", ")})`;
	}
}

export class Open extends SpoolCommand {
	readonly isTiny: boolean;
	readonly maxSpoolKib: number | undefined;

	constructor(isTiny: boolean, maxSpoolKib: number | undefined) {
		super();
		this.isTiny = isTiny;
		this.maxSpoolKib = maxSpoolKib;
	}

	act(_model: SpoolModel, { producers, cacheDir }: SpoolUnderTest): void {
		if (producers.length === mostProducers) return;
		const producer = Producer.open({
			cacheDir,
			...(this.isTiny ? { segmentBytes: tinySegments } : {}),
			...(this.maxSpoolKib === undefined ? {} : { maxSpoolBytes: this.maxSpoolKib * 1024 }),
		});
		producers.push({ producer, definition: newDefinition() });
	}
}

abstract class OfProducer extends SpoolCommand {
	readonly which: number;

	constructor(which: number) {
		super();
		this.which = which;
	}

	protected chosen({ producers }: SpoolUnderTest): OpenProducer | undefined {
		return producers[this.which % Math.max(1, producers.length)];
	}
}

/** Appends and notes what of it was committed. */
function append(model: SpoolModel, { producer, definition }: OpenProducer, lane: LaneIndex, size: number): void {
	const message = `${model.texts++}`;
	const before = producer.counts()[lane];
	const isTaken = producer.append(lane, entryOf(definition, message.padEnd(size)));
	if (model.isClosed[lane]) expect(isTaken, "a closed lane takes nothing").toBe(false);
	model.take(producer.number, lane, producer.counts()[lane] - before, isTaken ? message : undefined);
	const drops = model.dropsOf(producer.number);
	if (!isTaken) drops.counted += 1;
	expect(producer.dropped, "every drop is counted").toBe(drops.counted);
}

export class Append extends OfProducer {
	readonly lane: LaneIndex;
	readonly sizes: readonly number[];

	constructor(which: number, lane: LaneIndex, sizes: readonly number[]) {
		super(which);
		this.lane = lane;
		this.sizes = sizes;
	}

	act(model: SpoolModel, spool: SpoolUnderTest): void {
		const chosen = this.chosen(spool);
		if (chosen === undefined) return;
		for (const size of this.sizes) append(model, chosen, this.lane, size);
	}
}

/** A producer ends: in order, or silently. */
export class Leave extends OfProducer {
	readonly how: "closes" | "dies";

	constructor(which: number, how: "closes" | "dies") {
		super(which);
		this.how = how;
	}

	act(model: SpoolModel, spool: SpoolUnderTest): void {
		const chosen = this.chosen(spool);
		if (chosen === undefined) return;
		const { producer } = chosen;
		spool.producers.splice(spool.producers.indexOf(chosen), 1);
		model.dead.push(producer.number);
		if (this.how === "dies") return endSilently(producer);
		const before = producer.appended;
		producer.close();
		// Lines about drops, in the order in which lanes and loggers had some.
		for (let left = producer.appended - before; left > 0; left--) {
			model.add(model.next, { lane: undefined, producer: producer.number, message: undefined, mayBeNotice: true });
			model.next += 1;
		}
	}
}

/** A producer dies before some step of an append. */
export class DieInAppend extends OfProducer {
	readonly lane: LaneIndex;
	readonly size: number;
	readonly step: number;

	constructor(which: number, lane: LaneIndex, size: number, step: number) {
		super(which);
		this.lane = lane;
		this.size = size;
		this.step = step;
	}

	act(model: SpoolModel, spool: SpoolUnderTest): void {
		const chosen = this.chosen(spool);
		if (chosen === undefined) return;
		const { producer, definition } = chosen;
		const message = `${model.texts++}`;
		const before = producer.counts()[this.lane];
		const drops = model.dropsOf(producer.number);
		let isTaken = false;
		const died = interrupted(
			producer,
			() => (isTaken = producer.append(this.lane, entryOf(definition, message.padEnd(this.size)))),
			this.step,
			() => {
				throw new Died();
			},
		);
		if (died === undefined) {
			// It had fewer steps, and came to its end.
			model.take(producer.number, this.lane, producer.counts()[this.lane] - before, isTaken ? message : undefined);
			drops.counted = producer.dropped;
			return;
		}
		for (let index = 0; index < died.commits; index++) {
			const taken = { lane: this.lane, producer: producer.number, message, mayBeNotice: true };
			model.add(model.next + index, taken);
		}
		// What was taken and not committed is a number that no record has.
		model.next += died.numbers;
		drops.counted = producer.dropped;
		drops.isVague = true;
		model.dead.push(producer.number);
		spool.producers.splice(spool.producers.indexOf(chosen), 1);
		endSilently(producer);
	}
}

/** A producer is stopped before some step of an append, for so long that it is passed over; then it goes on. */
export class StopInAppend extends OfProducer {
	readonly lane: LaneIndex;
	readonly step: number;
	readonly others: readonly number[];

	constructor(which: number, lane: LaneIndex, step: number, others: readonly number[]) {
		super(which);
		this.lane = lane;
		this.step = step;
		this.others = others;
	}

	act(model: SpoolModel, spool: SpoolUnderTest): void {
		const chosen = this.chosen(spool);
		if (chosen === undefined) return;
		const { producer, definition } = chosen;
		const message = `${model.texts++}`;
		const before = producer.counts()[this.lane];
		const first = model.next;
		let isTaken = false;
		const note = (number: number): void =>
			model.add(number, { lane: this.lane, producer: producer.number, message, mayBeNotice: true });
		const stopped = interrupted(
			producer,
			() => (isTaken = producer.append(this.lane, entryOf(definition, message))),
			this.step,
			({ numbers, commits }) => {
				model.next += numbers;
				for (let index = 0; index < commits; index++) note(first + index);
				for (let number = first; number < model.next; number++) model.passedOver.add(number);
				this.#goOnWithOthers(model, spool, chosen);
			},
		);
		const committed = producer.counts()[this.lane] - before;
		model.dropsOf(producer.number).counted = producer.dropped;
		if (stopped === undefined) return model.take(producer.number, this.lane, committed, isTaken ? message : undefined);
		// What it had a number for has that one; what came behind has later ones.
		for (let index = stopped.commits; index < stopped.numbers; index++) note(first + index);
		for (let left = committed - stopped.numbers; left > 0; left--) note(model.next++);
	}

	#goOnWithOthers(model: SpoolModel, spool: SpoolUnderTest, stopped: OpenProducer): void {
		const others = spool.producers.filter((each) => each !== stopped);
		this.others.forEach((size, at) => {
			const other = others[at % Math.max(1, others.length)];
			if (other !== undefined) append(model, other, at % 3 === 0 ? 0 : 1, size);
		});
		spool.deliver(1_000_000, "none");
		// What lies between two readings counts for half of the deadline at most.
		for (let look = 1; look <= 3; look++) {
			passTime(passOverMs / 2 + 1);
			spool.deliver(1_000_000, "none");
		}
	}
}

/** The slot of a producer that has died goes to somebody else. */
export class HandOn extends SpoolCommand {
	act(model: SpoolModel, { control }: SpoolUnderTest): void {
		for (const number of model.dead) {
			for (let slot = 0; slot < control.load("slotsUsed"); slot++) {
				const owner = control.mapping.words[control.slotWord(slot) + slotWords.owner];
				if (owner !== number) continue;
				expect(control.passSlot(slot, number, 0)).toBe(true);
				model.dropsOf(number).isVague = true;
			}
		}
	}
}

export class SetLane extends SpoolCommand {
	readonly lane: LaneIndex;
	readonly isClosed: boolean;

	constructor(lane: LaneIndex, isClosed: boolean) {
		super();
		this.lane = lane;
		this.isClosed = isClosed;
	}

	act(model: SpoolModel, { control }: SpoolUnderTest): void {
		control.setClosed(lanes[this.lane], this.isClosed);
		model.isClosed[this.lane] = this.isClosed;
	}
}

export class Deliver extends SpoolCommand {
	readonly count: number;
	readonly crash: Crash;

	constructor(count: number, crash: Crash) {
		super();
		this.count = count;
		this.crash = crash;
	}

	act(_model: SpoolModel, spool: SpoolUnderTest): void {
		// Not a choice of its own: the seeds that are kept would mean something else.
		spool.deliver(this.count, this.crash, this.count % 2 === 0 ? this.count >> 1 : 0);
	}
}

export class Retire extends SpoolCommand {
	act(_model: SpoolModel, spool: SpoolUnderTest): void {
		spool.retire();
	}
}

/**
 * The spool against a plain model of it: random producers, records, deaths, batches and restarts, where the model is two
 * lists of messages. A batch is delivered as the logman does it (intent, output, confirmation), and a restart may come
 * after any of these steps.
 */
import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { expect, it } from "vitest";
import type { LaneIndex } from "../../src/shared/lane.ts";
import { lanes } from "../../src/shared/lane.ts";
import { CheckpointFile } from "../../src/spool/checkpoint.ts";
import { ControlFile } from "../../src/spool/control-file.ts";
import type { Definition } from "../../src/spool/definition.ts";
import { Producer } from "../../src/spool/producer.ts";
import { SpoolReader } from "../../src/spool/spool-reader.ts";
import { endSilently } from "./silent-end.ts";
import { copyOf, entryOf, newDefinition, type ReadRecord, ReaderNotes } from "./spool-records.ts";

type Lists = [string[], string[]];

/** What is expected: everything taken, in the order of the calls. */
class Model {
	readonly taken: Lists = [[], []];
	readonly isClosed: [boolean, boolean] = [false, false];
	/** Drops that no line tells of, by producer and lane. */
	readonly untold = new Map<number, [number, number]>();
	/** Drops of producers that ended without a word. */
	readonly lostDrops = new Map<number, number>();
	appended = 0;

	tellDrops(producer: number, lane: LaneIndex): void {
		const untold = this.untold.get(producer) ?? [0, 0];
		const count = untold[lane];
		if (count === 0 || this.isClosed[lane]) return;
		this.taken[lane].push(`pylog dropped ${count} ${count === 1 ? "record" : "records"} here: the lane was closed`);
		untold[lane] = 0;
	}
}

/** How far a delivery gets before the logman dies: not at all, or to its end. */
const crashes = ["read", "intended", "written", "delivered", "confirmed", "none"] as const;
type Crash = (typeof crashes)[number];

class Spool {
	readonly cacheDir = mkdtempSync(join(tmpdir(), "pylog-model-"));
	readonly control = ControlFile.open(this.cacheDir);
	readonly producers: { producer: Producer; definition: Definition }[] = [];
	readonly output: Lists = [[], []];
	readonly notes = new ReaderNotes();
	readonly toldDrops = new Map<number, number>();
	checkpoint: CheckpointFile;
	reader: SpoolReader;

	constructor() {
		this.checkpoint = CheckpointFile.open(this.control.paths.checkpoint);
		this.reader = new SpoolReader(this.control, undefined, this.notes);
	}

	/** One batch of at most `count` records; afterwards the logman goes on, or the next one takes over. */
	deliver(count: number, crash: Crash): void {
		const batch: ReadRecord[] = [];
		this.reader.read((record) => {
			batch.push(copyOf(record));
			return batch.length === count ? "last" : "on";
		});
		expect(batch.length).toBeLessThanOrEqual(count);
		const byLane = batch.map(({ lane }) => lanes.indexOf(lane));
		expect(byLane, "the priority lane first").toEqual(byLane.toSorted((a, b) => a - b));
		if (crash === "read") return this.restart(undefined, false);
		this.#writeCheckpoint();
		if (crash === "intended") return this.restart(batch, false);
		this.#write(batch);
		if (crash === "written") return this.restart(batch, true);
		this.reader.markDelivered();
		if (crash === "delivered") return this.restart(batch, true);
		this.#writeCheckpoint();
		this.reader.publish();
		if (crash === "confirmed") this.restart(undefined, false);
	}

	/** A new logman finds `begun` in the checkpoint, unless that is confirmed, and its output written or not. */
	restart(begun: readonly ReadRecord[] | undefined, isWritten: boolean): void {
		this.reader.close();
		this.checkpoint.close();
		this.checkpoint = CheckpointFile.open(this.control.paths.checkpoint);
		const { latest } = this.checkpoint;
		this.reader = new SpoolReader(this.control, latest, this.notes);
		if (latest === undefined) return;
		const again: ReadRecord[] = [];
		this.reader.replay(latest.chains, (record) => {
			again.push(copyOf(record));
			return "on";
		});
		expect(again).toEqual(begun ?? []);
		if (!isWritten) this.#write(again);
		this.reader.markDelivered();
		this.#writeCheckpoint();
		this.reader.publish();
	}

	retire(): void {
		this.reader.checkLiveness(true);
		for (const { producer, count } of this.reader.retire()) this.toldDrops.set(producer, count);
	}

	dispose(): void {
		this.reader.close();
		this.checkpoint.close();
		for (const { producer } of this.producers) producer.close();
		this.control.close();
		rmSync(this.cacheDir, { recursive: true, force: true });
	}

	#writeCheckpoint(): void {
		const { horizon, delivered } = this.reader;
		const chains = this.reader.states();
		this.checkpoint.write({ horizon, delivered, chains, outputs: [], parked: {}, unsynced: [] });
	}

	#write(batch: readonly ReadRecord[]): void {
		for (const { lane, message } of batch) this.output[lanes.indexOf(lane)]?.push(message.trimEnd());
	}
}

abstract class Action implements fc.Command<Model, Spool> {
	check(_model: Readonly<Model>): boolean {
		return true;
	}

	abstract run(model: Model, spool: Spool): void;

	toString(): string {
		return `${this.constructor.name}(${Object.values(this).join(", ")})`;
	}
}

class Open extends Action {
	run(_model: Model, spool: Spool): void {
		if (spool.producers.length === 3) return;
		spool.producers.push({ producer: Producer.open({ cacheDir: spool.cacheDir }), definition: newDefinition() });
	}
}

class Append extends Action {
	readonly which: number;
	readonly lane: LaneIndex;
	readonly sizes: readonly number[];

	constructor(which: number, lane: LaneIndex, sizes: readonly number[]) {
		super();
		this.which = which;
		this.lane = lane;
		this.sizes = sizes;
	}

	run(model: Model, { producers }: Spool): void {
		const chosen = producers[this.which % Math.max(1, producers.length)];
		if (chosen === undefined) return;
		const { producer, definition } = chosen;
		for (const size of this.sizes) {
			const message = `${model.appended++}`;
			const isTaken = producer.append(this.lane, entryOf(definition, message.padEnd(size)));
			expect(isTaken).toBe(!model.isClosed[this.lane]);
			if (isTaken) {
				model.tellDrops(producer.number, this.lane);
				model.taken[this.lane].push(message);
			} else {
				const untold = model.untold.get(producer.number) ?? [0, 0];
				untold[this.lane] += 1;
				model.untold.set(producer.number, untold);
			}
		}
	}
}

class Leave extends Action {
	readonly which: number;
	readonly how: "closes" | "dies";

	constructor(which: number, how: "closes" | "dies") {
		super();
		this.which = which;
		this.how = how;
	}

	run(model: Model, { producers }: Spool): void {
		const [chosen] = producers.splice(this.which % Math.max(1, producers.length), 1);
		if (chosen === undefined) return;
		const { number } = chosen.producer;
		if (this.how === "dies") endSilently(chosen.producer);
		else {
			chosen.producer.close();
			for (const lane of [0, 1] as const) model.tellDrops(number, lane);
		}
		const [priority, normal] = model.untold.get(number) ?? [0, 0];
		if (priority + normal > 0) model.lostDrops.set(number, priority + normal);
	}
}

class SetLane extends Action {
	readonly lane: LaneIndex;
	readonly isClosed: boolean;

	constructor(lane: LaneIndex, isClosed: boolean) {
		super();
		this.lane = lane;
		this.isClosed = isClosed;
	}

	run(model: Model, { control }: Spool): void {
		control.setClosed(lanes[this.lane], this.isClosed);
		model.isClosed[this.lane] = this.isClosed;
	}
}

class Deliver extends Action {
	readonly count: number;
	readonly crash: Crash;

	constructor(count: number, crash: Crash) {
		super();
		this.count = count;
		this.crash = crash;
	}

	run(model: Model, spool: Spool): void {
		spool.deliver(this.count, this.crash);
		for (const lane of [0, 1] as const) {
			expect(spool.output[lane]).toEqual(model.taken[lane].slice(0, spool.output[lane].length));
		}
	}
}

class Retire extends Action {
	run(_model: Model, spool: Spool): void {
		spool.retire();
	}
}

function expectDrained(model: Model, spool: Spool): void {
	// Each batch may have been ended by its size; with nothing more appended, so many are enough.
	for (let batch = 0; batch < 12; batch++) spool.deliver(1_000_000, "none");
	expect(spool.output).toEqual(model.taken);
	spool.retire();
	spool.deliver(1_000_000, "none");
	spool.retire();
	const { paths } = spool.control;
	const left = readdirSync(paths.producers).map(Number);
	expect(new Set(left)).toEqual(new Set(spool.producers.map(({ producer }) => producer.number)));
	expect(spool.toldDrops).toEqual(model.lostDrops);
	const sizes = left.flatMap((number) => {
		const folder = join(paths.producers, String(number));
		const files = readdirSync(folder).filter((name) => name.endsWith(".seg"));
		return files.map((name) => statSync(join(folder, name)).size);
	});
	expect(spool.control.load("reservedKib")).toBe(sizes.reduce((sum, size) => sum + size, 0) / 1024);
	expect([spool.notes.damages, spool.notes.gaps]).toEqual([[], []]);
}

it("everything taken comes out once, in order, whatever happens in between", () => {
	const which = fc.nat(2);
	const lane = fc.constantFrom<LaneIndex>(0, 1, 1, 1);
	// Many appends fill a segment, so that segments are used again and again.
	const size = fc.oneof(
		{ weight: 6, arbitrary: fc.nat(300) },
		{ weight: 6, arbitrary: fc.nat(20_000) },
		{ weight: 1, arbitrary: fc.nat(150_000) },
	);
	const append = fc.tuple(which, lane, fc.array(size, { minLength: 1, maxLength: 25 }));
	const crash = fc.oneof({ weight: 2, arbitrary: fc.constant<Crash>("none") }, fc.constantFrom(...crashes));
	const actions = fc.commands(
		[
			fc.constant(new Open()),
			append.map((given) => new Append(...given)),
			append.map((given) => new Append(...given)),
			append.map((given) => new Append(...given)),
			fc.tuple(which, fc.constantFrom("closes", "dies")).map((given) => new Leave(...given)),
			fc.tuple(lane, fc.boolean()).map((given) => new SetLane(...given)),
			fc.tuple(fc.integer({ min: 1, max: 60 }), crash).map((given) => new Deliver(...given)),
			fc.tuple(fc.integer({ min: 1, max: 60 }), crash).map((given) => new Deliver(...given)),
			fc.constant(new Retire()),
		],
		{ maxCommands: 60, size: "max" },
	);
	fc.assert(
		fc.property(actions, (commands) => {
			const spool = new Spool();
			const model = new Model();
			try {
				new Open().run(model, spool);
				fc.modelRun(() => ({ model, real: spool }), commands);
				expectDrained(model, spool);
			} finally {
				spool.dispose();
			}
		}),
		{ numRuns: 150 },
	);
});

/**
 * The spool against a plain model of it: random producers, records, deaths at any step, batches and restarts, in lockstep.
 *
 * PYLOG_FAULTS=long takes minutes; PYLOG_TEST_SEED repeats a run. What once failed is in `failing-seeds.json`, as fast-check
 * prints it (seed, path, and the replayPath of its commands), and is tried again each time.
 */
import { passTime } from "./clock.ts";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import type { LaneIndex } from "../../src/shared/lane.ts";
import { testSeed } from "../test-seed.ts";
import { Append, Deliver, DieInAppend, HandOn, Leave, Open, Retire, SetLane, StopInAppend } from "./spool-commands.ts";
import { SpoolModel } from "./spool-model.ts";
import { type Crash, crashes, SpoolUnderTest } from "./spool-under-test.ts";

interface FailingSeed {
	readonly seed: number;
	readonly path: string;
	readonly replayPath: string;
	readonly about: string;
}

const isLong = process.env["PYLOG_FAULTS"] === "long";
const longMs = 10 * 60_000;

/** Where numbers begin: as in a new spool, and so that 31, 32 and 33 bits are passed on the way. */
const firstNumbers = [1, 2 ** 31 - 20, 2 ** 32 - 20, 2 ** 33 - 20, 5 * 2 ** 32 + 2 ** 31 - 5];

function commandsOf(replayPath?: string): fc.Arbitrary<Iterable<fc.Command<SpoolModel, SpoolUnderTest>>> {
	const which = fc.nat(2);
	const lane = fc.constantFrom<LaneIndex>(0, 1, 1, 1);
	// Small ones fill tiny segments, large ones are larger than any of these.
	const size = fc.oneof(
		{ weight: 6, arbitrary: fc.nat(300) },
		{ weight: 4, arbitrary: fc.nat(5000) },
		{ weight: 1, arbitrary: fc.nat(150_000) },
	);
	const sizes = fc.array(size, { minLength: 1, maxLength: 25 });
	const crash = fc.oneof({ weight: 2, arbitrary: fc.constant<Crash>("none") }, fc.constantFrom(...crashes));
	const appends = fc.tuple(which, lane, sizes).map((given) => new Append(...given));
	const deliver = fc.tuple(fc.integer({ min: 1, max: 60 }), crash).map((given) => new Deliver(...given));
	const limit = fc.option(fc.constantFrom(32, 64, 256), { nil: undefined, freq: 3 });
	const step = fc.integer({ min: 1, max: 24 });
	return fc.commands(
		[
			fc.tuple(fc.boolean(), limit).map((given) => new Open(...given)),
			appends,
			appends,
			appends,
			fc.tuple(which, fc.constantFrom("closes", "dies")).map((given) => new Leave(...given)),
			fc.tuple(which, lane, size, step).map((given) => new DieInAppend(...given)),
			fc.tuple(which, lane, step, fc.array(fc.nat(300), { maxLength: 6 })).map((given) => new StopInAppend(...given)),
			fc.tuple(lane, fc.boolean()).map((given) => new SetLane(...given)),
			deliver,
			deliver,
			fc.constant(new Retire()),
			fc.constant(new HandOn()),
		],
		{ maxCommands: 60, size: "max", ...(replayPath === undefined ? {} : { replayPath }) },
	);
}

function propertyOf(replayPath?: string): fc.IProperty<[number, Iterable<fc.Command<SpoolModel, SpoolUnderTest>>]> {
	return fc.property(fc.constantFrom(...firstNumbers), commandsOf(replayPath), (first, commands) => {
		const model = new SpoolModel(first);
		const spool = new SpoolUnderTest(model);
		try {
			new Open(true, undefined).run(model, spool);
			fc.modelRun(() => ({ model, real: spool }), commands);
			expectDrained(model, spool);
		} finally {
			spool.dispose();
		}
	});
}

/** An odd number: nothing is read ahead, which nobody would deliver. */
const allAtOnce = 1_000_001;

function expectDrained(model: SpoolModel, spool: SpoolUnderTest): void {
	// A producer whose slot went to somebody else counts nothing: it is read once its death is known.
	spool.reader.checkLiveness(true);
	// A bound that a death left counts for a moment. Each batch may end early; with nothing more appended, so many are enough.
	for (let batch = 0; batch < 4; batch++) {
		spool.deliver(allAtOnce, "none");
		passTime(10);
	}
	expect([...model.waiting], "what was not read").toEqual([]);
	spool.retire();
	spool.deliver(allAtOnce, "none");
	spool.retire();
	expectNothingLeft(spool);
	for (const [producer, { counted, told, isVague }] of model.drops) {
		if (isVague || spool.producers.some((each) => each.producer.number === producer)) continue;
		expect(told + (spool.toldAtEnd.get(producer) ?? 0), `drops of producer ${producer}`).toBe(counted);
	}
	expect([spool.notes.damages, spool.notes.gaps]).toEqual([[], []]);
}

/** Only producers that live have folders, and what is counted as reserved is what their segments take. */
function expectNothingLeft(spool: SpoolUnderTest): void {
	const { paths } = spool.control;
	const left = readdirSync(paths.producers).map(Number);
	expect(new Set(left)).toEqual(new Set(spool.producers.map(({ producer }) => producer.number)));
	const sizes = left.flatMap((number) => {
		const folder = join(paths.producers, String(number));
		const files = readdirSync(folder).filter((name) => name.endsWith(".seg"));
		return files.map((name) => statSync(join(folder, name)).size);
	});
	expect(spool.control.load("reservedKib") | 0).toBe(sizes.reduce((sum, size) => sum + size, 0) / 1024);
}

test(
	"everything taken comes out once, in order, whatever happens in between",
	() => {
		const seed = testSeed();
		const long = { numRuns: 1_000_000, interruptAfterTimeLimit: longMs, markInterruptAsFailure: false };
		const details = fc.check(propertyOf(), { seed, ...(isLong ? long : { numRuns: 60 }) });
		console.info(`model of the spool: ${details.numRuns} runs, seed ${seed}`);
		const report = fc.defaultReportMessage(details) ?? "";
		if (details.failed) throw new Error(report, { cause: details.errorInstance });
		expect(details.numRuns, report).toBeGreaterThan(0);
	},
	isLong ? longMs * 3 : 300_000,
);

const failingSeeds = JSON.parse(
	readFileSync(new URL("failing-seeds.json", import.meta.url), "utf8"),
) as readonly FailingSeed[];

test("what once failed does not fail again", () => {
	for (const { seed, path, replayPath, about } of failingSeeds) {
		const details = fc.check(propertyOf(replayPath), { seed, path, endOnFailure: true, numRuns: 1 });
		expect(details.failed, `${about}: ${fc.defaultReportMessage(details) ?? ""}`).toBe(false);
	}
});

/**
 * An append is looked at from outside between any two of its steps in shared memory: what another producer appends
 * there, and what a reader reads there, is what another process could do at that moment.
 */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { lanes, type LaneIndex } from "../../src/shared/lane.ts";
import { ControlFile } from "../../src/spool/control-file.ts";
import { controlBytes } from "../../src/spool/control-layout.ts";
import { Producer } from "../../src/spool/producer.ts";
import { SpoolReader } from "../../src/spool/spool-reader.ts";
import { temporaryDirectory } from "../temporary-directory.ts";
import { endSilently } from "./silent-end.ts";
import { entryOf, messagesOf, newDefinition, type ReadRecord, ReaderNotes, readOn } from "./spool-records.ts";

/**
 * Moments of one append, each before a step in shared memory: bound, number, commit, count, clearing of the bound, and the
 * look at the doorbell. Bound and count are ordinary stores; they come right behind the load and the commit.
 */
const steps = [1, 2, 3, 4, 5, 6] as const;

class Died extends Error {}

afterEach(() => {
	vi.restoreAllMocks();
});

/** Runs `act`, and `at` before its step with this number. Returns how many steps there are. */
function interrupted(act: () => void, step: number, at: () => void): number {
	let count = 0;
	let isInside = false;
	const takeStep = (): void => {
		count += 1;
		if (count !== step) return;
		isInside = true;
		try {
			at();
		} finally {
			isInside = false;
		}
	};
	const spies = (["load", "store", "add", "exchange"] as const).map((name) => {
		const original = Atomics[name] as (...given: unknown[]) => never;
		return vi.spyOn(Atomics, name).mockImplementation((...given: unknown[]): never => {
			if (isInside) return original(...given);
			takeStep();
			const result = original(...given);
			const [words, , value] = given as [Int32Array, number, number];
			if (name === "store" && value !== 0 && words.length * 4 !== controlBytes) takeStep();
			return result;
		});
	});
	try {
		act();
	} finally {
		for (const spy of spies) spy.mockRestore();
	}
	return count;
}

class Scene {
	readonly cacheDir = temporaryDirectory();
	readonly definition = newDefinition();
	readonly otherDefinition = newDefinition({ name: "other" });
	readonly producer = Producer.open({ cacheDir: this.cacheDir });
	readonly other = Producer.open({ cacheDir: this.cacheDir });
	readonly notes = new ReaderNotes();
	readonly reader: SpoolReader;
	readonly read: ReadRecord[] = [];

	constructor(lane: LaneIndex) {
		const control = ControlFile.open(this.cacheDir);
		this.reader = new SpoolReader(control, undefined, this.notes);
		onTestFinished(() => {
			this.reader.close();
			this.other.close();
			control.close();
		});
		this.append(lane, "first");
		this.appendOther(lane, "other first");
		this.look();
		expect(messagesOf(this.read)).toEqual(["first", "other first"]);
	}

	append(lane: LaneIndex, message: string): void {
		this.producer.append(lane, entryOf(this.definition, message));
	}

	appendOther(lane: LaneIndex, message: string): void {
		this.other.append(lane, entryOf(this.otherDefinition, message));
	}

	/** As the logman does in a cycle. */
	look(): void {
		this.read.push(...readOn(this.reader));
		this.reader.markDelivered();
	}

	async lookUntilSettled(): Promise<void> {
		this.look();
		const giveUpMs = performance.now() + 5000;
		while (this.reader.isHeldUp && performance.now() < giveUpMs) {
			await sleep(2);
			this.look();
		}
	}

	expectOrder(): void {
		const numbers = this.read.map(({ queue }) => queue);
		expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
		expect(this.read.filter(({ late }) => late)).toEqual([]);
		expect(new Set(numbers).size).toBe(numbers.length);
		expect(this.notes.gaps).toEqual([]);
		expect(this.notes.damages).toEqual([]);
	}
}

describe.each([0, 1] as const)("an append to lane %i", (lane) => {
	it(`has the steps that are tried here, in the ${lanes[lane]} lane`, () => {
		const scene = new Scene(lane);
		expect(
			interrupted(
				() => scene.append(lane, "next"),
				0,
				() => undefined,
			),
		).toBe(steps.length);
		scene.producer.close();
	});

	it.each(steps)("keeps the order when another producer appends and a reader reads before step %i", (step) => {
		const scene = new Scene(lane);
		interrupted(
			() => scene.append(lane, "next"),
			step,
			() => {
				scene.appendOther(lane, "other next");
				scene.look();
			},
		);
		scene.look();
		scene.expectOrder();
		expect(messagesOf(scene.read).toSorted()).toEqual(["first", "next", "other first", "other next"]);
		scene.producer.close();
	});

	it.each(steps)(
		"keeps the order when a reader reads before step %i, and another has appended any time before",
		(step) => {
			for (const earlier of steps.filter((each) => each < step)) {
				const scene = new Scene(lane);
				// The reader looks at `step`, in the middle of an append that an append of the other one is in the middle of.
				interrupted(
					() => scene.append(lane, "next"),
					earlier,
					() => scene.appendOther(lane, "other next"),
				);
				interrupted(
					() => scene.append(lane, "last"),
					step,
					() => {
						scene.appendOther(lane, "other last");
						scene.look();
					},
				);
				scene.look();
				scene.expectOrder();
				expect(scene.read).toHaveLength(6);
				scene.producer.close();
			}
		},
	);

	it.each(steps)(
		"that ends with its process before step %i leaves the order and everything committed",
		async (step) => {
			const scene = new Scene(lane);
			const act = (): void => {
				interrupted(
					() => scene.append(lane, "next"),
					step,
					() => {
						throw new Died();
					},
				);
			};
			expect(act).toThrow(Died);
			endSilently(scene.producer);
			scene.appendOther(lane, "other next");
			await scene.lookUntilSettled();
			scene.expectOrder();
			const messages = messagesOf(scene.read);
			expect(messages).toContain("other next");
			expect(messages.filter((message) => message !== "next")).toEqual(["first", "other first", "other next"]);
			// What is committed is there at once, not when its death is noticed some other way.
			const reader = new SpoolReader(scene.other.control, undefined, scene.notes);
			const committed: string[] = [];
			reader.scan((record) => committed.push(record.bytes.toString("utf8", record.messageStart, record.fieldsStart)));
			reader.close();
			expect(messages.toSorted()).toEqual(committed.toSorted());
			expect(scene.reader.isHeldUp).toBe(false);
		},
	);
});

describe("a producer that is stopped in an append", () => {
	it("holds the others up for about a second; its record comes late then, and says so", () => {
		const scene = new Scene(1);
		const commit = 3;
		interrupted(
			() => scene.append(1, "next"),
			commit,
			() => {
				scene.appendOther(1, "other next");
				scene.look();
				expect(scene.read).toHaveLength(2);
				const startMs = performance.now();
				while (scene.read.length === 2 && performance.now() - startMs < 10_000) {
					Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10);
					scene.look();
				}
				expect(performance.now() - startMs).toBeGreaterThan(900);
				expect(messagesOf(scene.read)).toEqual(["first", "other first", "other next"]);
				expect(scene.reader.isHeldUp).toBe(false);
			},
		);
		scene.appendOther(1, "other last");
		scene.look();
		expect(scene.read.slice(3).map(({ message, late }) => [message, late])).toEqual([
			["next", true],
			["other last", false],
		]);
		expect(scene.notes.gaps).toEqual([]);
		scene.producer.close();
	});
});

describe("an append that goes on in a segment which was in use before", () => {
	const large = "x".repeat(6000);
	const noSteps = (): void => undefined;

	/** A scene after so many appends, each delivered; returns the steps of each. Time passes, so that segments stay small. */
	function afterAppends(count: number): { scene: Scene; steps: readonly number[] } {
		let nowMs = 1_795_328_728_000;
		vi.spyOn(Date, "now").mockImplementation(() => (nowMs += 1000));
		const scene = new Scene(1);
		const taken: number[] = [];
		for (let time = 0; time < count; time++) {
			taken.push(interrupted(() => scene.append(1, large), 0, noSteps));
			scene.look();
			scene.reader.publish();
		}
		return { scene, steps: taken };
	}

	it("leaves nothing that looks damaged when the producer ends before any of its steps", async () => {
		const dryRun = afterAppends(60);
		const changes = dryRun.steps.flatMap((count, at) => (count > steps.length + 2 ? [at] : []));
		expect(readdirSync(join(dryRun.scene.cacheDir, "producers", "1")).length).toBeLessThan(changes.length);
		dryRun.scene.producer.close();
		vi.restoreAllMocks();
		const last = changes.at(-1) as number;
		for (let step = 1; step <= (dryRun.steps[last] as number); step++) {
			const { scene } = afterAppends(last);
			const act = (): void => {
				interrupted(
					() => scene.append(1, large),
					step,
					() => {
						throw new Died();
					},
				);
			};
			expect(act).toThrow(Died);
			vi.restoreAllMocks();
			endSilently(scene.producer);
			await scene.lookUntilSettled();
			scene.reader.checkLiveness(true);
			scene.look();
			scene.expectOrder();
			expect(scene.reader.retire(), `step ${step}`).toEqual([]);
			expect(readdirSync(join(scene.cacheDir, "producers"))).toEqual(["2"]);
			expect(scene.notes.damages).toEqual([]);
		}
	});
});

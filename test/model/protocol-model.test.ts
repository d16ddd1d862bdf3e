/**
 * The models of model/ against the code, where that can be compared by a machine: the steps in shared memory, in their
 * order, are recorded from the code and read from the model as labels.
 */
import { readFileSync } from "node:fs";
import { afterEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { ControlFile } from "../../src/spool/control-file.ts";
import { controlWords, slotInBetween, slotWords } from "../../src/spool/control-layout.ts";
import { Producer } from "../../src/spool/producer.ts";
import { SpoolReader } from "../../src/spool/spool-reader.ts";
import { entryOf, newDefinition, ReaderNotes } from "../spool/spool-records.ts";
import { temporaryDirectory } from "../temporary-directory.ts";

interface Variant {
	readonly name?: string;
	readonly bug?: string;
	readonly breaks?: string;
	readonly claim?: string;
}

const models = JSON.parse(readFileSync("model/models.json", "utf8")) as Record<
	string,
	{ readonly holds: readonly Variant[]; readonly bugs: readonly Variant[] }
>;

afterEach(() => {
	vi.restoreAllMocks();
});

function sourceOf(model: string): string {
	return readFileSync(`model/${model}.pml`, "utf8");
}

/** The model without the code of its seeded bugs. Conditions on anything else count as true. */
function withoutBugs(source: string): readonly string[] {
	const kept: string[] = [];
	const conditions: boolean[] = [];
	for (const line of source.split("\n")) {
		const directive = /^#(ifdef|ifndef|if|elif|else|endif)\b(.*)/.exec(line);
		if (directive === null) {
			if (conditions.every(Boolean)) kept.push(line);
			continue;
		}
		const [, kind, condition = ""] = directive;
		const isOfBug = condition.includes("BUG_");
		if (kind === "endif") conditions.pop();
		else if (kind === "else") conditions.push(!(conditions.pop() as boolean));
		else if (kind === "elif") conditions.splice(-1, 1, !isOfBug);
		else conditions.push(!isOfBug || kind === "ifndef" || condition.includes("!defined"));
	}
	return kept;
}

/** Labels between two marks of a model. */
function labels(model: string, part: string): readonly string[] {
	const lines = withoutBugs(sourceOf(model));
	const from = lines.findIndex((line) => line.includes(`/* ${part}: begin`));
	const to = lines.findIndex((line) => line.includes(`/* ${part}: end`));
	expect(from).toBeGreaterThan(0);
	expect(to).toBeGreaterThan(from);
	return lines.slice(from, to).flatMap((line) => /^([a-z_]+):/.exec(line)?.[1] ?? []);
}

type Access = (name: string, words: Int32Array, word: number, value: unknown) => void;

/** Hands each access to shared words to `see`, before it is made, while `act` runs. */
function watched(act: () => void, see: Access): void {
	const names = ["load", "store", "add", "exchange", "compareExchange"] as const;
	const spies = names.map((name) => {
		const original = Atomics[name] as (...given: unknown[]) => never;
		return vi.spyOn(Atomics, name).mockImplementation((...given: unknown[]): never => {
			see(name, given[0] as Int32Array, given[1] as number, given[2]);
			return original(...given);
		});
	});
	try {
		act();
	} finally {
		for (const spy of spies) spy.mockRestore();
	}
}

describe("the model of an append", () => {
	it.each([0, 1] as const)("has the steps of the code, in the order of the code (lane %i)", (lane) => {
		const producer = Producer.open({ cacheDir: temporaryDirectory() });
		onTestFinished(() => producer.close());
		const definition = newDefinition();
		producer.append(lane, entryOf(definition, "first"));
		const control = producer.control.mapping.words;
		const slot = producer.control.slotWord(0);
		const steps: string[] = [];
		const nameOf = (name: string, word: number, value: unknown): string => {
			if (word === controlWords.nextNumber) return name === "add" ? "take_number" : "load_counter";
			if (word === slot + slotWords.bound && value === 0) return "clear_bound";
			// Atomic where the processor does not keep the order of stores.
			if (word === slot + slotWords.appended + lane) return "store_appended";
			return word === controlWords.sleeping ? "look_at_the_doorbell" : `${name} of word ${word}`;
		};
		const taken = producer.control.load("nextNumber");
		// Ordinary stores are no calls: that they were made is seen at the next one.
		const plain = { store_bound: slot + slotWords.bound, store_appended: slot + slotWords.appended + lane };
		const before = new Map(Object.values(plain).map((word) => [word, control[word]]));
		watched(
			() => producer.append(lane, entryOf(definition, "second")),
			(name, words, word, value) => {
				for (const [label, at] of Object.entries(plain)) {
					if (control[at] !== before.get(at) && control[at] !== 0 && !steps.includes(label)) steps.push(label);
				}
				if (words === control) steps.push(nameOf(name, word, value));
				// The number has to stand there when the length is stored.
				else steps.push(...(words[word + 2] === taken ? ["store_number"] : []), "store_length");
			},
		);
		expect(steps).toEqual([...labels("append", "append"), "look_at_the_doorbell"]);
	});

	it("looks at the counter, the slots and the new producers in the order of the code", () => {
		const cacheDir = temporaryDirectory();
		const producer = Producer.open({ cacheDir });
		const control = ControlFile.open(cacheDir);
		const reader = new SpoolReader(control, undefined, new ReaderNotes());
		onTestFinished(() => {
			reader.close();
			control.close();
			producer.close();
		});
		const names = new Map<number, string>([
			[controlWords.nextNumber, "read_counter"],
			[controlWords.slotsUsed, "read_used"],
			[control.slotWord(0) + slotWords.bound, "read_bound"],
			[controlWords.producersOpened, "read_opened"],
		]);
		const steps = new Set<string>();
		watched(
			() => reader.read(() => "on"),
			(_, __, word) => {
				const name = names.get(word);
				if (name !== undefined) steps.add(name);
			},
		);
		expect([...steps].filter((step) => step !== "read_bound")).toEqual(labels("append", "look"));
		expect([...steps].indexOf("read_bound")).toBe(2);
	});
});

describe("the model of a slot that is handed on", () => {
	it("has the steps of the code: owner, whether the logman tells, the words, owner", () => {
		const control = ControlFile.open(temporaryDirectory());
		onTestFinished(() => control.close());
		control.claimSlot(11);
		const start = control.slotWord(0);
		const steps = new Set<string>();
		watched(
			() => control.passSlot(0, 11, 12),
			(name, _, word, value) => {
				if (word === controlWords.telling) steps.add("look_at_telling");
				else if (word !== start) steps.add("clear_words");
				else steps.add(name === "store" ? `store_owner ${String(value)}` : "exchange_owner");
			},
		);
		expect([...steps]).toEqual(["exchange_owner", "look_at_telling", "clear_words", "store_owner 12"]);
		expect(slotInBetween).toBe(-1);
		const source = withoutBugs(sourceOf("handover")).join("\n");
		const places = ["owner == dead -> owner = IN_BETWEEN", "!telling || !lease -> handOver(me)"].map((each) =>
			source.indexOf(each),
		);
		expect(places[0]).toBeGreaterThan(0);
		expect(places[1]).toBeGreaterThan(places[0] as number);
		expect(source).toContain("inline handOver(whom) {\n\ttold = 0;\n\towner = whom\n}");
	});
});

describe.each(Object.keys(models))("the list of runs of the model %s", (name) => {
	const source = sourceOf(name);
	const { holds, bugs } = models[name] as (typeof models)[string];

	it("has each seeded bug of the model, and no other", () => {
		const seeded = new Set(source.match(/\bBUG_[A-Z_]+/g));
		expect(seeded).toEqual(new Set(bugs.map(({ bug }) => bug)));
	});

	it("lets seeded bugs break nothing but properties of the model", () => {
		const claims = [...source.matchAll(/^ltl (\w+)/gm)].map((found) => found[1]);
		const known = new Set([...source.matchAll(/MUST\((\w+),/g)].map((found) => found[1]).concat(claims));
		known.delete("property");
		for (const { breaks, claim } of bugs) expect([...known]).toContain(claim ?? breaks);
		expect(holds.length).toBeGreaterThan(0);
	});
});

it("README.md names every model, every property and every seeded bug", () => {
	const readme = readFileSync("model/README.md", "utf8");
	for (const [name, { bugs }] of Object.entries(models)) {
		expect(readme).toContain(`${name}.pml`);
		for (const { bug, breaks } of bugs) {
			expect(readme).toContain(`\`${String(bug)}\``);
			expect(readme).toContain(`\`${String(breaks)}\``);
		}
	}
});

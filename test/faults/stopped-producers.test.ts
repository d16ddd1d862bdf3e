/**
 * Producers that are stopped (SIGSTOP, a debugger, a frozen container) for longer than anybody waits for them, anywhere in
 * what they do, while others log and the logman delivers. Continued, or killed instead.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { beforeEach, describe, expect, it, onTestFinished, test } from "vitest";
import { crashPoints } from "../../scripts/crash-points.mjs";
import { ControlFile } from "../../src/spool/control-file.ts";
import { slotWords } from "../../src/spool/control-layout.ts";
import { passOverMs } from "../../src/spool/horizon.ts";
import { spoolPaths } from "../../src/spool/paths.ts";
import { type FixtureProcess, startFixture } from "../fixture-process.ts";
import { LineWriter } from "../line-writer.ts";
import { cacheDirectory, linesOf, until } from "../running-logman.ts";
import { temporaryDirectory } from "../temporary-directory.ts";
import { appendSteps, commitStep, expectOneOrder, jsonLinesOf, SelfStopper } from "./stopped-processes.ts";

let cacheDir: string;
let path: string;

beforeEach(() => {
	cacheDir = cacheDirectory();
	path = join(temporaryDirectory(), "app.log");
});

async function startLogman(options: object = {}): Promise<FixtureProcess> {
	const logman = startFixture("logman-process", cacheDir, JSON.stringify(options));
	expect(await logman.line()).toBe("ready");
	return logman;
}

async function openedStopper(name: string): Promise<SelfStopper> {
	const stopper = new SelfStopper(cacheDir, path, name);
	await stopper.run("open");
	return stopper;
}

/** Lines of somebody else, logged while others are stopped. Returns when all are in the file. */
async function logOthers(writer: LineWriter, count: number, what: string): Promise<string[]> {
	const lines = Array.from({ length: count }, (_, index) => `other ${what} ${index}`);
	for (const line of lines) {
		writer.write(path, line);
		await sleep(2);
	}
	await until(() => linesOf(path).includes(lines.at(-1) as string));
	return lines;
}

const otherLines = (): string[] => linesOf(path).filter((line) => line.startsWith("other "));

/** The slots of producers that have appended once, and are stopped at each step of the next append, in any order. */
function expectSlotsAsStopped(): void {
	const control = ControlFile.open(cacheDir);
	const { words } = control.mapping;
	const found: string[] = [];
	for (let slot = 0; slot < control.load("slotsUsed"); slot++) {
		const at = control.slotWord(slot);
		const appended = (words[at + slotWords.appended] as number) + (words[at + slotWords.appended + 1] as number);
		// Somebody else has logged more.
		if (appended <= 2) found.push(`${appended} appended, bound ${words[at + slotWords.bound] === 0 ? "none" : "set"}`);
	}
	control.close();
	const clearStep = appendSteps.indexOf("append.clear");
	const meant = appendSteps.map((_, index) => {
		const isBound = index >= appendSteps.indexOf("append.number") && index <= clearStep;
		return `${index >= clearStep ? 2 : 1} appended, bound ${isBound ? "set" : "none"}`;
	});
	expect(found.toSorted()).toEqual(meant.toSorted());
}

async function afterDeadline(): Promise<void> {
	await sleep(passOverMs * 1.5);
}

function expectNothingDamaged(): void {
	const paths = spoolPaths(cacheDir);
	expect(readdirSync(paths.quarantine)).toEqual([]);
	expect(existsSync(paths.errorLog) ? readFileSync(paths.errorLog, "utf8") : "").toBe("");
}

test("the steps of an append at which producers are stopped are all that the code names", () => {
	const named = crashPoints().filter(({ name }) => name.startsWith("append."));
	const stoppedAt = appendSteps.filter((name) => name.startsWith("append."));
	expect(stoppedAt.toSorted()).toEqual(named.map(({ name }) => name).toSorted());
});

describe.each(["log", "debug"] as const)("producers stopped at each step of an append (%s)", (verb) => {
	async function stopped(): Promise<{ stoppers: SelfStopper[]; others: LineWriter; expected: string[] }> {
		await startLogman();
		const others = new LineWriter(cacheDir);
		onTestFinished(() => others.close());
		const stoppers = await Promise.all(appendSteps.map((_, index) => openedStopper(`step-${index + 1}`)));
		for (const stopper of stoppers) await stopper.run(verb, "first");
		const expected = await logOthers(others, 5, "before");
		await Promise.all(stoppers.map((stopper, index) => stopper.stopIn(verb, appendSteps[index] as string, "stopped")));
		expectSlotsAsStopped();
		expected.push(...(await logOthers(others, 300, "meanwhile")));
		await afterDeadline();
		return { stoppers, others, expected };
	}

	it("lose nothing when they are continued; what they commit late is marked", async () => {
		const { stoppers, others, expected } = await stopped();
		for (const stopper of stoppers) stopper.continue();
		for (const stopper of stoppers) {
			// All there are, each in its place: who has woken the logman behind them has more.
			expect((await stopper.answer()).slice(0, appendSteps.length)).toEqual(appendSteps);
		}
		for (const stopper of stoppers) await stopper.run(verb, "last");
		expected.push(...(await logOthers(others, 5, "after")));
		await until(() => jsonLinesOf(path).length === 3 * stoppers.length);
		expect(otherLines()).toEqual(expected);
		for (const [index, { name }] of stoppers.entries()) {
			const lines = jsonLinesOf(path, name);
			expect(lines.map(({ msg }) => msg)).toEqual(["first", "stopped", "last"]);
			// All that others logged was in the normal lane: in the other one nothing of theirs was passed.
			const late = appendSteps[index] === commitStep ? ["stopped"] : [];
			const wasPassed = verb === "log" || lines.some(({ late: isLate }) => isLate === true);
			expect(lines.filter((line) => line.late === true).map(({ msg }) => msg)).toEqual(wasPassed ? late : []);
		}
		if (verb === "log") expectOneOrder(jsonLinesOf(path));
		expectNothingDamaged();
	});

	it("leave what they had committed when they are killed, and nothing else", async () => {
		const { stoppers, others, expected } = await stopped();
		for (const { fixture } of stoppers) await fixture.kill();
		expected.push(...(await logOthers(others, 5, "after")));
		await until(() => readdirSync(spoolPaths(cacheDir).producers).length === 1);
		expect(otherLines()).toEqual(expected);
		for (const [index, { name }] of stoppers.entries()) {
			const messages = jsonLinesOf(path, name).map(({ msg }) => msg);
			expect(messages).toEqual(index > appendSteps.indexOf(commitStep) ? ["first", "stopped"] : ["first"]);
		}
		expectNothingDamaged();
	});
});

describe("a producer that wakes the logman", () => {
	it.each(["exchange", "wake"])("and is stopped before the %s delays others by a second at most", async (before) => {
		await startLogman();
		const stopper = await openedStopper("ringing");
		const others = new LineWriter(cacheDir);
		onTestFinished(() => others.close());
		let names = await stopper.run("log", "a line");
		do {
			// It sleeps only when it has had nothing to do for a while.
			await sleep(300);
			names = await stopper.run("log", "a line");
		} while (!names.includes("wake"));
		const step = names.findIndex((name) => name.startsWith(before)) + 1;
		do {
			await sleep(300);
			stopper.begin("log", step, "a line");
		} while (!(await stopper.settled()));
		const startMs = performance.now();
		await logOthers(others, 1, "meanwhile");
		expect(performance.now() - startMs).toBeLessThan(10_000);
		await until(() => jsonLinesOf(path).length === stopper.logged);
		stopper.continue();
	});
});

/** Producers that log long lines, and what they have logged: each line's text without its padding. */
class Roller {
	readonly stopper: SelfStopper;
	readonly #expected: string[] = [];
	/** Lines of the last roll. */
	#count = 0;
	#text = "";

	constructor(stopper: SelfStopper) {
		this.stopper = stopper;
	}

	/** Logs until the segment changes, and stops before a step of the append that does. */
	begin(step: number, text: string): void {
		this.#text = text;
		this.stopper.begin("roll", step, text);
	}

	/** Names of the steps of the append that changed the segment. */
	async end(): Promise<readonly string[]> {
		this.stopper.continue();
		const names = await this.stopper.answer();
		this.#count = Number.parseInt(names.pop() as string, 10);
		this.#expected.push(...this.#lines(this.#count));
		return names;
	}

	async warm(text: string): Promise<void> {
		this.begin(0, text);
		await this.end();
	}

	/** Every line whose call had returned is in the file, in order; of one that was killed, the last one may be. */
	check(isKilled: boolean): void {
		const lines = jsonLinesOf(path, this.stopper.name).map(({ msg }) => msg.replace(/ \.+$/, ""));
		if (!isKilled) {
			expect(lines).toEqual(this.#expected);
			return;
		}
		const least = [...this.#expected, ...this.#lines(this.#count - 1)];
		expect([least, [...least, `${this.#text} ${this.#count}`]]).toContainEqual(lines);
	}

	#lines(count: number): string[] {
		return Array.from({ length: count }, (_, index) => `${this.#text} ${index + 1}`);
	}
}

describe("producers stopped in a change of segments", () => {
	const atOnce = 8;

	async function rollers(round: number, warmRolls: number): Promise<Roller[]> {
		const made = Array.from({ length: atOnce }, async (_, index) => {
			const roller = new Roller(await openedStopper(`${round}-${index}`));
			for (let time = 0; time < warmRolls; time++) await roller.warm(`warm ${time}`);
			return roller;
		});
		return Promise.all(made);
	}

	/**
	 * Stops one at each step in turn, some at a time, and continues or kills them.
	 *
	 * @param warmRolls Changes of the segment before: from the third on the next one is made ahead, and then used again.
	 * @returns The names of the steps; none where they are killed.
	 */
	async function stopAtEach(warmRolls: number, isFresh: boolean, isKilled: boolean): Promise<string[][]> {
		await startLogman();
		using others = new LineWriter(cacheDir);
		const expectedOthers: string[] = [];
		const names: string[][] = [];
		const all: Roller[] = [];
		let now: Roller[] = [];
		for (let first = 1, isOver = false; !isOver; first += atOnce) {
			if (isFresh || isKilled || now.length === 0) {
				if (!isKilled) for (const { stopper } of now) await stopper.fixture.kill();
				now = await rollers(first, warmRolls);
				all.push(...now);
			}
			now.forEach((roller, index) => roller.begin(first + index, `from ${first}`));
			const stopped = await Promise.all(now.map((roller) => roller.stopper.settled()));
			isOver = !stopped.includes(true);
			expectedOthers.push(...(await logOthers(others, 30, `from ${first}`)));
			await afterDeadline();
			if (isKilled) for (const { stopper } of now) await stopper.fixture.kill();
			else for (const roller of now) names.push([...(await roller.end())]);
		}
		expectedOthers.push(...(await logOthers(others, 1, "last")));
		for (const { stopper } of all) await stopper.fixture.kill();
		await until(() => readdirSync(spoolPaths(cacheDir).producers).length === 1);
		for (const roller of all) roller.check(isKilled);
		expect(otherLines()).toEqual(expectedOthers);
		expectOneOrder(jsonLinesOf(path));
		expectNothingDamaged();
		return names;
	}

	it.each([
		["makes its first", 0, true, "segment.create"],
		["makes another one", 1, true, "segment.create"],
		["uses one again", 4, false, "segment.link"],
	])(
		"lose nothing where it %s, and nothing of theirs is overwritten",
		async (_, warmRolls, isFresh, kind) => {
			const names = await stopAtEach(warmRolls, isFresh, false);
			expect(names.flat()).toEqual(expect.arrayContaining(["segment.begin", kind, ...appendSteps]));
			console.info(`stopped before each of ${Math.max(...names.map(({ length }) => length))} steps`);
		},
		120_000,
	);

	it("while the logman is stopped use no segment again that it has not read", async () => {
		const logman = await startLogman();
		const all = await rollers(1, 3);
		process.kill(logman.pid, "SIGSTOP");
		for (let time = 0; time < 4; time++) await Promise.all(all.map((roller) => roller.warm(`stopped ${time}`)));
		process.kill(logman.pid, "SIGCONT");
		for (let time = 0; time < 4; time++) await Promise.all(all.map((roller) => roller.warm(`on ${time}`)));
		await logman.kill("SIGTERM");
		for (const roller of all) roller.check(false);
		expectNothingDamaged();
	}, 120_000);

	it("and killed there leave what they had logged", async () => {
		expect(await stopAtEach(4, true, true)).toEqual([]);
	}, 120_000);
});

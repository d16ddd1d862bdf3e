/** Processes that are stopped: how to know that they are, what they logged, and how that came out. */
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "vitest";
import { controlWords } from "../../src/spool/control-layout.ts";
import { type FixtureProcess, startFixture } from "../fixture-process.ts";
import { linesOf } from "../running-logman.ts";

/** Letter of a process's state: T is stopped, Z dead and not waited for; undefined where there is none. */
export function stateOf(pid: number): string | undefined {
	try {
		return /\) (\w)/.exec(readFileSync(`/proc/${pid}/stat`, "latin1"))?.[1];
	} catch {
		return undefined;
	}
}

export async function untilStopped(pid: number): Promise<void> {
	while (stateOf(pid) !== "T") {
		if (stateOf(pid) === undefined || stateOf(pid) === "Z") throw new Error(`process ${pid} has ended`);
		await sleep(2);
	}
}

type Verb = "open" | "log" | "debug" | "roll" | "close";

/** Number of a step, from 1, or its name; see test/fixtures/stopped-producer.ts. 0 is none. */
type Step = number | string;

/**
 * Steps of an append: the look at the counter, bound, number, commit, count, end of the bound, and the look whether the
 * logman sleeps. Those of docs/crash-points.md have their names from there, and each is a stop before it.
 */
export const appendSteps = [
	"append.bound",
	"bound-store",
	"append.number",
	"append.commit",
	"append.count",
	"append.clear",
	`load:${controlWords.sleeping}`,
] as const;
/** The number is taken and the record is not committed. */
export const commitStep = "append.commit" satisfies (typeof appendSteps)[number];

/** A producer that stops itself; see test/fixtures/stopped-producer.ts. */
export class SelfStopper {
	readonly name: string;
	readonly fixture: FixtureProcess;
	/** Calls that were made, or were begun. */
	logged = 0;
	#answer: Promise<string[]> | undefined;

	constructor(cacheDir: string, path: string, name: string) {
		this.name = name;
		this.fixture = startFixture("stopped-producer", cacheDir, path, name);
	}

	/** Does something without a stop. Returns the names of its steps. */
	run(verb: Verb, text = ""): Promise<string[]> {
		this.begin(verb, 0, text);
		return this.answer();
	}

	/** Does something, and stops itself before a step of it. Resolves when it is stopped; fails where there is no such step. */
	async stopIn(verb: Verb, step: Step, text = ""): Promise<void> {
		this.begin(verb, step, text);
		if (!(await this.settled())) throw new Error(`${verb} has no step ${step}: ${(await this.answer()).join(", ")}`);
	}

	/** Begins something, and stops itself before a step of it if there is such a one. */
	begin(verb: Verb, step: Step, text = ""): void {
		if (verb === "log" || verb === "debug") this.logged += 1;
		this.fixture.tell(`${verb} ${step} ${text}`);
		this.#answer = this.fixture.line().then((line) => JSON.parse(line) as string[]);
		this.#answer.catch(() => undefined);
	}

	/** Resolves when it is stopped, or has come to its end without. Returns whether it is stopped. */
	settled(): Promise<boolean> {
		const isStopped = untilStopped(this.fixture.pid).then(() => true);
		isStopped.catch(() => undefined);
		return Promise.race([isStopped, this.answer().then(() => false)]);
	}

	/** Continues it if it is stopped. */
	continue(): void {
		process.kill(this.fixture.pid, "SIGCONT");
	}

	/** Names of the steps of what was begun last, when it is done. */
	answer(): Promise<string[]> {
		return this.#answer as Promise<string[]>;
	}
}

export interface JsonLine {
	readonly queue: number;
	readonly name: string;
	readonly msg: string;
	readonly late?: true;
}

/** The lines of a logger with a name, in the order of the file. */
export function jsonLinesOf(path: string, name?: string): JsonLine[] {
	return linesOf(path)
		.filter((line) => line.startsWith("{"))
		.map((line) => JSON.parse(line) as JsonLine)
		.filter((line) => name === undefined || line.name === name);
}

/** Each line that is not late has a higher number than those before it that are not. */
export function expectOneOrder(lines: readonly JsonLine[]): void {
	const numbers = lines.filter(({ late }) => late !== true).map(({ queue }) => queue);
	expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
	expect(new Set(lines.map(({ queue }) => queue)).size).toBe(lines.length);
}

/** Processes that are stopped while they open a spool, make it, or leave it: nobody else waits for them, nothing is lost. */
import { existsSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { beforeEach, describe, expect, it, onTestFinished, vi } from "vitest";
import type { PylogError } from "../../src/shared/errors.ts";
import { ControlFile } from "../../src/spool/control-file.ts";
import { spoolPaths } from "../../src/spool/paths.ts";
import { sweepDrafts } from "../../src/spool/producer-claim.ts";
import { startFixture } from "../fixture-process.ts";
import { LineWriter } from "../line-writer.ts";
import { cacheDirectory, drain, linesOf, until } from "../running-logman.ts";
import { temporaryDirectory } from "../temporary-directory.ts";
import { jsonLinesOf, SelfStopper } from "./stopped-processes.ts";

let cacheDir: string;
let path: string;

beforeEach(() => {
	cacheDir = join(cacheDirectory(), "spool");
	path = join(temporaryDirectory(), "app.log");
});

/** Names of the steps of opening the spool, and of leaving it. */
async function stepsOf(verb: "open" | "close"): Promise<string[]> {
	const stopper = new SelfStopper(cacheDir, `${path}.dry-run`, "dry-run");
	let steps = await stopper.run("open");
	if (verb === "close") {
		await stopper.run("log", "a line");
		await drain(cacheDir);
		steps = await stopper.run("close");
	}
	await stopper.fixture.kill();
	return steps;
}

function makeSpool(): void {
	ControlFile.open(cacheDir).close();
}

/** One for each of the steps, stopped before it if it comes to it. */
async function stopAtEach(verb: "open" | "close", steps: readonly string[]): Promise<SelfStopper[]> {
	return Promise.all(
		steps.map(async (_, index) => {
			const stopper = new SelfStopper(cacheDir, path, `step-${index + 1}`);
			if (verb === "close") {
				await stopper.run("open");
				await stopper.run("log", "first");
			}
			stopper.begin(verb, index + 1);
			await stopper.settled();
			return stopper;
		}),
	);
}

/** Somebody else opens the spool, logs and leaves. */
function logOther(line: string): void {
	using writer = new LineWriter(cacheDir);
	expect(writer.write(path, line)).toBe(true);
}

function expectNothingDamaged(): void {
	const paths = spoolPaths(cacheDir);
	expect(readdirSync(paths.quarantine)).toEqual([]);
	expect(existsSync(paths.errorLog) ? readFileSync(paths.errorLog, "utf8") : "").toBe("");
}

describe("processes stopped at each step of opening a spool", () => {
	it.each([
		["continued: they log as if nothing had been", false],
		["killed: they leave nothing behind", true],
	])("hold up nobody, and %s", async (_, isKilled) => {
		makeSpool();
		const steps = await stepsOf("open");
		expect(steps).toContain("producer.name");
		const logman = startFixture("logman-process", cacheDir);
		expect(await logman.line()).toBe("ready");
		const stoppers = await stopAtEach("open", steps);
		const startMs = performance.now();
		logOther("one");
		await until(() => linesOf(path).includes("one"));
		expect(performance.now() - startMs).toBeLessThan(10_000);
		for (const stopper of stoppers) {
			if (isKilled) await stopper.fixture.kill();
			else stopper.continue();
		}
		if (!isKilled) {
			for (const stopper of stoppers) await stopper.answer();
			for (const stopper of stoppers) await stopper.run("log", `of ${stopper.name}`);
			await until(() => jsonLinesOf(path).length === stoppers.length);
			expect(new Set(jsonLinesOf(path).map(({ msg }) => msg)).size).toBe(stoppers.length);
			for (const { fixture } of stoppers) await fixture.kill();
		}
		logOther("two");
		await logman.kill("SIGTERM");
		expect(linesOf(path).filter((line) => !line.startsWith("{"))).toEqual(["one", "two"]);
		const { producers } = spoolPaths(cacheDir);
		vi.spyOn(Date, "now").mockReturnValue(Date.now() + 120_000);
		onTestFinished(() => void vi.restoreAllMocks());
		sweepDrafts(spoolPaths(cacheDir));
		expect(readdirSync(producers)).toEqual([]);
		expectNothingDamaged();
	});

	// Whoever opened a spool held a lock on it, and all others waited for that without end.
	it("hold up nobody who opens it, however many they are", async () => {
		makeSpool();
		const steps = await stepsOf("open");
		await stopAtEach("open", steps);
		const holder = startFixture("lock-holder", spoolPaths(cacheDir).control);
		await holder.line();
		process.kill(holder.pid, "SIGSTOP");
		const startMs = performance.now();
		for (let time = 0; time < 20; time++) logOther(`line ${time}`);
		expect(performance.now() - startMs).toBeLessThan(10_000);
		await drain(cacheDir);
		expect(linesOf(path)).toHaveLength(20);
	});

	// Its folder was gone when it went on: making the logger failed.
	it("begin anew where the folder they were making was taken for a dead one's", async () => {
		makeSpool();
		const steps = await stepsOf("open");
		const places = ["producer.lock", "producer.name"].map((name) => steps.indexOf(name) + 1);
		const stoppers = places.map(() => new SelfStopper(cacheDir, path, "swept"));
		await Promise.all(stoppers.map((stopper, index) => stopper.stopIn("open", places[index] as number)));
		vi.spyOn(Date, "now").mockReturnValue(Date.now() + 120_000);
		onTestFinished(() => void vi.restoreAllMocks());
		sweepDrafts(spoolPaths(cacheDir));
		for (const stopper of stoppers) stopper.continue();
		for (const stopper of stoppers) {
			await stopper.answer();
			await stopper.run("log", "a line");
		}
		await drain(cacheDir);
		expect(jsonLinesOf(path)).toHaveLength(stoppers.length);
	});

	// Its folder was in the new directory and its slot in the old one: what it logged was never written.
	it("go to the new cache directory where the old one was removed meanwhile, and made again", async () => {
		makeSpool();
		const steps = await stepsOf("open");
		// Behind that it is one of those who use the directory.
		const stoppers = await stopAtEach("open", steps.slice(0, steps.indexOf("producer.name") + 1));
		renameSync(cacheDir, `${cacheDir}.old`);
		rmSync(`${cacheDir}.old`, { recursive: true });
		makeSpool();
		const logman = startFixture("logman-process", cacheDir);
		expect(await logman.line()).toBe("ready");
		for (const stopper of stoppers) stopper.continue();
		for (const stopper of stoppers) {
			await stopper.answer();
			await stopper.run("log", `of ${stopper.name}`);
		}
		await until(() => jsonLinesOf(path).length === stoppers.length);
		await logman.kill("SIGTERM");
		expect(jsonLinesOf(path)).toHaveLength(stoppers.length);
	}, 120_000);
});

describe("a process stopped while it makes the spool", () => {
	/** One makes a spool and is stopped before a step of that, another one comes to it meanwhile. */
	async function meetAt(step: number): Promise<void> {
		const directory = join(cacheDirectory(), "spool");
		const file = join(temporaryDirectory(), "app.log");
		const maker = new SelfStopper(directory, file, "maker");
		maker.begin("open", step);
		await maker.settled();
		const other = new SelfStopper(directory, file, "other");
		other.begin("open", 0);
		await sleep(20);
		maker.continue();
		await Promise.all([maker.answer(), other.answer()]);
		await maker.run("log", "one");
		await other.run("log", "two");
		await drain(directory);
		expect(jsonLinesOf(file).map(({ queue, msg }) => [queue, msg])).toEqual([
			[1, "one"],
			[2, "two"],
		]);
		expect(readdirSync(spoolPaths(directory).quarantine)).toEqual([]);
		await Promise.all([maker.fixture.kill(), other.fixture.kill()]);
	}

	it("at any step, and continued, leaves a whole one to all who came meanwhile", async () => {
		const steps = await stepsOf("open");
		expect(steps).toContain("control.renew");
		expect(steps).toContain("control.magic");
		for (let first = 1; first <= steps.length; first += 5) {
			await Promise.all([0, 1, 2, 3, 4].map((index) => meetAt(first + index)));
		}
	}, 120_000);

	// Everybody else waited for it without end.
	it("is waited for, but not for ever: who gives up is told why", async () => {
		const steps = await stepsOf("open");
		rmSync(cacheDir, { recursive: true });
		const maker = new SelfStopper(cacheDir, path, "maker");
		await maker.stopIn("open", steps.indexOf("control.magic") + 1);
		let error: PylogError | undefined;
		try {
			makeSpool();
		} catch (cause) {
			error = cause as PylogError;
		}
		expect(error?.code).toBe("PYLOG_SPOOL_UNUSABLE");
		expect(error?.message).toContain("it may be stopped");
		await maker.fixture.kill();
		makeSpool();
		logOther("a line");
		await drain(cacheDir);
		expect(linesOf(path)).toEqual(["a line"]);
	}, 120_000);
});

describe("processes stopped at each step of leaving a spool", () => {
	it.each([
		["continued", false],
		["killed", true],
	])("and %s lose nothing, and are cleared away", async (_, isKilled) => {
		makeSpool();
		const steps = await stepsOf("close");
		const logman = startFixture("logman-process", cacheDir);
		expect(await logman.line()).toBe("ready");
		const stoppers = await stopAtEach("close", [...steps, "after the last"]);
		logOther("one");
		await until(() => linesOf(path).includes("one"));
		for (const stopper of stoppers) {
			if (isKilled) await stopper.fixture.kill();
			else stopper.continue();
		}
		if (!isKilled) for (const stopper of stoppers) await stopper.answer();
		await until(() => readdirSync(spoolPaths(cacheDir).producers).length === 0);
		expect(
			jsonLinesOf(path)
				.map(({ name }) => name)
				.toSorted(),
		).toEqual(stoppers.map(({ name }) => name).toSorted());
		expectNothingDamaged();
	});
});

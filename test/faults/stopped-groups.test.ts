/** Everybody is stopped and continued, as a container or a terminal's job is; and logmans change while a producer is stopped. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { beforeEach, expect, onTestFinished, test } from "vitest";
import { passOverMs } from "../../src/spool/horizon.ts";
import { spoolPaths } from "../../src/spool/paths.ts";
import { fixturePath, startFixture } from "../fixture-process.ts";
import { LineWriter } from "../line-writer.ts";
import { cacheDirectory, endProcess, linesOf, logmanPid, until } from "../running-logman.ts";
import { temporaryDirectory } from "../temporary-directory.ts";
import { commitStep, expectOneOrder, jsonLinesOf, SelfStopper, stateOf, untilStopped } from "./stopped-processes.ts";

let cacheDir: string;
let path: string;

beforeEach(() => {
	cacheDir = cacheDirectory();
	path = join(temporaryDirectory(), "app.log");
});

interface Group {
	readonly logman: number;
	readonly producers: readonly number[];
	readonly folder: string;
	signal(signal: NodeJS.Signals): void;
	/** Ends the producers, and lets the logman drain. */
	end(): Promise<void>;
}

async function startGroup(): Promise<Group> {
	const folder = join(temporaryDirectory(), "said");
	mkdirSync(folder);
	const leader = spawn(process.execPath, [fixturePath("stopped-group"), cacheDir, path, folder], { detached: true });
	const group = -(leader.pid as number);
	const closed = once(leader, "close");
	onTestFinished(async () => {
		endProcess(group);
		leader.stdout.resume();
		await closed;
	});
	let errors = "";
	leader.stderr.on("data", (text) => (errors += text));
	const lines = createInterface({ input: leader.stdout })[Symbol.asyncIterator]();
	const { logman, producers } = JSON.parse((await lines.next()).value as string) as Group;
	return {
		logman,
		producers,
		folder,
		signal: (signal) => void process.kill(group, signal),
		end: async () => {
			leader.stdin.write("end\n");
			expect((await lines.next()).value).toBe("ended");
			expect(errors).toBe("");
		},
	};
}

/** What the producers of a group were told that is logged is in the file, once and in order, and at most one more line. */
function expectLedger({ folder }: Group): void {
	const lines = linesOf(path);
	for (const name of ["a", "b", "c"]) {
		const told = linesOf(join(folder, name)).map(Number);
		for (const isUrgent of [true, false]) {
			const inLane = (number: number): boolean => (number % 3 === 0) === isUrgent;
			const written = lines
				.filter((line) => line.startsWith(`${name} `))
				.map((line) => Number(line.split(" ")[1]))
				.filter(inLane);
			const expected = told.filter(inLane);
			expect(written.slice(0, expected.length)).toEqual(expected);
			expect(written.length - expected.length).toBeLessThanOrEqual(1);
		}
	}
}

test("a group that is stopped and continued loses nothing; a second logman does not take over meanwhile", async () => {
	const group = await startGroup();
	await until(() => logmanPid(cacheDir) === group.logman && linesOf(path).length > 100);
	for (let round = 1; round <= 3; round++) {
		group.signal("SIGSTOP");
		await Promise.all([group.logman, ...group.producers].map((pid) => untilStopped(pid)));
		const { length } = linesOf(path);
		const second = startFixture("logman-process", cacheDir);
		expect(await second.line()).toContain(`process ${group.logman}, since `);
		await second.ended();
		await sleep(passOverMs * 1.5);
		expect(linesOf(path)).toHaveLength(length);
		group.signal("SIGCONT");
		await until(() => linesOf(path).length > length + 100);
	}
	await group.end();
	expectLedger(group);
	expect(readFileSync(join(group.folder, "logman"), "utf8")).toBe("ready\nleft\n");
	expect(existsSync(spoolPaths(cacheDir).errorLog)).toBe(false);
});

test("a group that is killed while it is stopped loses nothing", async () => {
	const group = await startGroup();
	await until(() => linesOf(path).length > 100);
	group.signal("SIGSTOP");
	await Promise.all([group.logman, ...group.producers].map((pid) => untilStopped(pid)));
	group.signal("SIGKILL");
	await until(() => [group.logman, ...group.producers].every((pid) => (stateOf(pid) ?? "Z") === "Z"));
	const next = startFixture("logman-process", cacheDir);
	expect(await next.line()).toBe("ready");
	await next.kill("SIGTERM");
	expectLedger(group);
});

// The logman counted the time in which it was stopped itself, and passed over a producer that went on at the same moment.
test("what a producer was about to commit when everybody was stopped is not late when everybody goes on", async () => {
	const logman = startFixture("logman-process", cacheDir);
	expect(await logman.line()).toBe("ready");
	using writer = new LineWriter(cacheDir);
	const stopper = new SelfStopper(cacheDir, path, "stopped");
	await stopper.run("open");
	let number = 0;
	for (let goodRounds = 0; goodRounds < 2; ) {
		number += 1;
		writer.write(path, "before");
		const startMs = performance.now();
		await stopper.stopIn("log", commitStep, `line ${number}`);
		writer.write(path, "behind it");
		await sleep(100);
		process.kill(logman.pid, "SIGSTOP");
		await untilStopped(logman.pid);
		const beforeMs = performance.now() - startMs;
		await sleep(passOverMs * 2);
		const continuedMs = performance.now();
		process.kill(logman.pid, "SIGCONT");
		await sleep(50);
		stopper.continue();
		await stopper.answer();
		// On a busy machine the deadline may have passed in the time that they really ran.
		const wasInTime = beforeMs + performance.now() - continuedMs < passOverMs / 2;
		await until(() => jsonLinesOf(path).length === number);
		if (!wasInTime) continue;
		goodRounds += 1;
		expect(jsonLinesOf(path).at(-1)).not.toHaveProperty("late");
	}
	await until(() => linesOf(path).length === 3 * number);
	expectOneOrder(jsonLinesOf(path));
});

test.each(["SIGTERM", "SIGKILL"] as const)(
	"a producer stopped while one logman goes (%s) and another comes loses nothing, and its line is late",
	async (signal) => {
		const first = startFixture("logman-process", cacheDir);
		expect(await first.line()).toBe("ready");
		using writer = new LineWriter(cacheDir);
		const stopper = new SelfStopper(cacheDir, path, "stopped");
		await stopper.run("open");
		await stopper.run("log", "first");
		await stopper.stopIn("log", commitStep, "second");
		writer.write(path, "one");
		await first.kill(signal);
		if (signal === "SIGTERM") expect(linesOf(path)).toContain("one");
		writer.write(path, "two");
		const second = startFixture("logman-process", cacheDir);
		expect(await second.line()).toBe("ready");
		await until(() => linesOf(path).includes("two"));
		stopper.continue();
		await stopper.answer();
		await stopper.run("log", "third");
		await until(() => jsonLinesOf(path).length === 3);
		expect(jsonLinesOf(path).map(({ msg, late }) => [msg, late])).toEqual([
			["first", undefined],
			["second", true],
			["third", undefined],
		]);
		expect(linesOf(path).filter((line) => !line.startsWith("{"))).toEqual(["one", "two"]);
	},
);

test("a logman with an idle time does not leave a stopped producer alone, and leaves when that is dead", async () => {
	const stopper = new SelfStopper(cacheDir, path, "stopped");
	await stopper.run("open");
	const logman = startFixture("logman-process", cacheDir, JSON.stringify({ idleExitMs: 200 }));
	expect(await logman.line()).toBe("ready");
	await stopper.stopIn("log", commitStep, "a line");
	await sleep(passOverMs * 2);
	expect(logmanPid(cacheDir)).toBe(logman.pid);
	stopper.continue();
	await until(() => jsonLinesOf(path).length === 1);
	await stopper.fixture.kill();
	expect(await logman.line()).toBe("left");
});

/**
 * Nothing that decides order, liveness or who writes goes by the wall clock or by a process number: clocks that jump, many
 * logmans, locks that were removed, inherited, copied, or whose text is somebody else's.
 */
import { execFileSync, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import {
	cpSync,
	lstatSync,
	mkdirSync,
	openSync,
	readdirSync,
	readFileSync,
	renameSync,
	rmSync,
	writeFileSync,
	writeSync,
} from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { beforeEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { stopLogman } from "../../src/launch/start-logman.ts";
import type { PylogError } from "../../src/shared/errors.ts";
import { ControlFile } from "../../src/spool/control-file.ts";
import { controlHeader } from "../../src/spool/control-layout.ts";
import { leaseHolder } from "../../src/spool/lease.ts";
import { spoolPaths } from "../../src/spool/paths.ts";
import { Sandbox } from "../cli/sandbox.ts";
import { fixturePath, startFixture } from "../fixture-process.ts";
import { LineWriter } from "../line-writer.ts";
import { cacheDirectory, drain, endProcess, linesOf, logmanPid, until, untilLogman } from "../running-logman.ts";
import { temporaryDirectory } from "../temporary-directory.ts";
import { expectOneOrder, jsonLinesOf } from "./stopped-processes.ts";

let cacheDir: string;
let path: string;

beforeEach(() => {
	cacheDir = cacheDirectory();
	path = join(temporaryDirectory(), "app.log");
});

const skew = fileURLToPath(new URL("../fixtures-dist/clock-skew.mjs", import.meta.url));

interface Started {
	readonly pid: number;
	line(): Promise<string>;
	tell(text: string): void;
	readonly ended: Promise<unknown>;
	kill(signal: NodeJS.Signals): void;
}

/** A program of test/fixtures under a command in front of it, or with another clock. */
function start(words: readonly string[], env: Readonly<Record<string, string>> = {}): Started {
	const child = spawn(words[0] as string, words.slice(1), {
		env: { ...process.env, ...env },
		stdio: ["pipe", "pipe", "inherit"],
	});
	const ended = once(child, "close");
	onTestFinished(async () => {
		child.kill("SIGKILL");
		child.stdout.resume();
		await ended;
	});
	const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
	return {
		pid: child.pid as number,
		line: async () => ((await lines.next()).value as string | undefined) ?? "",
		tell: (text) => void child.stdin.write(`${text}\n`),
		ended,
		kill: (signal) => void child.kill(signal),
	};
}

function withClock(way: string, program: string, ...given: readonly string[]): Started {
	const env = { CLOCK_SKEW: way, TZ: "Europe/Berlin" };
	return start([process.execPath, "--import", skew, fixturePath(program), ...given], env);
}

const ways = [
	"an hour back with each look",
	"a year on with each look",
	"to and fro",
	"no number",
	"before all time",
	"fractions",
	"the night that summer time begins",
	"the night that summer time ends",
] as const;

describe("clocks", () => {
	const count = 300;

	it.each(ways)("of a logman that go %s change nothing, whatever those of the producers do", async (way) => {
		const logman = withClock(way, "logman-process", cacheDir);
		expect(await logman.line()).toBe("ready");
		const others = [...ways.filter((each) => each !== way).slice(0, 2), way];
		const producers = others.map((each) => withClock(each, "clock-producer", cacheDir, path, each, String(count)));
		for (const producer of producers) expect(await producer.line()).toBe("done");
		for (const producer of producers) producer.tell("end");
		for (const producer of producers) await producer.ended;
		await until(() => jsonLinesOf(path).length === others.length * count);
		await until(() => readdirSync(spoolPaths(cacheDir).producers).length === 0);
		logman.kill("SIGTERM");
		await logman.ended;
		const lines = jsonLinesOf(path);
		for (const name of others) {
			for (const lane of ["urgent", "line"]) {
				const numbers = lines.filter((line) => line.name === name && line.msg.startsWith(lane));
				const inLane = (number: number): boolean => (number % 3 === 0) === (lane === "urgent");
				const expected = Array.from({ length: count }, (_, index) => index + 1).filter(inLane);
				expect(numbers.map(({ msg }) => Number(msg.split(" ")[1]))).toEqual(expected);
			}
		}
		expectOneOrder(lines.filter(({ msg }) => msg.startsWith("line")));
		expectOneOrder(lines.filter(({ msg }) => msg.startsWith("urgent")));
		expect(lines.filter(({ late }) => late === true)).toEqual([]);
		for (const line of linesOf(path))
			expect(line).toMatch(/"time":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d"/);
	});

	// The line about what was dropped could not be made, and so nothing was taken any more.
	it.each([Number.NaN, Number.POSITIVE_INFINITY, -1e300])("at %d do not keep a lane closed", async (now) => {
		using writer = new LineWriter(cacheDir);
		vi.spyOn(Date, "now").mockReturnValue(now);
		onTestFinished(() => void vi.restoreAllMocks());
		const { control } = writer.producer;
		control.setClosed("normal", true);
		expect(writer.write(path, "dropped")).toBe(false);
		control.setClosed("normal", false);
		expect(writer.write(path, "taken")).toBe(true);
		await drain(cacheDir);
		expect(linesOf(path)).toEqual([expect.stringContaining("dropped 1 record here"), "taken"]);
	});
});

describe("logmans", () => {
	it("that start at the same moment, twenty of them, end as one, and each line is written once", async () => {
		using writer = new LineWriter(cacheDir);
		for (let line = 0; line < 500; line++) writer.write(path, `early ${line}`);
		const logmans = Array.from({ length: 20 }, () => startFixture("logman-process", cacheDir));
		const said = await Promise.all(logmans.map((logman) => logman.line()));
		const held = said.filter((text) => text !== "ready");
		expect(held).toHaveLength(19);
		const pid = logmans[said.indexOf("ready")]?.pid;
		for (const text of held) expect(text).toContain("There can be one logman");
		for (let line = 0; line < 500; line++) writer.write(path, `late ${line}`);
		await until(() => linesOf(path).length >= 1000);
		expect(logmanPid(cacheDir)).toBe(pid);
		const expected = ["early", "late"].flatMap((what) => Array.from({ length: 500 }, (_, line) => `${what} ${line}`));
		expect(linesOf(path)).toEqual(expected);
	});

	it("that wait take over one after the other as those before them are killed", async () => {
		using writer = new LineWriter(cacheDir);
		const first = startFixture("logman-process", cacheDir);
		expect(await first.line()).toBe("ready");
		const waiting = Array.from({ length: 3 }, () => startFixture("logman-process", cacheDir, '{"wait":true}'));
		const all = [first, ...waiting];
		for (let round = 0; round < all.length; round++) {
			const pid = await untilLogman(cacheDir);
			writer.write(path, `round ${round}`);
			await until(() => linesOf(path).length === round + 1);
			await all.find((each) => each.pid === pid)?.kill();
		}
		expect(linesOf(path)).toEqual(all.map((_, round) => `round ${round}`));
	});

	it("that are stopped keep the lease however long, and give it up when they are killed", async () => {
		using writer = new LineWriter(cacheDir);
		const first = startFixture("logman-process", cacheDir);
		expect(await first.line()).toBe("ready");
		process.kill(first.pid, "SIGSTOP");
		writer.write(path, "meanwhile");
		const waiting = startFixture("logman-process", cacheDir, '{"wait":true}');
		for (let time = 0; time < 3; time++) {
			await sleep(700);
			expect(await startFixture("logman-process", cacheDir).line()).toContain(`process ${first.pid}, since`);
		}
		expect(linesOf(path)).toEqual([]);
		process.kill(first.pid, "SIGKILL");
		expect(await waiting.line()).toBe("ready");
		await until(() => linesOf(path).length === 1);
	});

	// Another one came, and for a second there were two.
	it("whose lock file is removed or replaced go on alone", async () => {
		using writer = new LineWriter(cacheDir);
		const first = startFixture("logman-process", cacheDir);
		expect(await first.line()).toBe("ready");
		const { lease } = spoolPaths(cacheDir);
		let line = 0;
		const harms = [
			(): void => rmSync(lease),
			(): void => renameSync(lease, `${lease}.old`),
			(): void => {
				rmSync(lease);
				writeFileSync(lease, "not ours\n", { mode: 0o600 });
			},
		];
		for (const harm of harms) {
			for (let time = 0; time < 100; time++) writer.write(path, `line ${line++}`);
			harm();
			const others = Array.from({ length: 3 }, () => startFixture("logman-process", cacheDir).line());
			for (let time = 0; time < 100; time++) {
				writer.write(path, `line ${line++}`);
				if (time % 10 === 0) await sleep(5);
			}
			for (const said of await Promise.all(others)) expect(said).toContain("There can be one logman");
			expect(await untilLogman(cacheDir)).toBe(first.pid);
		}
		await until(() => linesOf(path).length >= line);
		expect(linesOf(path)).toEqual(Array.from({ length: line }, (_, number) => `line ${number}`));
	});
});

describe("a lock that a child process inherited", () => {
	it("of a producer makes it look alive, which holds up nobody, until the child ends", async () => {
		const parent = startFixture("clock-heir", cacheDir, path, "alive");
		const heir = Number(await parent.line());
		onTestFinished(() => endProcess(heir));
		await parent.kill();
		const logman = startFixture("logman-process", cacheDir);
		expect(await logman.line()).toBe("ready");
		using writer = new LineWriter(cacheDir);
		writer.write(path, "of another");
		await until(() => linesOf(path).length === 2);
		expect(linesOf(path)).toEqual(["of the parent", "of another"]);
		await sleep(1500);
		expect(readdirSync(spoolPaths(cacheDir).producers)).toHaveLength(2);
		endProcess(heir);
		await until(() => readdirSync(spoolPaths(cacheDir).producers).length === 1);
	});

	it("of a logman keeps others out until the child ends, whoever its text names", async () => {
		ControlFile.open(cacheDir).close();
		const parent = startFixture("clock-heir", cacheDir, path, "lease");
		const heir = Number(await parent.line());
		onTestFinished(() => endProcess(heir));
		await parent.kill();
		expect(await startFixture("logman-process", cacheDir).line()).toContain(`process ${parent.pid}, since`);
		await stopLogman(cacheDir, AbortSignal.timeout(200));
		const waiting = startFixture("logman-process", cacheDir, '{"wait":true}');
		await sleep(300);
		endProcess(heir);
		expect(await waiting.line()).toBe("ready");
	});
});

describe("the text of a lock", () => {
	it.each([
		["this process", process.pid],
		["the first process of the machine", 1],
		["a number that no process has", 2 ** 31 - 2],
		["no number at all", "x"],
	])("that names %s means nothing: the lock is free", async (_, pid) => {
		const { lease, producers } = spoolPaths(cacheDir);
		ControlFile.open(cacheDir).close();
		writeFileSync(lease, `${JSON.stringify({ pid, started: "2020-01-01T00:00:00.000Z" })}\n`, { mode: 0o600 });
		await stopLogman(cacheDir);
		const dead = startFixture("clock-producer", cacheDir, path, "dead", "1");
		expect(await dead.line()).toBe("done");
		await dead.kill();
		writeSync(openSync(join(producers, "1", "alive"), "w"), `slot 0\npid ${pid}\nthread 0\n`);
		await drain(cacheDir);
		expect(jsonLinesOf(path)).toHaveLength(1);
		expect(readdirSync(producers)).toEqual([]);
		expect(leaseHolder(lease)).toBeUndefined();
	});
});

describe("a copy of a spool", () => {
	it("is a spool of its own: what both take from then on is written once, and nobody is kept out", async () => {
		using writer = new LineWriter(cacheDir);
		writer.write(path, "drained before");
		await drain(cacheDir);
		const copy = `${cacheDir}.copy`;
		onTestFinished(() => rmSync(copy, { recursive: true, force: true }));
		const logman = startFixture("logman-process", cacheDir);
		expect(await logman.line()).toBe("ready");
		execFileSync("cp", ["-a", cacheDir, copy]);
		const other = startFixture("logman-process", copy);
		expect(await other.line()).toBe("ready");
		using copyWriter = new LineWriter(copy);
		for (let line = 0; line < 200; line++) {
			writer.write(path, `original ${line}`);
			copyWriter.write(path, `copy ${line}`);
		}
		await until(() => linesOf(path).length >= 401);
		const lines = linesOf(path);
		for (const name of ["original", "copy"]) {
			const expected = Array.from({ length: 200 }, (_, line) => `${name} ${line}`);
			expect(lines.filter((line) => line.startsWith(name))).toEqual(expected);
		}
		expect(lines[0]).toBe("drained before");
		await other.kill("SIGTERM");
		await logman.kill("SIGTERM");
		expect(linesOf(path)).toHaveLength(401);
	});
});

/** Words that run a command in a namespace of processes of its own; `undefined` where the kernel refuses that. */
function inContainer(): readonly string[] | undefined {
	const words = ["unshare", ...(process.getuid?.() === 0 ? [] : ["-Ur"]), "-pf", "--mount-proc", "--kill-child"];
	try {
		execFileSync(words[0] as string, [...words.slice(1), "true"], { stdio: "ignore" });
		return words;
	} catch {
		return undefined;
	}
}

describe("containers that share a cache directory, in which processes have the same numbers", () => {
	const container = inContainer();
	const contained = (program: string, ...given: readonly string[]): Started =>
		start([...(container ?? []), process.execPath, fixturePath(program), ...given]);

	it("have one logman, and another one when it dies", async ({ skip }) => {
		skip(container === undefined, "this kernel lets nobody make a namespace of processes");
		const first = contained("logman-process", cacheDir);
		expect(await first.line()).toBe("ready");
		const second = contained("logman-process", cacheDir);
		expect(await second.line()).toContain("There can be one logman");
		const waiting = contained("logman-process", cacheDir, '{"wait":true}');
		const producers = ["a", "b", "c"].map((name) => contained("clock-producer", cacheDir, path, name, "300"));
		for (const producer of producers) expect(await producer.line()).toBe("done");
		first.kill("SIGKILL");
		await first.ended;
		expect(await waiting.line()).toBe("ready");
		await until(() => jsonLinesOf(path).length >= 900);
		expect(jsonLinesOf(path)).toHaveLength(900);
		expectOneOrder(jsonLinesOf(path).filter(({ msg }) => msg.startsWith("line")));
		for (const name of ["a", "b", "c"]) {
			const numbers = jsonLinesOf(path, name).map(({ msg }) => Number(msg.split(" ")[1]));
			expect(numbers.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 300 }, (_, index) => index + 1));
		}
	});

	it("know whose logman it is that runs", async ({ skip }) => {
		skip(container === undefined, "this kernel lets nobody make a namespace of processes");
		for (let round = 0; round < 3; round++) {
			const starters = [1, 2].map(() => contained("logman-starter", cacheDir));
			const said = await Promise.all(
				starters.map(async (each) => JSON.parse(await each.line()) as { pid?: number; code?: string }),
			);
			expect(said.filter(({ pid }) => pid !== undefined)).toHaveLength(1);
			expect(said.filter(({ code }) => code === "PYLOG_LEASE_HELD")).toHaveLength(1);
			for (const starter of starters) starter.kill("SIGKILL");
			for (const starter of starters) await starter.ended;
		}
	});
});

/** One hash over everything in a folder: names, modes, times of writing, content. */
function hashOfTree(folder: string): string {
	const hash = createHash("sha256");
	for (const name of (readdirSync(folder, { recursive: true }) as string[]).toSorted()) {
		const stats = lstatSync(join(folder, name), { bigint: true });
		hash.update(`${name} ${stats.mode} ${stats.ino} ${stats.size} ${stats.mtimeNs}\n`);
		if (stats.isFile()) hash.update(readFileSync(join(folder, name)));
	}
	return hash.digest("hex");
}

// Version 1 is the first: an older one than it has never been written, and is refused like a newer one. Files of version 1
// are read for ever: see test/spool/golden.test.ts.
describe.each([0, 2, 4_000_000_000])("a spool of format version %d", (version) => {
	it("is refused by everybody, by a message that says so, and nothing in it is changed", async () => {
		const sandbox = new Sandbox();
		onTestFinished(() => sandbox.dispose());
		const output = sandbox.path("app.log");
		const writer = new LineWriter(sandbox.cacheDir);
		writer.write(output, "waits");
		writer.close();
		await drain(sandbox.cacheDir);
		const again = new LineWriter(sandbox.cacheDir);
		again.write(output, "waits for its own Pylog");
		again.close();
		const control = readFileSync(sandbox.control);
		control.writeUInt32LE(version, controlHeader.version);
		writeFileSync(sandbox.control, control);
		cpSync(sandbox.cacheDir, sandbox.path("copy"), { recursive: true });
		mkdirSync(sandbox.path("empty"));
		const before = hashOfTree(sandbox.cacheDir);
		const message = `format version ${version}; this Pylog knows 1`;

		let error: PylogError | undefined;
		try {
			new LineWriter(sandbox.cacheDir).close();
		} catch (cause) {
			error = cause as PylogError;
		}
		expect(error).toMatchObject({ code: "PYLOG_SPOOL_VERSION", message: expect.stringContaining(message) as string });
		await expect(drain(sandbox.cacheDir)).rejects.toMatchObject({ code: "PYLOG_SPOOL_VERSION" });
		const starter = startFixture("logman-starter", sandbox.cacheDir);
		expect(JSON.parse(await starter.line())).toMatchObject({ code: "PYLOG_SPOOL_VERSION" });
		for (const command of [["status"], ["start"], ["start", "--detach"], ["drain"], ["stop"]]) {
			const { code, stderr } = await sandbox.run(command);
			expect([command, code]).toEqual([command, 1]);
			expect(stderr).toContain(message);
		}
		const verified = await sandbox.run(["verify"]);
		expect(verified.code).toBe(1);
		expect(`${verified.stdout}${verified.stderr}`).toMatch(new RegExp(`version ${version}.*knows 1`));
		expect(hashOfTree(sandbox.cacheDir)).toBe(before);
	});
});

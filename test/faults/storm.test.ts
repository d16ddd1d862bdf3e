/** The kill storm of `npm run faults -- storm`, for a short while, and its audit: it finds what it is there for. */
import { execFile } from "node:child_process";
import { appendFileSync, cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { fixturePath, startFixture } from "../fixture-process.ts";
import { Audit, type AuditResult } from "../fixtures/faults/storm/audit.ts";
import { Ledger } from "../fixtures/faults/storm/ledger.ts";
import { stormPaths } from "../fixtures/faults/storm/log-calls.ts";
import { messageOf, plannedCall } from "../fixtures/faults/storm/planned-call.ts";
import { drain, endLogman, until } from "../running-logman.ts";
import { temporaryDirectory } from "../temporary-directory.ts";

const seed = Number(process.env["PYLOG_TEST_SEED"] ?? Date.now() % 1_000_000);
const isLong = process.env["PYLOG_FAULTS"] === "long";
const calls = 1500;
const clean = { lost: 0, repeated: 0, disordered: 0, damaged: 0 };

/** What two producers have logged, and its ledger. */
let honest: string;

beforeAll(async () => {
	honest = mkdtempSync(join(tmpdir(), "pylog-test-"));
	const { cacheDir, ledger } = stormPaths(honest);
	const words = [fixturePath("faults/storm/plain-producer"), honest, String(seed), String(calls)];
	const producers = [1, 2].map(() =>
		promisify(execFile)(process.execPath, words, { timeout: 60_000, killSignal: "SIGKILL" }),
	);
	await Promise.all(producers);
	await endLogman(cacheDir);
	await drain(cacheDir);
	expect(totalOf(ledger)).toBe(2 * calls);
});

afterAll(() => rmSync(honest, { recursive: true, force: true }));

function totalOf(path: string): number {
	const ledger = Ledger.open(path);
	const total = Array.from({ length: ledger.producers }, (_, index) => ledger.returned(index + 1));
	ledger.close();
	return total.reduce((sum, count) => sum + count, 0);
}

async function auditIn(directory: string): Promise<AuditResult> {
	const paths = stormPaths(directory);
	const ledger = Ledger.open(paths.ledger);
	try {
		return await Audit.run(ledger, seed, paths.files);
	} finally {
		ledger.close();
	}
}

/** The audit of a copy of the honest run, with the lines of one file changed. */
async function auditChanged(
	file: number,
	change: (lines: string[], files: readonly string[]) => void,
): Promise<AuditResult> {
	const copy = temporaryDirectory();
	const { files, ledger } = stormPaths(copy);
	cpSync(stormPaths(honest).ledger, ledger);
	for (const [index, path] of files.entries()) cpSync(stormPaths(honest).files[index] as string, path);
	const path = files[file] as string;
	const lines = readFileSync(path, "utf8").split("\n").slice(0, -1);
	change(lines, files);
	writeFileSync(path, lines.map((line) => `${line}\n`).join(""));
	return auditIn(copy);
}

/** Place of the first line, from a place on, that is one line and has padding. */
function findLine(lines: readonly string[], level: string, from = 0): number {
	const place = lines.findIndex((line, index) => {
		const isAlone = lines[index + 1]?.startsWith(" ") === false;
		return index >= from && isAlone && new RegExp(`^\\d+ ${level} p\\d+ \\| \\d+ \\d+ \\d{2} `).test(line);
	});
	expect(place).toBeGreaterThanOrEqual(0);
	return place;
}

test(`producers and logmen of all kinds that are killed at random lose, repeat and reorder nothing (seed ${seed})`, async () => {
	const seconds = isLong ? 60 : 8;
	const storm = startFixture(
		"faults/main",
		"storm",
		"--kills",
		"100000",
		"--seconds",
		`${seconds}`,
		"--seed",
		`${seed}`,
	);
	let said = "";
	storm.process.stdout.on("data", (text) => (said += text));
	storm.process.stderr.on("data", (text) => (said += text));
	await storm.ended();
	expect(said).toMatch(/: acknowledged \d+, written \d+, lost 0, repeated 0, disordered 0(, late \d+)?\n$/);
	expect(storm.process.exitCode).toBe(0);
	console.info(said.trim());
}, 300_000);

test("a storm that is interrupted leaves no process and no folder", async () => {
	const storm = startFixture("faults/main", "storm", "--seed", "1");
	const children = (): string[] =>
		readFileSync(`/proc/${storm.pid}/task/${storm.pid}/children`, "utf8").trim().split(" ");
	await until(() => children().length > 5);
	const pids = children();
	const folder = readFileSync(`/proc/${pids[0]}/cmdline`, "utf8").split("\0")[2] as string;
	expect(folder).toMatch(/pylog-storm-/);
	await storm.kill("SIGINT");
	expect(storm.process.exitCode).toBe(130);
	expect([folder, ...pids.map((pid) => `/proc/${pid}`)].filter((path) => existsSync(path))).toEqual([]);
});

test("the audit has nothing against files in which all is well", async () => {
	expect(await auditIn(honest)).toMatchObject({ acknowledged: 2 * calls, written: 2 * calls, ...clean, examples: [] });
});

test("the audit finds a lost line of either lane, of one byte, and of JSON", async () => {
	const withoutDebug = await auditChanged(0, (lines) => lines.splice(findLine(lines, "DEBUG"), 1));
	expect(withoutDebug).toMatchObject({ ...clean, written: 2 * calls - 1, lost: 1 });
	expect(withoutDebug.examples).toEqual([expect.stringMatching(/^lost: call \d+ of 1500, producer [12], priority, /)]);
	const withoutInfo = await auditChanged(0, (lines) => lines.splice(findLine(lines, "INFO"), 1));
	expect(withoutInfo).toMatchObject({ ...clean, lost: 1 });
	const withoutTiny = await auditChanged(0, (lines) => {
		lines.splice(
			lines.findIndex((line) => /^\d+ INFO p1 \| .$/.test(line)),
			1,
		);
	});
	expect(withoutTiny).toMatchObject({ ...clean, lost: 1 });
	expect(await auditChanged(2, (lines) => lines.splice(100, 1))).toMatchObject({ ...clean, lost: 1 });
	expect(await auditChanged(2, (lines) => lines.pop())).toMatchObject({ ...clean, lost: 1 });
});

test("the audit finds a repeated line, also much later in the file", async () => {
	const result = await auditChanged(1, (lines) => lines.push(lines[findLine(lines, "INFO")] as string));
	expect(result).toMatchObject({ ...clean, repeated: 1 });
	expect(await auditChanged(2, (lines) => lines.push(lines[3] as string))).toMatchObject({ ...clean, repeated: 1 });
	const tiny = await auditChanged(0, (lines) => {
		const place = lines.findIndex((line) => /^\d+ INFO p2 \| .$/.test(line));
		lines.splice(place, 0, lines[place] as string);
	});
	expect(tiny).toMatchObject({ ...clean, repeated: 1 });
});

test("the audit finds lines in a wrong order, of one producer and of two, and a priority line that came too late", async () => {
	for (const level of ["INFO", "DEBUG"]) {
		const swapped = await auditChanged(0, (lines) => {
			const one = findLine(lines, level);
			const two = findLine(lines, level, one + 1);
			[lines[one], lines[two]] = [lines[two] as string, lines[one] as string];
		});
		expect(swapped.disordered).toBeGreaterThan(0);
		expect(swapped).toMatchObject({ lost: 0, repeated: 0, damaged: 0 });
	}
	const late = await auditChanged(0, (lines) => lines.push(...lines.splice(findLine(lines, "DEBUG"), 1)));
	expect(late.disordered).toBe(1);
});

test("the audit finds a line that is torn, altered, mixed up with another, or in another file", async () => {
	const changes: readonly ((line: string) => string)[] = [
		(line) => line.slice(0, -3),
		(line) => `${line.slice(0, -1)}!`,
		(line) => line + line,
		(line) => `${line} {"more":1}`,
		(line) => `${line} 9 INFO p1 | x`,
	];
	for (const change of changes) {
		const result = await auditChanged(1, (lines) => {
			const place = findLine(lines, "INFO");
			lines[place] = change(lines[place] as string);
		});
		expect(result, String(change)).toMatchObject({ ...clean, lost: 1, damaged: 1 });
	}
	const elsewhere = await auditChanged(0, (lines, [, other]) => {
		appendFileSync(other as string, `${lines.splice(findLine(lines, "INFO"), 1)[0]}\n`);
	});
	expect(elsewhere).toMatchObject({ ...clean, lost: 1, damaged: 1 });
});

test("the audit finds a line before one whose call had returned when its own began, though the numbers rise", async () => {
	const directory = temporaryDirectory();
	const paths = stormPaths(directory);
	const ledger = Ledger.open(paths.ledger);
	const [one, two] = [ledger.enter(), ledger.enter()];
	const isPlain = (producer: number, n: number): boolean => {
		const { file, level, fields, hasError, padding } = plannedCall(seed, producer, n);
		return file === 0 && level === "info" && fields === undefined && !hasError && padding !== undefined;
	};
	const numbers = Array.from({ length: 1000 }, (_, index) => index + 1);
	const [first = 0, second = 0] = numbers.filter((n) => isPlain(one.producer, n));
	const other = numbers.find((n) => isPlain(two.producer, n)) ?? 0;
	for (const entry of [one, two]) for (const _ of numbers) entry.begin();
	const line = (queue: number, producer: number, n: number, tick: number): string =>
		`${queue} INFO p${producer} | ${messageOf(plannedCall(seed, producer, n), producer, n, tick)}\n`;
	const [before, after] = [line(2, one.producer, first, 10), line(3, one.producer, second, 20)];
	writeFileSync(paths.files[0] as string, line(1, two.producer, other, 15) + before + after);
	expect(await Audit.run(ledger, seed, paths.files)).toMatchObject({ written: 3, ...clean });
	writeFileSync(paths.files[0] as string, line(1, two.producer, other, 25) + before + after);
	expect(await Audit.run(ledger, seed, paths.files)).toMatchObject({ written: 3, ...clean, disordered: 1 });
	ledger.close();
});

/** The benchmarks themselves: what they print, and that they would notice a line too few, torn or too many. */
import { execFileSync } from "node:child_process";
import { appendFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { losses } from "../../bench/guard.ts";
import { againstTable, answersIn } from "../../bench/report/against.ts";
import type { Answer } from "../../bench/report/question.ts";
import { Tally } from "../../bench/report/tally.ts";
import { installedSize, installedSizeOfPylog } from "../../bench/run/installed-size.ts";
import { LineCount, untilCounted } from "../../bench/run/line-count.ts";
import { residentMemory } from "../../bench/run/resident-memory.ts";
import { message } from "../../bench/run/work.ts";
import { temporaryDirectory } from "../temporary-directory.ts";

const command = fileURLToPath(new URL("../../dist-bench/main.js", import.meta.url));

test("a benchmark prints one JSON object with its machine, versions, results and ratios", () => {
	const printed = execFileSync(process.execPath, [command, "drain", "--quick", "--json"], { encoding: "utf8" });
	const answer: Answer = JSON.parse(printed);
	expect(answer).toMatchObject({ question: "drain", quick: true, rounds: 1 });
	expect(answer.machine.cores).toBeGreaterThan(0);
	expect(answer.versions).toMatchObject({ node: process.version, pino: expect.any(String), pylog: expect.any(String) });
	for (const { name, median, q1, q3, unit } of answer.results) {
		expect(name).not.toBe("");
		expect(unit).not.toBe("");
		expect(q1).toBeGreaterThan(0);
		expect(median).toBeGreaterThanOrEqual(q1);
		expect(q3).toBeGreaterThanOrEqual(median);
	}
	expect(answer.ratios["drain pylog vs copy of 64 KiB"]).toBeGreaterThan(0);
});

test("an unknown benchmark is a usage error that names it", () => {
	const run = (): string => execFileSync(process.execPath, [command, "nonsense"], { encoding: "utf8", stdio: "pipe" });
	expect(run).toThrow(/no benchmark "nonsense"/);
});

test("lines are counted when they are whole, and one too many is an error", async () => {
	const path = join(temporaryDirectory(), "counted.log");
	const count = new LineCount(path);
	onTestFinished(() => count[Symbol.dispose]());
	expect(count.lines()).toBe(0);
	appendFileSync(path, `${message(1)}\n${message(2)}\n    at a frame of a stack\n${message(3)}`);
	expect(count.lines()).toBe(2);
	appendFileSync(path, "\n");
	await untilCounted([count], 3, "the test");
	appendFileSync(path, `${message(4)}\n`);
	await expect(untilCounted([count], 3, "the test")).rejects.toThrow(
		"the test wrote 4 lines, and should have written 3",
	);
});

test("a ratio says how many times better the first is, and a loss is told by its name", () => {
	const tally = new Tally();
	for (const [round, ns] of [100, 200, 300].entries()) {
		tally.add(round, "message", "pylog", "call", "ns", ns);
		tally.add(round, "message", "pino async", "call", "ns", 2 * ns);
		tally.add(round, "message", "pylog", "lines", "lines/s", 3 * ns);
		tally.add(round, "message", "pino async", "lines", "lines/s", ns);
	}
	tally.compare("call.message", "message", "call", "pylog", "pino async");
	tally.compare("lines", "message", "lines", "pylog", "pino async");
	expect(tally.ratios).toEqual({ "call.message pylog vs pino async": 2, "lines pylog vs pino async": 3 });
	expect(tally.results()[0]).toMatchObject({ median: 200, q1: 150, q3: 250, rounds: 3 });
	expect(losses({ "call.message pylog vs pino async": 0.01 })).toContainEqual(
		expect.stringMatching(/^call\.message pylog vs pino async: 0\.01 times better, and must be /),
	);
});

test("two runs have the same ratio where their spreads overlap", () => {
	const answer = (ratios: Answer["ratios"], spreads: Answer["spreads"]): Answer =>
		({ question: "call", rounds: 5, ratios, spreads }) as Answer;
	const earlier = answer({ near: 4, far: 4, gone: 1 }, { near: [3.5, 4.2], far: [3.5, 4.2], gone: [1, 1] });
	const now = answer({ near: 4.3, far: 5, fresh: 2 }, { near: [4.1, 4.6], far: [4.3, 5.5], fresh: [2, 2] });
	const path = join(temporaryDirectory(), "earlier.json");
	writeFileSync(path, `${JSON.stringify({ ...earlier, question: "drain" })}\n${JSON.stringify(earlier)}\n`);
	const table = againstTable(now, answersIn(path));
	expect(table).toMatch(/\| near +\| 4\.00 \(3\.50–4\.20\) \| 4\.30 \(4\.10–4\.60\) \| same/);
	expect(table).toMatch(/\| far .*apart/);
	expect(table).not.toMatch(/gone|fresh/);
	expect(table).toContain("call: 1 of 2 ratios are the same within their spread.");
	writeFileSync(path, "no answer");
	expect(() => answersIn(path)).toThrow(`${path} is none`);
});

test("the memory of a process is what it says itself, and not all of it is its own", () => {
	const { rssMiB, privateDirtyMiB } = residentMemory(process.pid);
	const saidMiB = process.memoryUsage.rss() / 2 ** 20;
	expect(rssMiB).toBeGreaterThan(saidMiB * 0.8);
	expect(rssMiB).toBeLessThan(saidMiB * 1.2);
	expect(privateDirtyMiB).toBeGreaterThan(1);
	expect(privateDirtyMiB).toBeLessThan(rssMiB);
});

test("what is installed is counted with all that it depends on, and nothing twice", () => {
	const tslog = installedSize(["tslog"]);
	expect(tslog.packages).toBe(1);
	expect(tslog.bytes).toBeGreaterThan(100_000);
	expect(installedSize(["tslog", "tslog"])).toEqual(tslog);
	expect(installedSize(["no-such-package"])).toEqual({ packages: 0, bytes: 0 });
	const koffi = installedSize(["koffi"]);
	const pylog = installedSizeOfPylog();
	expect(pylog.packages).toBeGreaterThan(koffi.packages);
	expect(pylog.bytes).toBeGreaterThan(koffi.bytes);
});

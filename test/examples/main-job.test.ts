/** The main job, as `npm start` runs it. What it says of itself is checked here by other code than its own. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { until } from "../running-logman.ts";
import { type ExampleProcess, startExample } from "./example-process.ts";

interface FoundLine {
	readonly queue: number;
	readonly level: string;
	readonly id: string;
}

function linesIn(path: string): readonly FoundLine[] {
	const text = readFileSync(path, "utf8");
	expect(text.endsWith("\n")).toBe(true);
	const lines = text.slice(0, -1).split("\n");
	const wrong = lines.filter((line) => !/^\d+ \S+ [A-Z]+ (\S+) \| \1-(\d+) order \2 was shipped$/.test(line));
	expect(wrong).toEqual([]);
	return lines.map((line) => {
		const [queue = "", , level = "", , , id = ""] = line.split(" ");
		return { queue: Number(queue), level, id };
	});
}

function ledgersIn(directory: string): ReadonlyMap<string, readonly string[]> {
	const names = readdirSync(directory).sort();
	return new Map(names.map((name) => [name, readFileSync(join(directory, name), "utf8").split("\n").slice(0, -1)]));
}

function expectAscending(numbers: readonly number[]): void {
	expect(numbers.filter((number, index) => number <= (numbers[index - 1] ?? 0))).toEqual([]);
}

/** `SIGKILL for logman 1234` and the like: the numbers in it. */
function pidsIn(output: string, pattern: RegExp): readonly string[] {
	return [...output.matchAll(pattern)].map(([, pid = ""]) => pid);
}

function expectReport(example: ExampleProcess): void {
	const output = example.output();
	const killed = pidsIn(output, /SIGKILL for logman (\d+)/g);
	expect(killed.length).toBeGreaterThan(3);
	expect(pidsIn(output, /logman (\d+) has taken over/g)).toHaveLength(killed.length);
	expect(output).toMatch(/SIGKILL for beta/);
	expect(output).toContain(join(example.directory(), "app.log"));
	expect(output).toContain(`rm -r '${example.directory()}'`);
	expect(output.match(/ 0 {2}ok$/gm)).toHaveLength(6);
	expect(Number(/overtook earlier normal lines +(\d+)/.exec(output)?.[1])).toBeGreaterThan(0);
}

test("the main job loses, repeats and mixes up nothing while its logman and a producer are killed", async () => {
	const example = startExample("main-job");
	expect([await example.ended, example.errors()]).toEqual([0, ""]);

	const directory = example.directory();
	const lines = linesIn(join(directory, "app.log"));
	const ledgers = ledgersIn(join(directory, "ledgers"));
	expect([...ledgers.keys()]).toEqual(
		["alpha-0", "beta-0", "delta-0", "delta-1", "delta-2", "gamma-0"].map((thread) => `${thread}.ledger`),
	);

	const ids = lines.map(({ id }) => id);
	const acknowledged = new Set([...ledgers.values()].flat());
	const written = new Set(ids);
	expect(acknowledged.size).toBeGreaterThan(10_000);
	expect(written.size).toBe(ids.length);
	expect([...acknowledged].filter((id) => !written.has(id))).toEqual([]);
	// Only the one that was killed may have logged a line more than it could note.
	const more = ids.filter((id) => !acknowledged.has(id));
	expect(more).toEqual(more.length === 0 ? [] : [`beta-0-${(ledgers.get("beta-0.ledger") as string[]).length + 1}`]);

	for (const level of ["DEBUG", "INFO"]) {
		const lane = lines.filter((line) => line.level === level);
		expect(lane.length).toBeGreaterThan(1000);
		expectAscending(lane.map(({ queue }) => queue));
		for (const name of ledgers.keys()) {
			const thread = name.replace(".ledger", "-");
			const own = lane.filter(({ id }) => id.startsWith(thread)).map(({ id }) => Number(id.slice(thread.length)));
			expectAscending(own);
		}
	}
	const overtook = lines.filter(({ level, queue }, at) => level === "DEBUG" && queue > (lines[at + 1]?.queue ?? queue));
	expect(overtook.length).toBeGreaterThan(0);
	expectReport(example);
	await until(() => example.processes().length === 0);
});

test("the main job leaves no process behind when it is interrupted", async () => {
	const example = startExample("main-job");
	await until(() => example.output().includes("has taken over"));
	// The four producers; the logman may just have been killed once more.
	expect(example.processes().length).toBeGreaterThanOrEqual(4);

	example.process.kill("SIGINT");

	expect(await example.ended).toBe(1);
	expect(example.output()).toContain("Interrupted.");
	await until(() => example.processes().length === 0);
});

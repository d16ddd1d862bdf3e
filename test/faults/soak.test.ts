/** The soak of `npm run faults -- soak`: that it measures, and that it finds what grows. Twenty seconds prove no bounds. */
import { expect, test } from "vitest";
import { startFixture } from "../fixture-process.ts";
import { type MeasureName, measures } from "../fixtures/faults/soak/samples.ts";
import { judge } from "../fixtures/faults/soak/table.ts";

test("a short soak measures everything, and all its processes end in order", async () => {
	const soak = startFixture("faults/main", "soak", "--minutes", "0.2");
	let said = "";
	soak.process.stdout.on("data", (text) => (said += text));
	soak.process.stderr.on("data", (text) => (said += text));
	await soak.ended();
	const [verdict = "", , ...rows] = said.trimEnd().split("\n");
	expect(verdict).toMatch(/^soak: 0\.2 minutes, 12 samples, \d+ threads ended, of each of which koffi keeps \d+ KiB: /);
	// What is left counted, reported or running at the end is no matter of time.
	expect(verdict).not.toMatch(/ended with|reported|are counted/);
	expect(rows).toHaveLength(measures.length);
	for (const [index, { name }] of measures.entries()) {
		const cells = rows[index]?.match(/\d+(\.\d+)?/g) ?? [];
		expect(rows[index]).toContain(name);
		expect(cells.length, rows[index]).toBe(7);
		expect(Math.min(...cells.map(Number)), rows[index]).toBeGreaterThan(0);
	}
}, 300_000);

test("a figure that grows with time is found, one that swings is not", () => {
	const samples = (of: (second: number) => number): ReadonlyMap<MeasureName, number>[] =>
		Array.from({ length: 1200 }, (_, second) => new Map(measures.map(({ name }) => [name, of(second)])));
	const swinging = samples((second) => 100 + (second % 7));
	expect(judge(swinging).grown).toEqual([]);
	const leaking = samples((second) => 100 + second / 10);
	const countedOnes = measures.filter(({ unit, part }) => unit === "" && part === 0).map(({ name }) => name);
	expect(judge(leaking).grown).toEqual(expect.arrayContaining(countedOnes));
	const swelling = samples((second) => 2 ** 20 * (100 + second / 10));
	expect(judge(swelling).grown).toEqual(measures.map(({ name }) => name));
	const others = measures.map(({ name }) => name).filter((name) => name !== "producer RSS");
	expect(judge(swelling, new Map([["producer RSS", 2 ** 20 * 60]])).grown).toEqual(others);
	expect(judge(samples(() => Number.NaN)).grown).toEqual(measures.map(({ name }) => name));
});

/**
 * Random damage for a while, and all damage that once made something go wrong.
 *
 * PYLOG_FAULTS=long makes the while longer; PYLOG_TEST_SEED repeats it.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CaseRunner } from "../fixtures/faults/case-runner.ts";
import { corruption, keptCases, meetMutations } from "../fixtures/faults/corruption.ts";
import type { Mutation } from "../fixtures/faults/mutation.ts";
import { SpoolSample } from "../fixtures/faults/spool-sample.ts";
import { testSeed } from "../test-seed.ts";

const seconds = process.env["PYLOG_FAULTS"] === "long" ? 300 : 5;

test(
	"a spool damaged at random loses what was damaged, and no more",
	async () => {
		const { ok, line, details } = await corruption.run({ seconds, seed: testSeed() }, new AbortController().signal);
		console.info(line);
		expect(details, line).toEqual([]);
		expect(ok).toBe(true);
	},
	seconds * 1000 + 180_000,
);

describe("damage that once was too much", () => {
	let root: string;
	let sample: SpoolSample;
	let runner: CaseRunner;

	beforeAll(() => {
		root = mkdtempSync(join(tmpdir(), "pylog-corruption-"));
		sample = SpoolSample.make(root);
		runner = new CaseRunner(sample.cacheDir);
	}, 120_000);

	afterAll(async () => {
		await runner.close();
		rmSync(root, { recursive: true, force: true });
	});

	test.each(readdirSync(keptCases).filter((name) => name.endsWith(".json")))("%s", async (name) => {
		const mutations = JSON.parse(readFileSync(join(keptCases, name), "utf8")) as Mutation[];
		expect(await meetMutations(sample, runner, mutations)).toEqual([]);
	});
});

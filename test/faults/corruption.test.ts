/**
 * A real spool, damaged in every way there is, and real logmans (on what ships) that meet it: all that is whole is written
 * once, what is lost is counted and told, and nothing hangs or crashes.
 *
 * PYLOG_FAULTS=long tries every case; else some of each kind. PYLOG_TEST_SEED chooses which.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CaseRunner } from "../fixtures/faults/case-runner.ts";
import { corruptionMatrix } from "../fixtures/faults/corruption-matrix.ts";
import { judge } from "../fixtures/faults/corruption-oracle.ts";
import type { SpoolDamage } from "../fixtures/faults/spool-damage.ts";
import { SpoolSample } from "../fixtures/faults/spool-sample.ts";
import { startFixture } from "../fixture-process.ts";
import { repeatableRandom } from "../spool/spool-records.ts";
import { testSeed } from "../test-seed.ts";

const isLong = process.env["PYLOG_FAULTS"] === "long";
const someCases = 12;
const longMs = isLong ? 7_200_000 : 300_000;

const kinds = [
	"segments truncated",
	"the control file truncated",
	"the checkpoint truncated",
	"bits of segment headers",
	"bits of records",
	"bits of definitions",
	"bits of the control file",
	"bits of the checkpoint",
	"hostile lengths",
	"zeroed pages",
	"pages of an earlier time",
	"other files",
] as const;

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

async function meet(damage: SpoolDamage): Promise<string[]> {
	sample.place(damage.files);
	return judge(sample, damage, await runner.examine());
}

test("the sample itself is whole, and delivered to the last line", async () => {
	expect(await meet({ name: "nothing", files: sample.files, touched: new Map() })).toEqual([]);
	const ids = sample.records.map(({ id }) => id);
	expect(new Set(ids).size).toBe(ids.length);
	expect(sample.halfLine).not.toBe("");
	expect([...corruptionMatrix(sample).keys()]).toEqual(kinds);
});

test("files that shrink, grow, are replaced and go away while they are read add no line and alter none", async () => {
	const known = new Set(sample.lines.values());
	const withoutSite = new Set(
		[...known].map((line) => line.replace("src/app.ts:12", "-").replace('"file":"src/app.ts:12",', "")),
	);
	for (let round = 0; round < (isLong ? 100 : 4); round++) {
		sample.place(sample.files);
		const changer = startFixture("faults/file-changer", sample.cacheDir, String(testSeed()));
		await changer.line();
		const examined = await runner.examine();
		await changer.kill();
		expect(examined, runner.said).toBeDefined();
		expect([examined?.verify.message, examined?.first.message, examined?.second.message]).toEqual([
			undefined,
			undefined,
			undefined,
		]);
		// What was not to be read at one moment and was there at the next one comes late, and says so.
		const lines = sample.linesNow().map((line) => line.replace(/,"late":true(?=[,}])| \{"late":true\}$/, ""));
		const strange = lines.filter((line) => !known.has(line) && !withoutSite.has(line));
		expect(strange.filter((line) => line !== sample.halfLine)).toEqual([]);
	}
});

describe.each(kinds)("damage: %s", (kind) => {
	test(
		"costs no more than what was damaged",
		async () => {
			const cases = corruptionMatrix(sample).get(kind) ?? [];
			const seed = testSeed();
			const random = repeatableRandom(seed);
			const chosen = isLong ? cases : Array.from({ length: someCases }, () => cases[random(cases.length)]);
			const wrong: string[] = [];
			for (const make of chosen) {
				const damage = make?.();
				if (damage === undefined) continue;
				const complaints = await meet(damage);
				if (complaints.length > 0) wrong.push(`${damage.name}: ${complaints.join("; ")}`);
			}
			expect(wrong, `seed ${seed}, ${chosen.length} of ${cases.length} cases`).toEqual([]);
		},
		longMs,
	);
});

/** Lines for outputs that can't be written take so much disk at most; what comes beyond is counted, and told of. */
import { mkdirSync, readdirSync, readFileSync, rmdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, expect, test } from "vitest";
import { readCheckpoint } from "../../src/spool/checkpoint.ts";
import { spoolPaths } from "../../src/spool/paths.ts";
import { LineWriter } from "../line-writer.ts";
import { cacheDirectory, linesOf, runLogman, until } from "../running-logman.ts";
import { temporaryDirectory } from "../temporary-directory.ts";

const maxParkedBytes = 1024 * 1024;
const notice = /^pylog dropped (\d+) records? here: parked\/ has reached its limit/;

let cacheDir: string;
let blocked: string;
let good: string;

beforeEach(() => {
	cacheDir = cacheDirectory();
	const logs = temporaryDirectory();
	blocked = join(logs, "blocked.log");
	good = join(logs, "good.log");
	mkdirSync(blocked);
});

async function log(writer: LineWriter, from: number, to: number): Promise<void> {
	for (let index = from; index < to; index++) {
		writer.write(blocked, `${index} `.padEnd(1000, "."));
		if (index % 100 === 99) await until(() => writer.producer.hasReached("written"));
	}
}

/** Numbers of the lines in the file, and what its notices count. */
function inFile(): { numbers: number[]; dropped: number; notices: number } {
	const lines = linesOf(blocked);
	const notices = lines.flatMap((line) => notice.exec(line)?.[1] ?? []);
	return {
		numbers: lines.filter((line) => !notice.test(line)).map((line) => Number.parseInt(line, 10)),
		dropped: notices.reduce((sum, count) => sum + Number(count), 0),
		notices: notices.length,
	};
}

test("what finds no room is dropped, counted, and a line tells of it where it is missing", async () => {
	const running = await runLogman(cacheDir, { maxParkedBytes });
	using writer = new LineWriter(cacheDir);
	await log(writer, 0, 3000);
	writer.write(good, "goes on");
	await until(() => linesOf(good).length === 1);
	const { parked, errorLog, checkpoint } = spoolPaths(cacheDir);
	const bytes = readdirSync(parked).reduce((sum, name) => sum + statSync(join(parked, name)).size, 0);
	expect(bytes).toBeLessThan(maxParkedBytes + 1000);
	await until(() => Object.keys(readCheckpoint(checkpoint)?.dropped ?? {}).includes(blocked));
	expect(readFileSync(errorLog, "utf8")).toContain("maxParkedBytes");
	rmdirSync(blocked);
	await until(() => readdirSync(parked).length === 0);
	await log(writer, 3000, 3100);
	await running.stop();
	const { numbers, dropped, notices } = inFile();
	expect(notices).toBe(1);
	expect(dropped).toBeGreaterThan(1000);
	expect(numbers.length + dropped).toBe(3100);
	expect(numbers).toEqual([
		...Array.from({ length: 3000 - dropped }, (_, index) => index),
		...Array.from({ length: 100 }, (_, index) => 3000 + index),
	]);
});

test("the next logman tells of what the one before it has dropped", async () => {
	const first = await runLogman(cacheDir, { maxParkedBytes });
	using writer = new LineWriter(cacheDir);
	await log(writer, 0, 2000);
	await first.stop();
	rmdirSync(blocked);
	const second = await runLogman(cacheDir, { maxParkedBytes });
	await until(() => readdirSync(spoolPaths(cacheDir).parked).length === 0);
	await second.stop();
	const { numbers, dropped, notices } = inFile();
	expect(notices).toBe(1);
	expect(numbers.length + dropped).toBe(2000);
	expect(linesOf(blocked).findIndex((line) => notice.test(line))).toBe(numbers.length);
});

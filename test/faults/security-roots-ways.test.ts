/**
 * The way to an output is walked from its root: no link on it, no second name of the file, no FIFO and no device leads out.
 */
import { execFileSync } from "node:child_process";
import {
	existsSync,
	linkSync,
	mkdirSync,
	readdirSync,
	readFileSync,
	rmdirSync,
	rmSync,
	symlinkSync,
	writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { logman } from "../../src/logman/logman.ts";
import { spoolPaths } from "../../src/spool/paths.ts";
import { startFixture } from "../fixture-process.ts";
import { LineWriter } from "../line-writer.ts";
import { cacheDirectory, linesOf, until } from "../running-logman.ts";
import { temporaryDirectory } from "../temporary-directory.ts";

test("an output that is reached through a link, or has a second name, is refused, and what it leads to is not changed", async () => {
	const cacheDir = cacheDirectory();
	const paths = spoolPaths(cacheDir);
	const directory = temporaryDirectory();
	const root = join(directory, "root");
	const outside = join(directory, "outside");
	mkdirSync(join(root, "a"), { recursive: true });
	mkdirSync(outside);
	const target = join(outside, "target");
	writeFileSync(target, "mine\n");
	symlinkSync(target, join(root, "link.log"));
	symlinkSync(join(outside, "new"), join(root, "dangling.log"));
	symlinkSync(outside, join(root, "folder"));
	linkSync(target, join(root, "a", "hard.log"));
	execFileSync("mkfifo", [join(root, "fifo.log")]);
	const refused = ["link.log", "dangling.log", "folder/new.log", "a/hard.log", "fifo.log"].map((name) =>
		join(root, name),
	);
	const running = startFixture("logman-process", cacheDir, JSON.stringify({ roots: [root] }));
	await running.line();
	using writer = new LineWriter(cacheDir);
	for (let round = 0; round < 20; round++) {
		for (const path of refused) writer.write(path, `refused ${round}`);
		writer.write(join(root, "a", "app.log"), `line ${round}`);
		if (round % 5 === 0) await until(() => linesOf(join(root, "a", "app.log")).length === round + 1);
	}
	await until(() => linesOf(join(root, "a", "app.log")).length === 20);
	const kept = (): string[] =>
		readdirSync(paths.quarantine)
			.filter((name) => !name.endsWith(".reason.json"))
			.flatMap((name) => linesOf(join(paths.quarantine, name)));
	await until(() => kept().length === 20 * refused.length);
	running.process.kill("SIGTERM");
	expect(await running.line()).toBe("left");
	expect(readFileSync(target, "utf8")).toBe("mine\n");
	expect(readdirSync(outside)).toEqual(["target"]);
	expect(readdirSync(paths.parked)).toEqual([]);
	const reports = readFileSync(paths.errorLog, "utf8");
	for (const path of refused) {
		const report = reports.split("\n\n").find((each) => each.includes(`  output: ${path}\n`)) ?? "";
		expect(/^= count 0*20 /m.test(report)).toBe(true);
	}
});

test("what waits for an output that the roots do not allow any more is kept aside, counted, and nothing waits", async () => {
	const cacheDir = cacheDirectory();
	const paths = spoolPaths(cacheDir);
	const directory = temporaryDirectory();
	const root = join(directory, "root");
	const blocked = join(directory, "blocked.log");
	mkdirSync(root);
	mkdirSync(blocked);
	const writeAll = (first: number): void => {
		using writer = new LineWriter(cacheDir);
		for (let number = first; number < first + 10; number++) {
			writer.write(blocked, `waits ${number}`);
			writer.write(join(root, "app.log"), `line ${number}`);
		}
	};
	writeAll(0);
	await drain(cacheDir);
	expect(readdirSync(paths.parked)).toHaveLength(2);
	rmdirSync(blocked);
	writeAll(10);
	await drain(cacheDir, [root]);
	expect(linesOf(join(root, "app.log"))).toHaveLength(20);
	expect(existsSync(blocked)).toBe(false);
	expect(readdirSync(paths.parked)).toEqual([]);
	const kept = readdirSync(paths.quarantine).filter((name) => !name.endsWith(".reason.json"));
	const lines = kept.flatMap((name) => linesOf(join(paths.quarantine, name)));
	expect(lines.toSorted()).toEqual(Array.from({ length: 20 }, (_, number) => `waits ${number}`).toSorted());
	const reports = readFileSync(paths.errorLog, "utf8").split("\n\n");
	const refusals = reports.filter((each) => each.includes(`  output: ${blocked}\n`) && each.includes("OUTPUT_REFUSED"));
	const counts = refusals.map((each) => Number(/^= count (\d+) /m.exec(each)?.[1]));
	expect(counts.reduce((sum, count) => sum + count, 0)).toBe(20);
});

test.each(["does not allow", "finds a link in the place of"])(
	"a batch that a death interrupted is kept aside where the next logman %s its output",
	async (what) => {
		const cacheDir = cacheDirectory();
		const paths = spoolPaths(cacheDir);
		const root = temporaryDirectory();
		const other = temporaryDirectory();
		const path = join(root, "app.log");
		const lines = Array.from({ length: 10 }, (_, number) => `line ${number}`);
		{
			using writer = new LineWriter(cacheDir);
			for (const line of lines) writer.write(path, line);
		}
		const killed = startFixture("fault-logman", cacheDir, `before output.append ${path}`);
		killed.process.stdout.resume();
		await killed.ended();
		expect(killed.process.signalCode).toBe("SIGKILL");
		if (what !== "does not allow") {
			rmSync(path);
			symlinkSync(join(other, "target"), path);
		}
		await drain(cacheDir, [what === "does not allow" ? other : root]);
		expect(readdirSync(other)).toEqual([]);
		expect(readdirSync(paths.parked)).toEqual([]);
		const kept = readdirSync(paths.quarantine).filter((name) => !name.endsWith(".reason.json"));
		expect(kept.flatMap((name) => linesOf(join(paths.quarantine, name)))).toEqual(lines);
		const report = readFileSync(paths.errorLog, "utf8")
			.split("\n\n")
			.find((each) => each.includes("OUTPUT_REFUSED"));
		expect(/^= count 0*10 /m.test(report ?? "")).toBe(true);
	},
);

async function drain(cacheDir: string, roots?: readonly string[]): Promise<void> {
	await logman({ cacheDir, roots, signal: AbortSignal.abort() });
}

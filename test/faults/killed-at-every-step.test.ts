/** A logman that dies at any step, and one that dies while it recovers, leave every line in its file once. */
import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { spoolPaths } from "../../src/spool/paths.ts";
import { startFixture } from "../fixture-process.ts";
import { drain } from "../running-logman.ts";
import { temporaryDirectory } from "../temporary-directory.ts";
import { LoggedWork } from "./logged-work.ts";

/** For hundreds of processes on a machine that has other work as well. */
const slowMs = 900_000;

/** Runs a logman that kills itself at a step. Returns whether it came to its end. */
async function runUntil(cacheDir: string, step: number): Promise<boolean> {
	const { process, ended } = startFixture("fault-logman", cacheDir, String(step));
	let said = "";
	let errors = "";
	process.stdout.on("data", (text) => (said += text));
	process.stderr.on("data", (text) => (errors += text));
	await ended();
	expect(errors).toBe("");
	expect(process.signalCode ?? process.exitCode).toBe(said === "" ? "SIGKILL" : 0);
	return said !== "";
}

/**
 * Lines for a file that can't be written and for others; a logman that dies at step `first`. Then the file can be
 * written, more lines come, and another logman dies at step `second`. One more does the rest.
 *
 * @param first "end" for a logman that does not die.
 * @returns Whether each of the two came to its end.
 */
async function survive(first: number | "end", second: number): Promise<[boolean, boolean]> {
	const directory = temporaryDirectory();
	const cacheDir = join(directory, "spool");
	const work = new LoggedWork(cacheDir, join(directory, "logs"));
	work.logRound(4);
	const isFirstOver = first === "end" ? await drain(cacheDir).then(() => true) : await runUntil(cacheDir, first);
	work.unblock();
	if (second % 2 === 0) work.endLiving();
	else work.logRound(1);
	const isSecondOver = await runUntil(cacheDir, second);
	work.endLiving();
	// What is parked is brought back behind the rest: at the latest when a logman starts with nothing else to do.
	await drain(cacheDir);
	await drain(cacheDir);
	work.check();
	const paths = spoolPaths(cacheDir);
	expect(readdirSync(paths.quarantine)).toEqual([]);
	expect(readdirSync(paths.parked)).toEqual([]);
	const reports = existsSync(paths.errorLog) ? readFileSync(paths.errorLog, "utf8") : "";
	// A report that was cut by the death itself is not written a second time: by then the file can be written.
	const wasBlocked = isFirstOver || (reports !== "" && reports.endsWith("\n"));
	if (reports.endsWith("\n") || reports === "") {
		expect(reports.match(/^= report /gm) ?? []).toHaveLength(wasBlocked ? 1 : 0);
	}
	if (wasBlocked) expect(reports).toContain("failing message: 1 urgent 0");
	rmSync(directory, { recursive: true });
	return [isFirstOver, isSecondOver];
}

/** Calls `work` with 1, 2, 3 … until it says that it is over, three at a time. Returns how many there were. */
async function countUntilOver(work: (step: number) => Promise<boolean>): Promise<number> {
	let next = 1;
	let isOver = false;
	let count = 0;
	const worker = async (): Promise<void> => {
		while (!isOver) {
			const step = next++;
			try {
				if (await work(step)) isOver = true;
				else count += 1;
			} catch (error) {
				throw new Error(`with a kill at step ${step}`, { cause: error });
			}
		}
	};
	await Promise.all([worker(), worker(), worker()]);
	return count;
}

test(
	"a logman may die at every step of its work, and the next one early in its own",
	async () => {
		// The second death comes somewhere in its first steps, those of the recovery, in another place each time.
		const survived = await countUntilOver(async (step) => (await survive(step, 1 + ((step * 7) % 40)))[0]);
		expect(survived).toBeGreaterThan(40);
		console.info(`kills at ${survived} steps, and as many in recovery`);
	},
	slowMs,
);

test(
	"a logman may die at every step of bringing parked lines back",
	async () => {
		const survived = await countUntilOver(async (step) => (await survive("end", step))[1]);
		expect(survived).toBeGreaterThan(20);
		console.info(`kills at ${survived} steps`);
	},
	slowMs,
);

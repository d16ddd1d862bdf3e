/** Each call to the file system fails once, in the middle of the logman's work: nothing is lost, repeated or reordered. */
import fs, { readdirSync, rmSync } from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { join } from "node:path";
import { expect, test } from "vitest";
import { spoolPaths } from "../../src/spool/paths.ts";
import { drain } from "../running-logman.ts";
import { directoryInMemory } from "../temporary-directory.ts";
import { LoggedWork } from "./logged-work.ts";
import { runFaults } from "./run-faults.ts";

type Call =
	| "openSync"
	| "readSync"
	| "writeSync"
	| "renameSync"
	| "unlinkSync"
	| "fdatasyncSync"
	| "readdirSync"
	| "fstatSync";
type AnyCall = (...parameters: readonly unknown[]) => unknown;

function replaceCall(call: Call, replacement: AnyCall): void {
	Object.assign(fs, { [call]: replacement });
	syncBuiltinESMExports();
}

/** Lets a call fail the `failing`-th time it is made while `work` goes on. Returns how often it was made. */
async function failOnce(call: Call, failing: number, code: string, work: () => Promise<void>): Promise<number> {
	let count = 0;
	const real = fs[call] as AnyCall;
	replaceCall(call, (...parameters) => {
		// A message whose file can't be removed from the inbox is the one that may come again.
		if (call === "unlinkSync" && String(parameters[0]).includes("/inbox/")) return real(...parameters);
		count += 1;
		if (count !== failing) return real(...parameters);
		throw Object.assign(new Error(`${code}: let fail by a test, ${call}`), { code });
	});
	try {
		await work();
	} finally {
		replaceCall(call, real);
	}
	return count;
}

/** A logman that can't even start says so; the next one does the work. */
async function drainIfPossible(cacheDir: string, code: string): Promise<void> {
	await drain(cacheDir).catch((error: unknown) => expect(String(error)).toContain(code));
}

/**
 * Lines for a file that can't be written and for others; then it can be, and more lines come. One call fails in it.
 *
 * @returns Whether there were so many calls at all.
 */
async function survive(call: Call, failing: number, code: string): Promise<boolean> {
	const directory = directoryInMemory();
	const cacheDir = join(directory, "spool");
	const work = new LoggedWork(cacheDir, join(directory, "logs"), 20);
	work.logRound(2);
	let count = 0;
	const drainWithFailure = async (): Promise<void> => {
		count += await failOnce(call, failing - count, code, () => drainIfPossible(cacheDir, code));
	};
	await drainWithFailure();
	work.unblock();
	work.logRound(2);
	work.endLiving();
	await drainWithFailure();
	const { parked } = spoolPaths(cacheDir);
	for (let more = 1; more <= 3 && (more === 1 || readdirSync(parked).length > 0); more++) await drain(cacheDir);
	expect(readdirSync(parked)).toEqual([]);
	work.check();
	rmSync(directory, { recursive: true });
	return count >= failing;
}

test.each<[Call, string, step: number]>([
	["openSync", "EMFILE", 3],
	["readSync", "ENOMEM", 3],
	["writeSync", "ENOSPC", 1],
	["renameSync", "ENOSPC", 1],
	["unlinkSync", "EIO", 1],
	["fdatasyncSync", "EIO", 1],
	["readdirSync", "EMFILE", 2],
	["fstatSync", "ENOMEM", 3],
])(
	"%s may fail with %s at any time",
	async (call, code, step) => {
		let failing = 1;
		try {
			while (await survive(call, failing, code)) failing += step;
		} catch (error) {
			throw new Error(`with call ${failing} of ${call} failing`, { cause: error });
		}
		expect(failing).toBeGreaterThan(1);
		console.info(`${(failing - 1) / step} failures of ${call}`);
	},
	120_000,
);

test("every step of the code may fail, once or until the cause is lifted", async () => {
	const errors = "EIO,ENOSPC,EMFILE";
	const { line, failures } = await runFaults("points", { short: { errors, short: "1" }, long: { errors } });
	expect(failures).toEqual([]);
	console.info(line);
}, 3_600_000);

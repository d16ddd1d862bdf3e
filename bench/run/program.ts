/**
 * Programs of bench/programs as processes of their own: what they are told is JSON in their arguments, what they found out is
 * JSON, a line each, on their stdout. None outlives the benchmark.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

/** Nothing that a program does takes so long. */
const patienceMs = 180_000;
const running = new Set<ChildProcess>();
process.once("exit", () => running.forEach((child) => child.kill("SIGKILL")));

export interface Program extends AsyncDisposable {
	readonly pid: number;
	/** What it says next. @throws Error, with its stderr, when it has ended without a word. */
	hear<Said>(): Promise<Said>;
	/** Sends it a line. */
	tell(text: string): void;
	/** Resolves when it has ended. @throws Error, with its stderr, unless it ended well. */
	ended(): Promise<void>;
}

export function startProgram(name: string, options: object): Program {
	const path = fileURLToPath(new URL(`../programs/${name}.js`, import.meta.url));
	const child = spawn(process.execPath, [path, JSON.stringify(options)], {
		// As a service runs: some loggers look up source maps otherwise. ROARR_LOG switches roarr on.
		env: { ...process.env, NODE_ENV: "production", ROARR_LOG: "true" },
		stdio: "pipe",
	});
	running.add(child);
	const closed = once(child, "close").then(() => running.delete(child));
	// One that has ended hears no more; how it ended is what is told.
	child.stdin.on("error", () => undefined);
	let errors = "";
	child.stderr.on("data", (text) => (errors += text));
	const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
	const fail = (what: string): never => {
		throw new Error(`the program ${name} (${JSON.stringify(options)}) ${what}: ${errors}`);
	};
	return {
		pid: child.pid as number,
		hear: async () => {
			const late = new AbortController();
			const tooLate = sleep(patienceMs, undefined, { signal: late.signal }).then(
				() => fail("says nothing"),
				() => undefined,
			);
			const next = await Promise.race([lines.next(), tooLate]);
			late.abort();
			return next === undefined || next.done === true ? fail("ended without a word") : JSON.parse(next.value);
		},
		tell: (text) => child.stdin.write(`${text}\n`),
		ended: async () => {
			await closed;
			if (child.exitCode !== 0) fail(`ended with ${child.signalCode ?? child.exitCode}`);
		},
		[Symbol.asyncDispose]: async () => {
			child.kill("SIGKILL");
			await closed;
		},
	};
}

/** Runs a program that says one thing and ends. */
export async function runProgram<Said>(name: string, options: object): Promise<Said> {
	await using program = startProgram(name, options);
	const said = await program.hear<Said>();
	await program.ended();
	return said;
}

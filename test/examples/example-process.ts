/**
 * Runs an example as its user would: the built program, as a process. What it leaves in the temporary directory of the
 * system goes with the test, and so does every process that it may have left.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";
import { endProcess } from "../running-logman.ts";
import { temporaryDirectory } from "../temporary-directory.ts";

export interface ExampleProcess {
	readonly process: ChildProcess;
	/** What it has printed so far. */
	readonly output: () => string;
	/** What it has printed on stderr so far. */
	readonly errors: () => string;
	/** Resolves with the exit status when it has ended. */
	readonly ended: Promise<number | null>;
	/** The one folder that it made for its files. */
	readonly directory: () => string;
	/** The processes it started that work with that folder and have not ended. */
	readonly processes: () => readonly number[];
}

export function startExample(name: string): ExampleProcess {
	const parent = temporaryDirectory();
	const entry = fileURLToPath(new URL(`../../dist-examples/${name}/main.js`, import.meta.url));
	const child = spawn(process.execPath, [entry], {
		stdio: ["ignore", "pipe", "pipe"],
		env: { ...process.env, TMPDIR: parent },
	});
	let output = "";
	let errors = "";
	child.stdout.setEncoding("utf8").on("data", (text: string) => (output += text));
	child.stderr.setEncoding("utf8").on("data", (text: string) => (errors += text));
	onTestFinished(() => {
		child.kill("SIGKILL");
		for (const pid of processesNaming(parent)) endProcess(pid);
	});
	return {
		process: child,
		output: () => output,
		errors: () => errors,
		ended: once(child, "close").then(([status]: (number | null)[]) => status ?? null),
		directory: () => join(parent, readdirSync(parent).at(0) ?? ""),
		processes: () => processesNaming(parent),
	};
}

/** Process ids whose command line holds a text. Processes that have ended have none. */
function processesNaming(text: string): readonly number[] {
	return readdirSync("/proc")
		.filter((name) => /^\d+$/.test(name))
		.map(Number)
		.filter((pid) => commandLine(pid).includes(text));
}

function commandLine(pid: number): string {
	try {
		return readFileSync(`/proc/${pid}/cmdline`, "utf8");
	} catch {
		return "";
	}
}

/** Programs of test/fixtures as processes: each is ended with the test that started it, whatever becomes of the test. */
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";

export interface FixtureProcess {
	readonly pid: number;
	readonly process: ChildProcessWithoutNullStreams;
	/** The next line it prints. */
	line(): Promise<string>;
	/** Sends a line. */
	tell(text: string): void;
	/** Resolves when it has ended and all it printed was read. */
	ended(): Promise<void>;
	/** Ends it with a signal that does so, and resolves when it has ended. */
	kill(signal?: NodeJS.Signals): Promise<void>;
}

/** The compiled file of a program: it runs on dist. */
export function fixturePath(name: string): string {
	return fileURLToPath(new URL(`fixtures-dist/${name}.js`, import.meta.url));
}

export function startFixture(name: string, ...args: readonly string[]): FixtureProcess {
	return fixtureProcess(name, process.execPath, [fixturePath(name), ...args]);
}

/** A program of test/fixtures that some other command runs, in its own place (`exec`). */
export function fixtureProcess(name: string, command: string, args: readonly string[]): FixtureProcess {
	const child = spawn(command, args);
	const closed = once(child, "close");
	const end = async (signal: NodeJS.Signals): Promise<void> => {
		child.kill(signal);
		child.stdout.resume();
		await closed;
	};
	onTestFinished(() => end("SIGKILL"));
	let said = "";
	child.stderr.on("data", (text) => (said += text));
	let lines: AsyncIterator<string> | undefined;
	return {
		pid: child.pid as number,
		process: child,
		line: async () => {
			lines ??= createInterface({ input: child.stdout })[Symbol.asyncIterator]();
			const next = await lines.next();
			if (next.done === true) throw new Error(`${name} ended without a word: ${said}`);
			return next.value;
		},
		tell: (text) => child.stdin.write(`${text}\n`),
		ended: async () => {
			await closed;
		},
		kill: (signal = "SIGKILL") => end(signal),
	};
}

/**
 * A place for a test of the command: a temporary directory with a cache directory in it, the built command as child
 * processes, and an end that leaves none of them behind.
 */
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Definition } from "../../src/spool/definition.ts";
import { isLeaseHeld, leaseHolder } from "../../src/spool/lease.ts";
import { Producer } from "../../src/spool/producer.ts";
import type { LaneIndex } from "../../src/shared/lane.ts";

/** The built command. */
const commandFile: string = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));

export interface Finished {
	readonly code: number | null;
	readonly stdout: string;
	readonly stderr: string;
}

export interface RunOptions {
	readonly input?: string;
	readonly cwd?: string;
	readonly env?: Readonly<Record<string, string>>;
}

export class Sandbox {
	readonly directory: string;
	readonly cacheDir: string;
	readonly control: string;
	readonly lease: string;
	readonly #children: ChildProcessWithoutNullStreams[] = [];
	readonly #producers: Producer[] = [];

	constructor() {
		this.directory = mkdtempSync(join(tmpdir(), "pylog-cli-"));
		this.cacheDir = join(this.directory, "cache");
		this.control = join(this.cacheDir, "control");
		this.lease = join(this.cacheDir, "logman.lock");
	}

	/** A path in the directory. */
	path(name: string): string {
		return join(this.directory, name);
	}

	read(name: string): string {
		return readFileSync(this.path(name), "utf8");
	}

	/** Starts the command. */
	spawn(words: readonly string[], options: RunOptions = {}): Child {
		return this.#start(process.execPath, [commandFile, ...words], options);
	}

	/** Runs the command to its end. */
	async run(words: readonly string[], options: RunOptions = {}): Promise<Finished> {
		return this.spawn(words, options).finished;
	}

	/** Runs a script of the shell, in which `pylog` is the command. */
	async shell(script: string): Promise<Finished> {
		return this.#start("sh", ["-c", `pylog() { '${process.execPath}' '${commandFile}' "$@"; }; ${script}`], {})
			.finished;
	}

	/** Runs the command with `--json` and returns what it printed. */
	async json(words: readonly string[]): Promise<Record<string, unknown>> {
		const { stdout } = await this.run([...words, "--json"]);
		return JSON.parse(stdout) as Record<string, unknown>;
	}

	/** Starts a logman in the background and returns its process number. */
	async startDetached(): Promise<number> {
		const { code, stdout, stderr } = await this.run(["start", "--detach"]);
		if (code !== 0) throw new Error(`pylog start --detach ended with ${code}: ${stderr}`);
		return Number(stdout);
	}

	/** A producer of this process. */
	producer(): Producer {
		const producer = Producer.open({ cacheDir: this.cacheDir });
		this.#producers.push(producer);
		return producer;
	}

	/** Ends whatever was started, each by its process number, and removes the directory. */
	async dispose(): Promise<void> {
		for (const producer of this.#producers) producer.close();
		for (const child of this.#children) {
			if (child.exitCode === null && child.signalCode === null) child.kill("SIGKILL");
		}
		const giveUpMs = performance.now() + 10_000;
		while (isLeaseHeld(this.lease) && performance.now() < giveUpMs) {
			const pid = leaseHolder(this.lease)?.pid;
			if (pid !== undefined && pid !== process.pid) killIfThere(pid);
			await pause(10);
		}
		rmSync(this.directory, { recursive: true, force: true });
	}

	#start(file: string, words: readonly string[], { input = "", cwd, env }: RunOptions): Child {
		const { NO_COLOR: _, FORCE_COLOR: __, ...inherited } = process.env;
		const child = spawn(file, words, {
			cwd: cwd ?? this.directory,
			env: { ...inherited, PYLOG_CACHE_DIR: this.cacheDir, ...env },
		});
		this.#children.push(child);
		child.stdin.on("error", () => undefined);
		child.stdin.end(input);
		return new Child(child);
	}
}

/** A command that runs. */
export class Child {
	readonly process: ChildProcessWithoutNullStreams;
	readonly finished: Promise<Finished>;
	stdout = "";
	stderr = "";

	constructor(child: ChildProcessWithoutNullStreams) {
		this.process = child;
		child.stdout.setEncoding("utf8").on("data", (text: string) => {
			this.stdout += text;
		});
		child.stderr.setEncoding("utf8").on("data", (text: string) => {
			this.stderr += text;
		});
		this.finished = new Promise((resolve, reject) => {
			child.on("error", reject);
			child.on("close", (code) => resolve({ code, stdout: this.stdout, stderr: this.stderr }));
		});
	}

	/** Waits until it has said something on stderr. */
	async said(pattern: RegExp): Promise<void> {
		await until(() => pattern.test(this.stderr), `${String(pattern)} on stderr`);
	}

	/** Waits until it has a file in its memory. */
	async hasMapped(path: string): Promise<void> {
		const maps = `/proc/${this.process.pid}/maps`;
		await until(() => readFileSync(maps, "utf8").includes(path), `${path} in ${maps}`);
	}
}

/** Waits until something is so. */
export async function until(isSo: () => boolean, what: string): Promise<void> {
	const giveUpMs = performance.now() + 20_000;
	while (!isSo()) {
		if (performance.now() > giveUpMs) throw new Error(`waited in vain for: ${what}`);
		await pause(10);
	}
}

/** Appends finished lines `<name> 0`, `<name> 1` … that go to `output`. */
export function append(producer: Producer, output: string, name: string, count: number, lane: LaneIndex = 1): string[] {
	const definition = Definition.ofLogger({
		output,
		format: "text",
		logform: "",
		name: "",
		hostname: "test",
		pid: process.pid,
		thread: 0,
		fields: "",
	});
	const callSite = Definition.ofCallSite("test.ts:1");
	const lines = Array.from({ length: count }, (_, index) => `${name} ${index}`);
	for (const message of lines) {
		producer.append(lane, { level: 30, timeMs: 0, flags: 1, definition, callSite, message, fields: "", error: "" });
	}
	return lines;
}

/** Makes a directory where a file should be, so that it can't be written. */
export function blockWithDirectory(path: string): void {
	mkdirSync(path);
}

function killIfThere(pid: number): void {
	try {
		process.kill(pid, "SIGKILL");
	} catch {
		// It has ended since.
	}
}

/** Folders for log files and queues, and the logmans that serve them: all gone when the benchmark ends, however it ends. */
import { mkdtempSync, rmSync, statfsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type LogmanHandle, startLogman, type StartLogmanOptions } from "pylog";

const folders = new Set<string>();
const logmans = new Set<number>();
for (const [signal, number] of [
	["SIGINT", 2],
	["SIGTERM", 15],
	["SIGHUP", 1],
] as const) {
	process.once(signal, () => process.exit(128 + number));
}
process.once("exit", () => {
	for (const pid of logmans) endProcess(pid);
	for (const folder of folders) removeFolder(folder);
});

/** The folder in memory, if the machine has one. */
export const memoryFolder = "/dev/shm";
/** It would stay if the benchmark were killed; longer than peers are measured meanwhile. */
const logmanIdleExitMs = 600_000;
const magicNames: Readonly<Record<number, string>> = { 0xef53: "ext4", 0x01021994: "tmpfs", 0x58465342: "xfs" };

export class Scratch implements AsyncDisposable {
	readonly folder: string;
	#logman: LogmanHandle | undefined;
	#files = 0;

	constructor(parent: string = tmpdir()) {
		this.folder = mkdtempSync(join(parent, "pylog-bench-"));
		folders.add(this.folder);
	}

	get cacheDir(): string {
		return join(this.folder, "queue");
	}

	/** Process id of the logman. */
	get logmanPid(): number {
		return this.#logman?.pid ?? 0;
	}

	/** Path of a log file that is not there yet. */
	newFile(): string {
		this.#files += 1;
		return join(this.folder, `${this.#files}.log`);
	}

	/** Removes the log files made so far: they are written back to the disk no longer. */
	removeFiles(): void {
		for (let file = 1; file <= this.#files; file++) rmSync(join(this.folder, `${file}.log`), { force: true });
	}

	/** Starts a logman for the queue, which runs until {@link Scratch.stopLogman}. */
	async startLogman(options: StartLogmanOptions = {}): Promise<void> {
		this.#logman = await startLogman({ cacheDir: this.cacheDir, idleExitMs: logmanIdleExitMs, ...options });
		logmans.add(this.#logman.pid);
	}

	async stopLogman(): Promise<void> {
		if (this.#logman === undefined) return;
		await this.#logman.stop();
		logmans.delete(this.#logman.pid);
		this.#logman = undefined;
	}

	async [Symbol.asyncDispose](): Promise<void> {
		await this.stopLogman();
		removeFolder(this.folder);
		folders.delete(this.folder);
	}
}

/** The kind of file system that a folder is on. */
export function fileSystemOf(folder: string): string {
	const { type } = statfsSync(folder);
	return magicNames[type] ?? `file system 0x${type.toString(16)}`;
}

function removeFolder(folder: string): void {
	rmSync(folder, { recursive: true, force: true });
}

function endProcess(pid: number): void {
	try {
		process.kill(pid, "SIGKILL");
	} catch {
		// It has ended by itself.
	}
}

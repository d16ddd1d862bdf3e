/** A producer as main.ts sees it: a child process that logs until it is told to finish, or killed. */

import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { Command } from "./commands.ts";

export class ProducerProcess {
	readonly name: string;
	readonly pid: number;
	readonly #child: ChildProcess;
	readonly #ended: Promise<void>;
	#mayEnd = false;

	/**
	 * Starts a process that logs to the job in `directory`, with so many worker threads.
	 *
	 * @param onFailure called when the process ends though nobody wanted it to, or with an error
	 */
	constructor(directory: string, name: string, workerCount: number, onFailure: (error: Error) => void) {
		const entry = fileURLToPath(new URL("./producer.js", import.meta.url));
		this.name = name;
		this.#child = fork(entry, [directory, name, String(workerCount)]);
		this.pid = this.#child.pid ?? 0;
		const exit = once(this.#child, "exit").then(([status, signal]) => {
			if (this.#mayEnd && (status === 0 || signal === "SIGKILL")) return;
			throw new Error(`Producer ${name} ended with ${signal ?? `exit status ${status}`}.`);
		});
		this.#ended = exit.catch(onFailure);
	}

	/** Makes each thread of the process log very many lines at once. */
	rush(): void {
		this.#send("rush");
	}

	/** SIGKILL: the process gets no chance to do anything more. Does nothing to one that has ended. */
	async kill(): Promise<void> {
		this.#mayEnd = true;
		this.#child.kill("SIGKILL");
		await this.#ended;
	}

	/** Tells the process to finish, and waits until it has. @throws the reason of `signal` when that aborts */
	async finish(signal: AbortSignal): Promise<void> {
		this.#mayEnd = true;
		const exit = once(this.#child, "exit", { signal });
		this.#send("finish");
		await exit;
		await this.#ended;
		signal.throwIfAborted();
	}

	#send(command: Command): void {
		if (this.#child.connected) this.#child.send(command);
	}
}

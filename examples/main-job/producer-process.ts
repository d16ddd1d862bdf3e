/** A producer as main.ts sees it: a child process that logs until it is told to finish, or killed. */

import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

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
		this.#ended = once(this.#child, "exit").then(([status, signal]) => {
			if (this.#mayEnd && (status === 0 || signal === "SIGKILL")) return;
			onFailure(new Error(`Producer ${name} ended with ${signal ?? `exit status ${status}`}.`));
		});
	}

	/** SIGKILL: the process gets no chance to do anything more. Does nothing to one that has ended. */
	async kill(): Promise<void> {
		this.#mayEnd = true;
		this.#child.kill("SIGKILL");
		await this.#ended;
	}

	/** Tells the process to finish, and waits until it has. */
	async finish(): Promise<void> {
		this.#mayEnd = true;
		if (this.#child.connected) this.#child.send("finish");
		await this.#ended;
	}
}

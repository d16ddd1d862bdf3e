/**
 * A folder whose file system stops, or fails, when a test says so, each kind of call by itself: a stalled network mount,
 * a disk with bad sectors. It is test/fixtures/faulty-mount.py, a real file system behind /dev/fuse; only root may mount it.
 *
 * It is gone after the test that started it. A stall ends with the test as well, and by itself after a minute, so that no
 * process stays behind in a call that can't be interrupted. While calls are stalled the test must not make such calls
 * itself: it would stop, too.
 */
import { spawn, spawnSync } from "node:child_process";
import { accessSync, constants, readFileSync, statSync } from "node:fs";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";
import { systemCode } from "../src/shared/errors.ts";
import { temporaryDirectory } from "./temporary-directory.ts";

/** `open` is also the making of a file, `stat` each look at a name on the way to a file, `sync` an fsync. */
export type FaultyCall = "write" | "sync" | "open" | "stat" | "read";

/** Why there can be no faulty mount here; `undefined` where there can. */
export const faultyMountRefusal: string | undefined = findRefusal();

export class FaultyMount {
	/** The mounted folder. */
	readonly path: string;
	readonly #tell: (command: string) => Promise<string>;

	private constructor(path: string, tell: (command: string) => Promise<string>) {
		this.path = path;
		this.#tell = tell;
	}

	/** Mounts one. @throws Error with what the file system's process said, when it can't. */
	static async start(): Promise<FaultyMount> {
		detachDead();
		const path = temporaryDirectory();
		const program = fileURLToPath(new URL("fixtures/faulty-mount.py", import.meta.url));
		const server = spawn("python3", [program, path]);
		const closed = new Promise((resolve) => server.on("close", resolve));
		let said = "";
		server.stderr.on("data", (text) => (said += text));
		onTestFinished(async () => {
			server.stdin.end();
			await closed;
		});
		const lines = createInterface({ input: server.stdout })[Symbol.asyncIterator]();
		const answer = async (): Promise<string> => {
			const { value, done } = await lines.next();
			if (done === true) throw new Error(`the faulty mount ended: ${said}`);
			return value;
		};
		let previous = answer();
		await previous;
		const tell = async (command: string): Promise<string> => {
			server.stdin.write(`${command}\n`);
			return (previous = previous.then(answer));
		};
		return new FaultyMount(path, tell);
	}

	/** From now on such calls get no answer, until {@link goOn}. */
	async stall(...calls: readonly FaultyCall[]): Promise<void> {
		// Before the processes that wait in such a call are ended, for they can't be.
		onTestFinished(() => this.goOn());
		for (const call of calls) await this.#order(`stall ${call}`);
	}

	/**
	 * From now on such calls fail, until {@link goOn}.
	 *
	 * @param code As "EIO".
	 * @param options `loses`, for `sync`: what was not on disk is lost, as on a real disk. It can still be read until
	 * {@link evict}, later syncs succeed, and only writing it again brings it back.
	 */
	async fail(call: FaultyCall, code: string, { loses = false } = {}): Promise<void> {
		await this.#order(`fail ${call} ${code}${loses ? " loses" : ""}`);
	}

	/** Such calls, or all, are answered again; those that waited are done now. */
	async goOn(...calls: readonly FaultyCall[]): Promise<void> {
		if (calls.length === 0) await this.#order("go-on");
		for (const call of calls) await this.#order(`go-on ${call}`);
	}

	/** What failed syncs lost can't be read any more: zeros stand in its place. */
	async evict(): Promise<void> {
		await this.#order("evict");
	}

	/** Stalled calls that wait. */
	async heldCount(call: FaultyCall): Promise<number> {
		return Number(await this.#tell(`held ${call}`));
	}

	/** Calls so far, also those that were stalled or failed. */
	async madeCount(call: FaultyCall): Promise<number> {
		return Number(await this.#tell(`made ${call}`));
	}

	/** Waits until a stalled call waits. */
	async untilHeld(call: FaultyCall): Promise<void> {
		while ((await this.heldCount(call)) === 0) await sleep(5);
	}

	async #order(command: string): Promise<void> {
		const answer = await this.#tell(command);
		if (answer !== "ok") throw new Error(`the faulty mount says to "${command}": ${answer}`);
	}
}

function findRefusal(): string | undefined {
	if (process.getuid?.() !== 0) return "only root may mount a file system";
	try {
		accessSync("/dev/fuse", constants.R_OK | constants.W_OK);
		return undefined;
	} catch {
		return "there is no /dev/fuse here";
	}
}

/** Detaches mounts whose process was killed before it could do so itself. */
function detachDead(): void {
	for (const line of readFileSync("/proc/self/mounts", "utf8").split("\n")) {
		const [source, path = ""] = line.split(" ");
		if (source === "faulty" && isDead(path)) spawnSync("umount", ["-l", path]);
	}
}

function isDead(path: string): boolean {
	try {
		statSync(path);
		return false;
	} catch (error) {
		return systemCode(error) === "ENOTCONN";
	}
}

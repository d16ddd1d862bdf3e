/** Commands of the faults that are interrupted: they end soon, say so by their status, and leave no process and no folder. */
import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { type FixtureProcess, startFixture } from "../fixture-process.ts";
import { until } from "../running-logman.ts";

const limitMs = 300_000;

/** A command at work. Its processes have the path of its folder in their command lines. */
class Work {
	readonly #name: string;
	readonly #command: FixtureProcess;
	readonly #folders = new Set<string>();

	constructor(name: string, ...options: readonly string[]) {
		this.#name = name;
		onTestFinished(() => this.#removeWhatIsLeft());
		this.#command = startFixture("faults/main", name, ...options);
	}

	/** Command lines of its children that have one of its folders. */
	children(): readonly string[] {
		const { pid } = this.#command;
		const pids = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ").filter(Boolean);
		return pids.map(commandLineOf).filter((line) => this.folderIn(line) !== undefined);
	}

	/** The folder of the command that a text names. */
	folderIn(text: string): string | undefined {
		const folder = new RegExp(`/[^\\s"\0]*/pylog-${this.#name}-[^/\\s"\0]+`).exec(text)?.[0];
		if (folder !== undefined) this.#folders.add(folder);
		return folder;
	}

	/** The files that it has mapped. */
	maps(): string {
		return readFileSync(`/proc/${this.#command.pid}/maps`, "utf8");
	}

	/** Interrupts it. @returns its exit status, and what it has left: folders, and processes */
	async interrupt(
		signal: NodeJS.Signals,
	): Promise<{ readonly status: number | null; readonly left: readonly string[] }> {
		await this.#command.kill(signal);
		const folders = [...this.#folders];
		const left = folders.flatMap((folder) => processesWith(folder).map(commandLineOf));
		left.push(...folders.filter((folder) => existsSync(folder)));
		return { status: this.#command.process.exitCode, left };
	}

	#removeWhatIsLeft(): void {
		for (const folder of this.#folders) {
			for (const pid of processesWith(folder)) process.kill(Number(pid), "SIGKILL");
			rmSync(folder, { recursive: true, force: true, maxRetries: 10 });
		}
	}
}

/** Empty for a process that has ended. */
function commandLineOf(pid: string): string {
	try {
		return readFileSync(`/proc/${pid}/cmdline`, "utf8");
	} catch {
		return "";
	}
}

function processesWith(text: string): readonly string[] {
	return readdirSync("/proc").filter((name) => /^\d+$/.test(name) && commandLineOf(name).includes(text));
}

for (const [signal, status] of [
	["SIGINT", 130],
	["SIGTERM", 143],
] as const) {
	test(
		`kills at each step end with ${signal}: no process and no folder is left`,
		async () => {
			const work = new Work("points", "--workers", "2");
			await until(() => work.children().length === 2);
			expect(await work.interrupt(signal)).toEqual({ status, left: [] });
		},
		limitMs,
	);

	test(
		`simulated power losses end with ${signal}: no folder is left`,
		async () => {
			const work = new Work("power");
			let folder: string | undefined;
			await until(() => {
				folder ??= work.folderIn(work.maps());
				// The recorded files are there between two disks: it is in the midst of trying them.
				const stash = folder === undefined ? "" : join(folder, "stash");
				return existsSync(stash) && readdirSync(stash).length > 10;
			});
			expect(await work.interrupt(signal)).toEqual({ status, left: [] });
		},
		limitMs,
	);
}

test(
	"kills at each step that are interrupted end a logman that was launched, too",
	async () => {
		const work = new Work("points", "--workers", "2");
		await until(() => {
			const launching = work.children().find((line) => line.includes('"work":"launch"'));
			const folder = launching === undefined ? undefined : work.folderIn(launching);
			return folder !== undefined && processesWith(folder).length === 2;
		});
		expect(await work.interrupt("SIGINT")).toEqual({ status: 130, left: [] });
	},
	limitMs,
);

test(
	"random damage that is interrupted has not gone well",
	async () => {
		const work = new Work("corruption");
		await until(() => work.children().length > 0);
		expect(await work.interrupt("SIGTERM")).toEqual({ status: 143, left: [] });
	},
	limitMs,
);

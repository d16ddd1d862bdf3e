/**
 * Small disks that only the processes of a test see: tmpfs in a mount namespace of their own, which needs no privileges
 * where the kernel lets users have namespaces. All of it is gone with the test.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { type FixtureProcess, fixtureProcess, fixturePath } from "../fixture-process.ts";
import { temporaryDirectory } from "../temporary-directory.ts";

const namespace = ["--user", "--map-root-user", "--mount"];

/** Why there can be no such disks here; `undefined` where there can. */
export function whyNoDisks(): string | undefined {
	const tried = spawnSync("unshare", [...namespace, "mount", "-t", "tmpfs", "tmpfs", "/mnt"], { encoding: "utf8" });
	if (tried.status === 0) return undefined;
	return `this kernel gives no mount namespace: ${tried.stderr?.trim() || String(tried.error)}`;
}

export class SmallDisks {
	/** Where the disks are mounted, as the processes inside see it. */
	readonly folder: string = temporaryDirectory();
	readonly #holder: ChildProcess;

	private constructor() {
		const script = `mount -t tmpfs -o size=1m,mode=755 tmpfs ${this.folder} && echo ready && exec sleep infinity`;
		this.#holder = spawn("unshare", [...namespace, "sh", "-c", script], { stdio: ["ignore", "pipe", "inherit"] });
		onTestFinished(async () => {
			const ended = once(this.#holder, "close");
			this.#holder.kill("SIGKILL");
			this.#holder.stdout?.resume();
			await ended;
		});
	}

	/** Disks by name, each with its options, such as `size=8m`. */
	static async mount(disks: Readonly<Record<string, string>>): Promise<SmallDisks> {
		const mounted = new SmallDisks();
		await once(mounted.#holder.stdout as NodeJS.ReadableStream, "data");
		for (const [name, options] of Object.entries(disks)) {
			const path = mounted.inside(name);
			mounted.run("sh", "-c", `mkdir -m 700 ${path} && mount -t tmpfs -o ${options},mode=700 tmpfs ${path}`);
		}
		return mounted;
	}

	/** A path as the processes inside see it. */
	inside(...parts: readonly string[]): string {
		return join(this.folder, ...parts);
	}

	/** The same from outside: what the test itself opens. */
	outside(...parts: readonly string[]): string {
		return join(`/proc/${this.#holder.pid}/root`, this.folder, ...parts);
	}

	/** Runs a command inside. @returns what it printed */
	run(...command: readonly string[]): string {
		const { status, stdout, stderr } = spawnSync("nsenter", [...this.#into(), ...command], { encoding: "utf8" });
		if (status !== 0) throw new Error(`${command.join(" ")}: ${stderr}`);
		return stdout;
	}

	/** A program of test/fixtures inside. `limits` are shell commands before it, such as `ulimit -f 512`. */
	start(name: string, args: readonly string[], limits = ":"): FixtureProcess {
		const program = [process.execPath, fixturePath(name), ...args];
		return fixtureProcess(name, "nsenter", [...this.#into(), "sh", "-c", `${limits}; exec "$@"`, "sh", ...program]);
	}

	/** Fills a disk to its last byte, but for `leaveBytes`. */
	fill(disk: string, leaveBytes = 0): void {
		const fd = openSync(this.outside(disk, "filler"), "a");
		try {
			const page = Buffer.alloc(4096);
			while (writeSync(fd, page) > 0);
		} catch {
			// Full.
		} finally {
			closeSync(fd);
		}
		if (leaveBytes > 0) this.run("truncate", "-s", `-${leaveBytes}`, this.inside(disk, "filler"));
	}

	/** Takes away what {@link SmallDisks.fill} wrote. */
	free(disk: string): void {
		rmSync(this.outside(disk, "filler"), { force: true });
	}

	/** Bytes that are free on a disk. */
	freeBytes(disk: string): number {
		return Number(this.run("stat", "-f", "-c", "%a", this.inside(disk))) * 4096;
	}

	#into(): readonly string[] {
		return ["--target", String(this.#holder.pid), "--user", "--mount", "--preserve-credentials"];
	}
}

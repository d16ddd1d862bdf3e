/**
 * Producers that log to the same outputs without a pause while something happens to one of them, and the logman that
 * writes the lines. Both are real processes on the built package.
 */
import { execFile } from "node:child_process";
import { chownSync, existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { expect } from "vitest";
import type { LogmanOptions } from "../../src/logman/logman-options.ts";
import { parkedFile } from "../../src/spool/parked-file.ts";
import { spoolPaths } from "../../src/spool/paths.ts";
import type { SpoolStatus } from "../../src/spool/spool-status.ts";
import { type FixtureProcess, startFixture } from "../fixture-process.ts";
import type { ProducerWork } from "../fixtures/faulty-producer.ts";
import { temporaryDirectory } from "../temporary-directory.ts";
import { auditLines, completeAudit, faultless, lastNumbers, type LineAudit } from "./line-audit.ts";

const commandFile = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));

export const lives = ["lives on", "is killed", "is stopped and started"] as const;
export type Life = (typeof lives)[number];

export interface WorkOptions {
	/** One producer each. @default ["one", "two"] */
	readonly names?: readonly string[];
	/** Lines for each file in a round of a producer. @default 1 */
	readonly linesPerRound?: number;
	/** Between rounds. @default 3 */
	readonly pauseMs?: number;
	/** Files that can't be read, or never written: nothing waits for them. @default none */
	readonly unwatched?: readonly string[];
	readonly logmanOptions?: LogmanOptions & { readonly endsStuck?: boolean };
	/** The user that logman and producers run as. @default the test's own */
	readonly uid?: number | undefined;
}

export class OutputWork {
	readonly cacheDir: string;
	readonly files: readonly string[];
	readonly #options: Required<WorkOptions>;
	readonly #producers = new Map<string, FixtureProcess>();
	readonly #logged = new Map<string, number>();
	#logman: FixtureProcess | undefined;

	/** Starts a logman and the producers, and waits until there are lines in all files. */
	static async start(files: readonly string[], options: WorkOptions = {}): Promise<OutputWork> {
		const work = new OutputWork(files, options);
		await work.startLogman();
		for (const name of work.#options.names) await work.#startProducer(name);
		for (const file of work.#watched) await work.untilWritten(file);
		return work;
	}

	private constructor(files: readonly string[], options: WorkOptions) {
		this.files = files;
		const directory = temporaryDirectory();
		if (options.uid !== undefined) chownSync(directory, options.uid, -1);
		this.cacheDir = join(directory, "spool");
		const defaults = { names: ["one", "two"], linesPerRound: 1, pauseMs: 3, unwatched: [], logmanOptions: {} };
		this.#options = { ...defaults, uid: undefined, ...options };
	}

	get #watched(): readonly string[] {
		return this.files.filter((file) => !this.#options.unwatched.includes(file));
	}

	get logman(): FixtureProcess {
		if (this.#logman === undefined) throw new Error("no logman was started");
		return this.#logman;
	}

	/** Starts one; it waits for the one before it to end. */
	async startLogman(): Promise<void> {
		const { logmanOptions, uid } = this.#options;
		const options = { cacheDir: this.cacheDir, syncIntervalMs: 50, ...logmanOptions, wait: true };
		this.#logman = startFixture("faulty-logman", JSON.stringify(options), ...(uid === undefined ? [] : [String(uid)]));
		expect(await this.#logman.line()).toBe("ready");
	}

	/** The logman leaves in order. */
	async stopLogman(): Promise<void> {
		this.logman.process.kill("SIGTERM");
		expect(await this.logman.line()).toBe("left");
		await this.logman.ended();
	}

	/** How many lines each producer has logged to each file. */
	async counts(): Promise<Map<string, number>> {
		const counts = new Map(this.#logged);
		for (const name of this.#producers.keys()) counts.set(name, Number(await this.#ask(name, "count")));
		return counts;
	}

	/** Flushes as the first producer's logger of a file does; resolves to "flushed" or the error's code. */
	async flush(file: string): Promise<string> {
		const [name] = this.#producers.keys();
		return this.#ask(name as string, `flush ${this.files.indexOf(file)}`);
	}

	/** Waits until lines of each producer that are logged from now on are in a file. */
	async untilWritten(file: string): Promise<void> {
		const before = await this.counts();
		await eventually(`new lines in ${file}`, () => {
			const last = lastNumbers(file);
			return [...before].every(([name, count]) => (last.get(name) ?? 0) > count);
		});
	}

	/** What `pylog status --json` prints. */
	async status(): Promise<SpoolStatus> {
		const words = [commandFile, "status", "--json", "--cache-dir", this.cacheDir];
		const text = await new Promise<string>((resolve) => {
			execFile(process.execPath, words, (_, stdout) => resolve(stdout));
		});
		return JSON.parse(text) as SpoolStatus;
	}

	/** The file in which lines for an output wait. */
	parkedFile(file: string): string {
		return parkedFile(spoolPaths(this.cacheDir).parked, file);
	}

	/** Waits until `pylog status` shows that lines wait for a file. */
	async untilParked(file: string): Promise<void> {
		await eventually(`${file} parked`, async () =>
			(await this.status()).parked.some(({ output, bytes }) => output === file && bytes > 0),
		);
	}

	/** Waits until no lines wait for a file any more. */
	async untilBack(file: string): Promise<void> {
		await eventually(`${file} no longer parked`, () => !existsSync(this.parkedFile(file)), 120_000);
	}

	/** The text of the error log. */
	reports(): string {
		const { errorLog } = spoolPaths(this.cacheDir);
		return existsSync(errorLog) ? readFileSync(errorLog, "utf8") : "";
	}

	/** What the error log says of a file. */
	reportOf(file: string): string {
		const reports = this.reports().split(/^(?== report )/m);
		return reports.filter((report) => report.includes(`output: ${file}\n`)).join("");
	}

	/** What the logman does while an output is out of order. */
	async goThrough(life: Life): Promise<void> {
		if (life === "lives on") return;
		await sleep(Math.random() * 300);
		if (life === "is killed") await this.logman.kill();
		else await this.stopLogman();
		await this.startLogman();
	}

	/** Lets the producers end. */
	async stopProducers(): Promise<void> {
		for (const [name, producer] of this.#producers) {
			this.#logged.set(name, Number(await this.#ask(name, "stop")));
			await producer.ended();
		}
		this.#producers.clear();
	}

	/** Lets the producers end, waits until all is written and brought back, and lets the logman leave. */
	async finish(): Promise<void> {
		await this.stopProducers();
		await eventually("all delivered", async () => (await this.status()).waiting === 0);
		for (const file of this.#watched) await this.untilBack(file);
		await this.stopLogman();
	}

	/** After {@link finish}: the files that make up one output, the oldest first, hold all lines, once each and in order. */
	expectComplete(name: string, ...files: readonly (string | undefined)[]): void {
		const audit = this.audit(...files.filter((file) => file !== undefined));
		expect(audit, name).toEqual(completeAudit(this.#logged));
	}

	/** After {@link finish}: likewise, but somebody took lines at the beginning, all of them logged before `counts` were taken. */
	expectCompleteSince(counts: ReadonlyMap<string, number>, ...files: readonly string[]): void {
		const audit = this.audit(...files);
		expect(audit, files.join(", ")).toMatchObject(faultless);
		for (const [name, count] of counts) expect(audit.first[name], name).toBeLessThanOrEqual(count + 1);
	}

	/** What there is to say of the files that make up one output, the oldest first. */
	audit(...files: readonly string[]): LineAudit {
		return auditLines(files, this.#logged);
	}

	async #startProducer(name: string): Promise<void> {
		const { linesPerRound, pauseMs, uid } = this.#options;
		const producerWork: ProducerWork = {
			cacheDir: this.cacheDir,
			name,
			files: this.files,
			linesPerRound,
			pauseMs,
			uid,
		};
		const producer = startFixture("faulty-producer", JSON.stringify(producerWork));
		expect(await producer.line()).toBe("ready");
		this.#producers.set(name, producer);
	}

	async #ask(name: string, command: string): Promise<string> {
		const producer = this.#producers.get(name) as FixtureProcess;
		producer.tell(command);
		return producer.line();
	}
}

/** Waits until something is so. @throws Error that says for what it waited in vain. */
async function eventually(
	what: string,
	isSo: () => boolean | Promise<boolean>,
	limitMs: number = 60_000,
): Promise<void> {
	const giveUpMs = performance.now() + limitMs;
	while (!(await isSo())) {
		if (performance.now() > giveUpMs) throw new Error(`waited in vain for: ${what}`);
		await sleep(10);
	}
}

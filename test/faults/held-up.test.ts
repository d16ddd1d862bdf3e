/**
 * A batch that finds room nowhere: its output fails, and the disk of the spool, where its lines would be parked, is full. It
 * goes on as soon as either takes lines again, the output as well while the spool's disk stays full, and also when logmen
 * are killed meanwhile. No line is lost, repeated or in a wrong place.
 */
import { mkdirSync, readdirSync, renameSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, onTestFinished, test } from "vitest";
import { ControlFile } from "../../src/spool/control-file.ts";
import { spoolPaths } from "../../src/spool/paths.ts";
import { FaultyMount, faultyMountRefusal } from "../faulty-mount.ts";
import type { FixtureProcess } from "../fixture-process.ts";
import type { FullLedger } from "../fixtures/full-producer.ts";
import { linesOf, until } from "../running-logman.ts";
import { audit, textOf } from "./full-disk-audit.ts";
import { SmallDisks, whyNoDisks } from "./small-disks.ts";

const refusal = whyNoDisks();
if (refusal !== undefined) console.warn(`tests of full disks are left out: ${refusal}`);
const limitMs = 300_000;
const isLong = process.env["PYLOG_FAULTS"] === "long";
/** Longer than a logman waits for an output. */
const patienceMs = 5000;
/** Long enough to tell a few tries from many. */
const heldUpMs = 6000;
/** Steps between two at which a logman is killed: each of them where time is no matter. */
const stride = isLong ? 1 : 7;

/** A spool and log files on small disks, and one producer. */
class Scene {
	readonly disks: SmallDisks;
	readonly #producer: FixtureProcess;
	readonly #logFile: string;

	private constructor(disks: SmallDisks, logFile: string, producer: FixtureProcess) {
		this.disks = disks;
		this.#logFile = logFile;
		this.#producer = producer;
	}

	/** @param folder Of the log files, as the processes inside see it; a disk of 8 MiB unless it is given. */
	static async open(files: number, folder?: string): Promise<Scene> {
		const disks = await SmallDisks.mount({ spool: "size=8m", logs: "size=8m" });
		const given = {
			cacheDir: disks.inside("spool", "pylog"),
			filename: `${folder ?? disks.inside("logs")}/app.log`,
			logform: "",
			callSite: false,
			logman: "external",
			level: "trace",
			bytes: 500,
			name: "p",
			onFull: "drop-new",
			...(files === 1 ? {} : { files }),
		};
		const producer = disks.start("full-producer", [JSON.stringify(given)]);
		expect(await producer.line()).toBe("open");
		return new Scene(disks, folder === undefined ? disks.outside("logs", "app.log") : `${folder}/app.log`, producer);
	}

	get paths(): ReturnType<typeof spoolPaths> {
		return spoolPaths(this.disks.outside("spool", "pylog"));
	}

	/** What is parked: two files for each output. */
	get parkedCount(): number {
		return readdirSync(this.paths.parked).length;
	}

	get parkedBytes(): number {
		const files = readdirSync(this.paths.parked).filter((name) => name.endsWith(".log"));
		return files.reduce((sum, name) => sum + statSync(join(this.paths.parked, name)).size, 0);
	}

	async logman(): Promise<FixtureProcess> {
		const logman = this.disks.start("logman-process", [this.disks.inside("spool", "pylog")]);
		expect(await logman.line()).toBe("ready");
		return logman;
	}

	/** A logman that kills itself at a step, or when the test says so. */
	dyingLogman(step: number): FixtureProcess {
		return this.disks.start("fault-logman", [this.disks.inside("spool", "pylog"), String(step), "stays"]);
	}

	/** Logs lines, and fills the spool's disk behind them, while the logman rests. */
	async logAndFill(logman: FixtureProcess, count: number, leaveBytes = 0): Promise<void> {
		logman.process.kill("SIGSTOP");
		await this.log(count);
		this.disks.fill("spool", leaveBytes);
		logman.process.kill("SIGCONT");
	}

	async log(count: number): Promise<void> {
		this.#producer.tell(`log ${count}`);
		expect(await this.#producer.line()).toBe("logged");
	}

	async ledger(): Promise<FullLedger> {
		this.#producer.tell("ledger");
		return JSON.parse(await this.#producer.line()) as FullLedger;
	}

	/** Waits; meanwhile segments that are given back make no room. */
	async untilWhileFull(isTrue: () => boolean): Promise<void> {
		await until(() => {
			this.disks.fill("spool");
			return isTrue();
		});
	}

	control(): ControlFile {
		const control = ControlFile.open(this.disks.outside("spool", "pylog"));
		onTestFinished(() => control.close());
		return control;
	}

	/** How often the logman has reported an error: all with these words. */
	reportsOf(what: string): number {
		const reports = textOf(this.paths.errorLog).split("\n= report ");
		const counts = reports.filter((text) => text.includes(what)).map((text) => /= count (\d+)/.exec(text)?.[1] ?? 0);
		return counts.reduce((sum: number, count) => sum + Number(count), 0);
	}

	/** Waits until nothing was written for so long though more waits. @param isFilled What is given back meanwhile makes no room. */
	async untilHeldUp({ forMs = 1000, isFilled = true } = {}): Promise<void> {
		const control = this.control();
		let before = -1;
		let sinceMs = performance.now();
		await until(() => {
			if (isFilled) this.disks.fill("spool");
			const written = control.load("written");
			if (written !== before || written === control.load("nextNumber")) sinceMs = performance.now();
			before = written;
			return performance.now() - sinceMs >= forMs;
		});
	}

	/** Waits until every line that was taken so far is in its file. */
	async untilAllThere(): Promise<void> {
		const { taken } = await this.ledger();
		const ends = Object.entries(taken).map(([lane, numbers]) => `p ${lane} ${numbers.at(-1)} `);
		const text = (): string => {
			const folder = this.#logFile.replace(/app\.log$/, "");
			return readdirSync(folder)
				.filter((name) => name.startsWith("app.log"))
				.map((name) => textOf(folder + name))
				.join("");
		};
		while (!ends.every((end) => text().includes(end))) await sleep(50);
	}

	/** All is in order once the logman has left. @returns how many lines are there, with those that lines say were dropped */
	async check(logman: FixtureProcess): Promise<number> {
		this.#producer.tell("close");
		const ledger = JSON.parse(await this.#producer.line()) as FullLedger;
		await until(() => this.parkedCount === 0);
		await stop(logman);
		await stop(await this.logman());
		const { lines, dropped } = audit(this.#logFile, [ledger], textOf(this.paths.errorLog));
		return lines + dropped;
	}
}

async function stop(logman: FixtureProcess): Promise<void> {
	logman.process.kill("SIGTERM");
	expect(await logman.line()).toBe("left");
	await logman.ended();
}

describe.skipIf(refusal !== undefined)("a batch that finds room nowhere", () => {
	test(
		"goes to its output as soon as there is room on that one's disk, though that of the spool stays full",
		async () => {
			const scene = await Scene.open(1);
			const { disks } = scene;
			const logman = await scene.logman();
			disks.fill("logs", 100_000);
			await scene.log(400);
			await until(() => scene.parkedBytes > 0);
			await scene.logAndFill(logman, 400);
			await scene.untilHeldUp();
			disks.free("logs");
			await scene.untilWhileFull(() => scene.parkedCount === 0);
			await scene.untilAllThere();
			disks.free("spool");
			await scene.log(100);
			expect(await scene.check(logman)).toBe(900);
		},
		limitMs,
	);

	test(
		"holds up no other output of that batch, and none whose lines can be brought back",
		async () => {
			const scene = await Scene.open(3);
			const { disks } = scene;
			const first = disks.outside("logs", "app.log.0");
			const second = disks.outside("logs", "app.log.1");
			const third = disks.outside("logs", "app.log.2");
			mkdirSync(first);
			const logman = await scene.logman();
			await scene.log(300);
			// Done with all of these: else the batch that is held up may be of them, and what is logged next waits behind it.
			const control = scene.control();
			await until(() => control.load("written") === control.load("nextNumber"));
			renameSync(second, disks.outside("logs", "moved"));
			mkdirSync(second);
			await scene.logAndFill(logman, 300);
			await scene.untilHeldUp();
			await scene.untilWhileFull(() => linesOf(third).length > 100);
			// For the second one there is hardly room to be parked at all.
			rmSync(first, { recursive: true });
			await scene.untilWhileFull(() => linesOf(first).length > 100);
			rmSync(second, { recursive: true });
			renameSync(disks.outside("logs", "moved"), second);
			await scene.untilAllThere();
			disks.free("spool");
			expect(await scene.check(logman)).toBe(600);
		},
		limitMs,
	);

	test.for([0, 8192])(
		"is tried after growing pauses at an output that opens and takes nothing (%i bytes are free on the spool's disk)",
		{ timeout: limitMs },
		async (freeBytes) => {
			const scene = await Scene.open(1);
			const { disks } = scene;
			const logman = await scene.logman();
			const control = scene.control();
			await scene.log(50);
			await scene.untilAllThere();
			disks.fill("logs");
			const startMs = performance.now();
			await scene.logAndFill(logman, 50, freeBytes);
			await scene.untilHeldUp({ forMs: heldUpMs, isFilled: freeBytes === 0 });
			const heldUpS = (performance.now() - startMs) / 1000;
			// Beside an output whose pause is long, the spool's disk is tried all the time.
			disks.free("spool");
			await until(() => control.load("written") === control.load("nextNumber"));
			disks.free("logs");
			expect(await scene.check(logman)).toBe(100);
			const tries = scene.reportsOf("write lines to their file");
			console.info(`${tries} tries in ${heldUpS.toFixed(1)} s`);
			// After 0.25, 0.5, 1, 2, 4, 8, and then each 10 s.
			expect(tries).toBeLessThanOrEqual(8 + heldUpS / 10);
		},
	);

	test(
		"is whole and in order when its logman is killed at any step of that",
		async () => {
			const scene = await Scene.open(1);
			const { disks } = scene;
			let died = 0;
			let step = 1;
			// How far it is to the end is not the same each time.
			for (let arrivals = 0; arrivals < 3; step += stride) {
				disks.fill("logs", 20_000);
				const before = await scene.logman();
				await scene.log(60);
				await until(() => scene.parkedBytes > 0);
				await before.kill();
				await scene.log(60);
				disks.fill("spool");
				disks.free("logs");
				const dying = scene.dyingLogman(step);
				const ended = dying.ended().then(() => true);
				const arrived = scene.untilWhileFull(() => scene.parkedCount === 0).then(() => scene.untilAllThere());
				const hasDied = await Promise.race([ended, arrived.then(() => false)]);
				if (hasDied) died += 1;
				else arrivals += 1;
				await dying.kill();
				const after = await scene.logman();
				await arrived;
				await stop(after);
				disks.free("spool");
				rmSync(scene.paths.errorLog, { force: true });
			}
			console.info(`killed at ${died} steps`);
			expect(died).toBeGreaterThan(5);
			await scene.check(await scene.logman());
		},
		isLong ? 10 * limitMs : limitMs,
	);

	test.skipIf(faultyMountRefusal !== undefined)(
		"is not written a second time to an output whose write is late",
		async () => {
			const mount = await FaultyMount.start();
			const scene = await Scene.open(1, mount.path);
			const { disks } = scene;
			const logman = await scene.logman();
			await scene.log(100);
			await scene.untilAllThere();
			await mount.stall("write");
			await scene.logAndFill(logman, 100);
			await mount.untilHeld("write");
			await scene.untilHeldUp({ forMs: patienceMs });
			await mount.goOn();
			await scene.untilAllThere();
			disks.free("spool");
			await scene.log(100);
			expect(await scene.check(logman)).toBe(300);
		},
		limitMs,
	);

	test.skipIf(faultyMountRefusal !== undefined)(
		"of which a part is parked and all is in the output, by a write that was late, goes on behind it",
		async () => {
			const mount = await FaultyMount.start();
			const scene = await Scene.open(1, mount.path);
			const { disks } = scene;
			let logman = await scene.logman();
			await scene.log(100);
			await scene.untilAllThere();
			// Room for a note, and for some of the lines.
			await mount.stall("write");
			await scene.logAndFill(logman, 100, 12_288);
			await mount.untilHeld("write");
			await until(() => scene.parkedBytes > 0);
			await scene.untilHeldUp();
			await mount.goOn();
			await scene.untilWhileFull(() => scene.parkedCount === 0);
			await scene.untilAllThere();
			disks.free("spool");
			await scene.log(100);
			await logman.kill();
			logman = await scene.logman();
			expect(await scene.check(logman)).toBe(300);
		},
		limitMs,
	);
});

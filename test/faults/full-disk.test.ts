/**
 * A spool on a disk that is full: by what is logged, by others, at any moment. In each case no process gets a signal, no
 * logging call throws, every line that was taken is in its file once, and the lines about drops count the rest. All goes
 * on by itself when there is room.
 */
import {
	closeSync,
	mkdirSync,
	openSync,
	readdirSync,
	readFileSync,
	renameSync,
	rmSync,
	statSync,
	truncateSync,
	writeFileSync,
	writeSync,
} from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, onTestFinished, test } from "vitest";
import type { FullPolicyOption } from "../../src/logger/options.ts";
import { ControlFile } from "../../src/spool/control-file.ts";
import { slotBytes, slotsStartByte } from "../../src/spool/control-layout.ts";
import { leaseHolder } from "../../src/spool/lease.ts";
import { spoolPaths } from "../../src/spool/paths.ts";
import { firstSegmentBytes } from "../../src/spool/segment-chain.ts";
import { segmentHeader } from "../../src/spool/segment-header.ts";
import { freeShare } from "../../src/spool/spool-room.ts";
import type { FixtureProcess } from "../fixture-process.ts";
import type { FullLedger, FullProducerOptions } from "../fixtures/full-producer.ts";
import { endProcess, linesOf, until } from "../running-logman.ts";
import { audit, type Audit, textOf } from "./full-disk-audit.ts";
import { SmallDisks, whyNoDisks } from "./small-disks.ts";

const refusal = whyNoDisks();
if (refusal !== undefined) console.warn(`tests of full disks are left out: ${refusal}`);
const slowMs = 180_000;

const mib = 1024 * 1024;
const policies: Readonly<Record<string, FullPolicyOption>> = {
	"drop-new": "drop-new",
	block: { policy: "block", deadlineMs: 5 },
	"drop-lowest": "drop-lowest",
};

class Scene {
	readonly disks: SmallDisks;
	/** Shell commands before each program, such as `prlimit …`. */
	limits: string;
	readonly producers: FixtureProcess[] = [];
	readonly #names: string[] = [];
	#logmen = 0;

	private constructor(disks: SmallDisks, limits: string) {
		this.disks = disks;
		this.limits = limits;
		// One that a logger has started is nobody's child.
		onTestFinished(async () => {
			for (const producer of this.producers) await producer.kill();
			const { pid } = leaseHolder(this.paths.lease) ?? {};
			if (pid !== undefined && this.#logmen === 0) endProcess(pid);
		});
	}

	static async open(disks: Readonly<Record<string, string>> = {}, limits = ":"): Promise<Scene> {
		return new Scene(await SmallDisks.mount({ spool: "size=8m", logs: "size=64m", ...disks }), limits);
	}

	/** Of the spool, as the test sees them. */
	get paths(): ReturnType<typeof spoolPaths> {
		return spoolPaths(this.disks.outside("spool", "pylog"));
	}

	get logFile(): string {
		return this.disks.outside("logs", "app.log");
	}

	producer(options: Partial<FullProducerOptions> = {}): FixtureProcess {
		const name = `p${this.producers.length}`;
		const given = {
			cacheDir: this.disks.inside("spool", "pylog"),
			filename: this.disks.inside("logs", "app.log"),
			logform: "",
			callSite: false,
			logman: "external",
			level: "trace",
			bytes: 1500,
			name,
			...options,
		};
		const producer = this.disks.start("full-producer", [JSON.stringify(given)], this.limits);
		this.producers.push(producer);
		this.#names.push(name);
		return producer;
	}

	async logman(options: object = {}): Promise<FixtureProcess> {
		this.#logmen += 1;
		const cacheDir = this.disks.inside("spool", "pylog");
		const logman = this.disks.start("logman-process", [cacheDir, JSON.stringify(options)], this.limits);
		expect(await logman.line()).toBe("ready");
		return logman;
	}

	/** All producers log so many lines; resolves when they have. */
	async log(count: number): Promise<void> {
		for (const producer of this.producers) producer.tell(`log ${count}`);
		for (const producer of this.producers) expect(await producer.line()).toBe("logged");
	}

	/** All producers close; their ledgers. */
	async close(): Promise<FullLedger[]> {
		const ledgers: FullLedger[] = [];
		for (const producer of this.producers) producer.tell("close");
		for (const producer of this.producers) {
			ledgers.push(JSON.parse(await producer.line()) as FullLedger);
			await producer.ended();
			expect(producer.process.signalCode ?? producer.process.exitCode).toBe(0);
		}
		return ledgers;
	}

	/** A logman that takes all that is left and leaves; the files are as they should be then. */
	async check(ledgers: readonly FullLedger[]): Promise<Audit> {
		await stop(await this.logman());
		// What is parked is brought back at the latest when a logman starts with nothing else to do.
		for (let more = 0; more < 20 && readdirSync(this.paths.parked).length > 0; more++) await stop(await this.logman());
		expect(readdirSync(this.paths.parked), textOf(this.paths.errorLog)).toEqual([]);
		return audit(this.logFile, ledgers, textOf(this.paths.errorLog));
	}
}

async function stop(logman: FixtureProcess): Promise<void> {
	logman.process.kill("SIGTERM");
	expect(await logman.line()).toBe("left");
	await logman.ended();
	expect(logman.process.signalCode ?? logman.process.exitCode).toBe(0);
}

/** The last `count` numbers up to `last`. */
function upTo(last: number, count: number): number[] {
	return Array.from({ length: count }, (_, index) => last - count + 1 + index);
}

async function opened(...producers: readonly FixtureProcess[]): Promise<void> {
	for (const producer of producers) expect(await producer.line()).toBe("open");
}

test.runIf(process.env["CI"] === "true")("the machine that checks changes lets the tests of full disks run", () => {
	expect(refusal).toBe(undefined);
});

describe.skipIf(refusal !== undefined)("a full disk", () => {
	test.each(Object.keys(policies))(
		"several producers log more than the disk holds, and a logman comes later (%s)",
		async (name) => {
			const scene = await Scene.open();
			const onFull = policies[name] as FullPolicyOption;
			await opened(...[1, 2, 3].map(() => scene.producer({ onFull })));
			await scene.log(name === "block" ? 2500 : 6000);
			// What Pylog leaves free; producers that look at the same moment may each take a segment of it.
			const freeBytes = scene.disks.freeBytes("spool");
			expect(freeBytes).toBeGreaterThan(8 * mib * freeShare - 3 * firstSegmentBytes);
			const logman = await scene.logman();
			for (let round = 0; round < 5; round++) await scene.log(50);
			// From here on a few lines wait at most: there is room, and nobody has to do anything for it.
			const control = ControlFile.open(scene.disks.outside("spool", "pylog"));
			onTestFinished(() => control.close());
			for (let round = 0; round < 15; round++) {
				await until(() => control.load("written") === control.load("nextNumber"));
				await scene.log(50);
			}
			const ledgers = await scene.close();
			await stop(logman);
			const { lines, dropped, notices } = await scene.check(ledgers);
			console.info(`${name}: ${lines} lines, ${dropped} dropped, ${notices.length} lines about it`);
			expect(dropped).toBeGreaterThan(1000);
			expect(lines * 1500).toBeGreaterThan(5 * mib);
			expect(new Set(notices.map(({ policy }) => policy))).toEqual(new Set([name]));
			// It went on by itself: all calls of the last rounds were taken.
			for (const { name: producer, calls, taken } of ledgers) {
				for (const lane of ["priority", "normal"] as const) {
					expect(taken[lane].slice(-100), `${producer} ${lane}`).toEqual(upTo(calls[lane], 100));
				}
			}
		},
		slowMs,
	);

	test(
		"calls that wait for room wait for the logman, also for one that is killed and replaced, and lose nothing",
		async () => {
			const scene = await Scene.open();
			const onFull = { policy: "block", deadlineMs: 600_000 } as const;
			await opened(...[1, 2, 3].map(() => scene.producer({ onFull })));
			const logged = scene.log(7000);
			for (let round = 0; round < 4; round++) {
				await sleep(300);
				const logman = await scene.logman();
				await sleep(100 + round * 50);
				await logman.kill();
			}
			const last = await scene.logman();
			await logged;
			const ledgers = await scene.close();
			await stop(last);
			const { lines, dropped } = await scene.check(ledgers);
			expect([lines, dropped]).toEqual([21_000, 0]);
		},
		slowMs,
	);

	test(
		"a call that waits starts a logman where that is left to the loggers",
		async () => {
			const scene = await Scene.open();
			const onFull = { policy: "block", deadlineMs: 600_000 } as const;
			await opened(...[1, 2].map(() => scene.producer({ onFull, logman: "auto" })));
			const logged = scene.log(9000);
			for (let kills = 0; kills < 3; ) {
				await sleep(200);
				const { pid } = leaseHolder(scene.paths.lease) ?? {};
				if (pid === undefined) continue;
				endProcess(pid);
				kills += 1;
			}
			await logged;
			const ledgers = await scene.close();
			const { pid } = leaseHolder(scene.paths.lease) ?? {};
			if (pid !== undefined) endProcess(pid);
			while (linesOf(scene.logFile).length < 18_000) {
				const rest = scene.disks.start("logman-process", [scene.disks.inside("spool", "pylog")]);
				if ((await rest.line()) === "ready") await stop(rest);
				else await rest.ended();
			}
			const { lines, dropped } = audit(scene.logFile, ledgers, textOf(scene.paths.errorLog));
			expect([lines, dropped]).toEqual([18_000, 0]);
		},
		slowMs,
	);

	test(
		"others fill the disk before the spool is made: making a logger says so, and works once there is room",
		async () => {
			const scene = await Scene.open();
			scene.disks.fill("spool");
			const producer = scene.producer();
			for (let time = 0; time < 3; time++) expect(await producer.line()).toBe("PYLOG_SPOOL_FULL");
			scene.disks.free("spool");
			scene.disks.fill("spool", 100 * 1024);
			let said = await producer.line();
			for (let time = 0; time < 3; time++) said = await producer.line();
			expect(said).toBe("PYLOG_SPOOL_FULL");
			scene.disks.free("spool");
			while (said !== "open") said = await producer.line();
			await scene.log(100);
			const { lines, dropped } = await scene.check(await scene.close());
			expect([lines, dropped]).toEqual([100, 0]);
		},
		slowMs,
	);

	test(
		"others fill a disk that has a spool: producers and logmen come and go on it all the same",
		async () => {
			const scene = await Scene.open();
			await opened(scene.producer({ onFull: "drop-new" }));
			await scene.log(500);
			scene.disks.fill("spool");
			await scene.log(500);
			const logman = await scene.logman();
			await scene.log(500);
			await logman.kill();
			const again = await scene.logman();
			scene.disks.free("spool");
			await opened(scene.producer({ onFull: "drop-lowest" }));
			await scene.log(500);
			const ledgers = await scene.close();
			await stop(again);
			const { lines } = await scene.check(ledgers);
			expect(lines).toBeGreaterThan(1000);
		},
		slowMs,
	);

	test(
		"a disk that is filled and freed again and again, in the middle of everything the spool is for",
		async () => {
			const scene = await Scene.open({ logs: "size=1g" });
			const { disks } = scene;
			const onFull = [policies["drop-new"], policies["block"], "drop-lowest"] as FullPolicyOption[];
			// Many files, for a checkpoint that has to grow; one of them can't be written, so lines are parked.
			await opened(...onFull.map((each) => scene.producer({ onFull: each, files: 120 })));
			mkdirSync(disks.outside("logs", "app.log.7"));
			let logman = await scene.logman();
			const endMs = performance.now() + 12_000;
			let round = 0;
			let delivered = 0;
			while (performance.now() < endMs) {
				round += 1;
				const logged = scene.log(400);
				disks.fill("spool", (round % 3) * 60_000);
				delivered += deliver(disks, round);
				await sleep(round % 4 === 0 ? 300 : 50);
				if (round % 5 === 0) {
					await logman.kill();
					logman = await scene.logman();
				}
				disks.free("spool");
				await logged;
			}
			rmSync(disks.outside("logs", "app.log.7"), { recursive: true });
			const ledgers = await scene.close();
			await stop(logman);
			const { lines, dropped, notices } = await scene.check(ledgers);
			console.info(`${round} rounds: ${lines} lines, ${dropped} dropped, ${notices.length} lines about it`);
			expect(lines).toBeGreaterThan(1000);
			const messages = linesOf(disks.outside("logs", "inbox.log"));
			expect(messages.toSorted()).toEqual(Array.from({ length: delivered }, (_, at) => `message ${at}`).toSorted());
			for (const folder of [scene.paths.parked, join(scene.paths.inbox, "normal")])
				expect(readdirSync(folder)).toEqual([]);
		},
		slowMs,
	);

	test(
		"a spool without free inodes, and one with a limit of its own that is small",
		async () => {
			const scene = await Scene.open({ spool: "size=64m,nr_inodes=64" });
			const maxSpoolBytes = 2 * mib;
			await opened(...[1, 2, 3].map(() => scene.producer({ maxSpoolBytes })));
			await scene.log(1500);
			const control = ControlFile.open(scene.disks.outside("spool", "pylog"));
			onTestFinished(() => control.close());
			expect(control.load("reservedKib") | 0).toBeLessThanOrEqual(maxSpoolBytes / 1024);
			// Whoever takes the last inodes takes the room for further segments.
			let taken = 0;
			for (; ; taken++) {
				try {
					writeFileSync(scene.disks.outside("spool", `inode-${taken}`), "");
				} catch {
					break;
				}
			}
			const logman = await scene.logman();
			await scene.log(500);
			expect(taken).toBeGreaterThan(0);
			while (taken-- > 0) rmSync(scene.disks.outside("spool", `inode-${taken}`));
			await until(() => control.load("written") === control.load("nextNumber"));
			await scene.log(100);
			const ledgers = await scene.close();
			await stop(logman);
			const { lines, dropped } = await scene.check(ledgers);
			console.info(`without inodes: ${lines} lines, ${dropped} dropped`);
			expect(lines).toBeGreaterThan(1200);
		},
		slowMs,
	);

	test(
		"files that may not grow (RLIMIT_FSIZE): producers take smaller segments, a logman parks, nobody gets SIGXFSZ",
		async () => {
			const scene = await Scene.open({}, "prlimit --pid $$ --fsize=400000:400000");
			await opened(...[1, 2].map(() => scene.producer()));
			await scene.log(1000);
			const limited = await scene.logman();
			await until(() => linesOf(scene.logFile).length > 100);
			await sleep(500);
			await stop(limited);
			expect(statSync(scene.logFile).size).toBeLessThanOrEqual(400_000);
			const ledgers = await scene.close();
			expect(ledgers.reduce((sum, { taken }) => sum + taken.normal.length + taken.priority.length, 0)).toBe(2000);
			scene.limits = ":";
			await stop(await scene.logman());
			await scene.check(ledgers);
		},
		slowMs,
	);

	test.each([false, true])(
		"an output whose disk is full has its lines once there is room (the disk of the spool full as well: %s)",
		async (isSpoolFull) => {
			const scene = await Scene.open({ logs: "size=8m" });
			await opened(
				...["drop-new", "block", "drop-lowest"].map((name) =>
					scene.producer({ bytes: 500, onFull: policies[name] as FullPolicyOption }),
				),
			);
			scene.disks.fill("logs", 100_000);
			const logman = await scene.logman();
			await scene.log(400);
			if (isSpoolFull) scene.disks.fill("spool");
			await scene.log(300);
			await sleep(500);
			scene.disks.free("logs");
			if (isSpoolFull) scene.disks.free("spool");
			await scene.log(100);
			const ledgers = await scene.close();
			await until(() => readdirSync(scene.paths.parked).length === 0);
			await stop(logman);
			const { lines, dropped } = await scene.check(ledgers);
			console.info(`output full, spool ${isSpoolFull}: ${lines} lines, ${dropped} dropped`);
			expect(lines).toBeGreaterThan(700);
			if (!isSpoolFull) expect(dropped).toBe(0);
		},
		slowMs,
	);

	test(
		"a control file with holes, as a copy of a spool may have, is filled or refused before anything is stored in it",
		async () => {
			const scene = await Scene.open();
			await opened(scene.producer());
			await scene.log(10);
			const [ledger] = await scene.close();
			const { disks } = scene;
			const control = disks.outside("spool", "pylog", "control");
			// The first page stays, and with it the counter; its slots are taken, so the next one is in the hole.
			disks.run(
				"fallocate",
				"--punch-hole",
				"--offset",
				"4096",
				"--length",
				"250000",
				disks.inside("spool", "pylog", "control"),
			);
			const fd = openSync(control, "r+");
			for (let slot = 0; slotsStartByte + slot * slotBytes < 4096; slot++) {
				writeSync(fd, Buffer.from([1, 2, 3, 4]), 0, 4, slotsStartByte + slot * slotBytes);
			}
			closeSync(fd);
			disks.fill("spool");
			const refused = scene.producer();
			expect(await refused.line()).toBe("PYLOG_SPOOL_FULL");
			disks.free("spool");
			let said = await refused.line();
			while (said !== "open") said = await refused.line();
			refused.tell("log 10");
			expect(await refused.line()).toBe("logged");
			refused.tell("close");
			const { lines } = await scene.check([ledger as FullLedger, JSON.parse(await refused.line()) as FullLedger]);
			expect(lines).toBe(20);
		},
		slowMs,
	);

	test(
		"a free segment that somebody cut short is not used again",
		async () => {
			const scene = await Scene.open();
			// So little room that segments are used again.
			await opened(scene.producer({ maxSpoolBytes: 512 * 1024 }));
			await scene.log(250);
			const logman = await scene.logman();
			const control = ControlFile.open(scene.disks.outside("spool", "pylog"));
			onTestFinished(() => control.close());
			// Not only written, but known to be: what is not is still wanted.
			await until(() => control.load("written") === control.load("nextNumber"));
			await logman.kill();
			const folder = join(scene.paths.producers, readdirSync(scene.paths.producers)[0] as string);
			const [producer] = scene.producers as [FixtureProcess];
			// It gives surplus segments back by and by.
			process.kill(producer.pid, "SIGSTOP");
			const segments = readdirSync(folder).filter((name) => name.startsWith("normal-"));
			expect(segments.length).toBeGreaterThan(1);
			const indexOf = (name: string): number => readFileSync(join(folder, name)).readUInt32LE(segmentHeader.index);
			const current = segments.reduce((last, name) => (indexOf(name) > indexOf(last) ? name : last));
			for (const name of segments) if (name !== current) truncateSync(join(folder, name), 4096);
			process.kill(producer.pid, "SIGCONT");
			await scene.log(600);
			const { lines } = await scene.check(await scene.close());
			expect(lines).toBeGreaterThan(300);
		},
		slowMs,
	);

	test(
		"drops of a producer that is killed before it could tell of them are in the error log",
		async () => {
			const scene = await Scene.open();
			await opened(scene.producer());
			await scene.log(7000);
			const [producer] = scene.producers as [FixtureProcess];
			producer.tell("hold 50");
			const { calls, taken } = JSON.parse(await producer.line()) as FullLedger;
			await producer.kill();
			await stop(await scene.logman());
			const lost = calls.normal + calls.priority - taken.normal.length - taken.priority.length;
			expect(lost).toBeGreaterThan(1000);
			const lines = linesOf(scene.logFile);
			const notices = lines.filter((line) => line.startsWith("pylog dropped"));
			expect(lines.length - notices.length).toBe(7050 - lost);
			const told = notices.reduce((sum, line) => sum + Number(line.split(" ")[2]), 0);
			expect(lost - told).toBeGreaterThanOrEqual(50);
			expect(textOf(scene.paths.errorLog)).toContain(`dropped ${lost - told} records`);
		},
		slowMs,
	);
});

const sent = new WeakMap<SmallDisks, number>();

/** Sends messages through the inbox as any program would, and one that is none. @returns how many were delivered whole */
function deliver(disks: SmallDisks, round: number): number {
	const inbox = disks.outside("spool", "pylog", "inbox");
	const before = sent.get(disks) ?? 0;
	let delivered = 0;
	for (let message = 0; message < 5; message++) {
		const msg = `message ${before + delivered}`;
		const text = JSON.stringify({ msg, logTo: disks.inside("logs", "inbox.log") });
		if (place(inbox, `${round}-${message}.json`, text)) delivered += 1;
	}
	place(inbox, `${round}-bad.json`, `no message ${round % 3} ${"x".repeat(3000)}`);
	sent.set(disks, before + delivered);
	return delivered;
}

function place(inbox: string, name: string, text: string): boolean {
	const draft = join(inbox, "tmp", name);
	try {
		writeFileSync(draft, text);
		if (statSync(draft).size !== text.length) return false;
		mkdirSync(join(inbox, "normal"), { recursive: true });
		renameSync(draft, join(inbox, "normal", name));
		return true;
	} catch {
		rmSync(draft, { force: true });
		return false;
	}
}

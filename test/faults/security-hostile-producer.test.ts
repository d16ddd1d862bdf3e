/**
 * A process of the same user that has the control file mapped and writes garbage: into its own slot, its own segments and
 * the words of all. The logman survives, says which word it was, and the lines of the others arrive once each; those of
 * one producer's lane are in its order, whatever was done to the counter.
 */
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { liftQueueNumber, queueNumber } from "../../src/shared/numbers.ts";
import { slotWords } from "../../src/spool/control-layout.ts";
import { spoolPaths } from "../../src/spool/paths.ts";
import { type FixtureProcess, startFixture } from "../fixture-process.ts";
import { LineWriter } from "../line-writer.ts";
import { cacheDirectory, drain, linesOf, until } from "../running-logman.ts";
import { temporaryDirectory } from "../temporary-directory.ts";

const command = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
const slowMs = 180_000;
const maxMemoryKib = 400 * 1024;
const lineCount = 800;

/** What `pylog` prints, whatever its exit status; that it ends by itself is part of the test. */
function pylog(...words: readonly string[]): string {
	try {
		return execFileSync(process.execPath, [command, ...words], { encoding: "utf8", timeout: 60_000, stdio: "pipe" });
	} catch (error) {
		const { status, stdout, stderr } = error as { status: number | null; stdout: string; stderr: string };
		if (status === null || status > 3 || /^\s+at /m.test(stderr)) throw error;
		return stdout;
	}
}

function peakMemoryKib(pid: number): number {
	return Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);
}

/** Lines of a producer by lane, as numbers in the order of the file. */
function numbersOf(path: string, name: string, isPriority: boolean): number[] {
	return linesOf(path)
		.filter((line) => line.startsWith(`${name} `))
		.map((line) => Number(line.slice(name.length + 1)))
		.filter((number) => (number % 3 === 0) === isPriority);
}

function ascending(numbers: readonly number[]): number[] {
	return [...numbers].sort((one, other) => one - other);
}

interface Scene {
	readonly cacheDir: string;
	readonly output: string;
	readonly logman: FixtureProcess;
	/** Numbers that were taken, by producer. */
	readonly taken: ReadonlyMap<string, readonly number[]>;
	/** Ends the attacker. Returns how often it wrote. */
	endAttack(): Promise<number>;
}

/** Two producers that were there before the attack, and one that comes in the middle of it. */
async function attack(attacked: object): Promise<Scene> {
	const cacheDir = cacheDirectory();
	const output = join(temporaryDirectory(), "app.log");
	const logman = startFixture("logman-process", cacheDir);
	expect(await logman.line()).toBe("ready");
	const hostile = startFixture("hostile-producer", cacheDir, output, JSON.stringify(attacked));
	await hostile.line();
	const start = (name: string): [string, FixtureProcess] => [
		name,
		startFixture("hostile-neighbour", cacheDir, output, name, String(lineCount)),
	];
	const neighbours = [start("first"), start("second")];
	for (const [, neighbour] of neighbours) await neighbour.line();
	hostile.tell("go");
	expect(await hostile.line()).toBe("attacking");
	const late = start("third");
	await late[1].line();
	const taken = new Map<string, readonly number[]>();
	for (const [name, neighbour] of [...neighbours, late]) {
		taken.set(name, JSON.parse(await neighbour.line()) as number[]);
	}
	const endAttack = async (): Promise<number> => {
		hostile.tell("enough");
		return Number(await hostile.line());
	};
	return { cacheDir, output, logman, taken, endAttack };
}

function expectAllOnceInLaneOrder(output: string, taken: Scene["taken"]): void {
	for (const [name, numbers] of taken) {
		for (const isPriority of [true, false]) {
			const expected = numbers.filter((number) => (number % 3 === 0) === isPriority);
			expect(numbersOf(output, name, isPriority)).toEqual(ascending(expected));
		}
	}
}

const attacks: readonly [what: string, attack: object, told: string, mayRefuse?: true][] = [
	["its slot: all words but the owner", { slot: "random" }, "slot of producer"],
	["its slot: the owner", { slot: { owner: "random" } }, "The word owner"],
	["its slot: an owner that is somebody else", { slot: { owner: [2] } }, "The word owner"],
	["its slot: what was appended", { slot: { appended: [-7, 0] } }, "The word appended"],
	["its own segments", { segments: true }, "no valid record"],
	["the counter, at random", { control: { nextNumber: "random" } }, "The word nextNumber"],
	["the counter, set back once and again", { control: { nextNumber: [1, 5] } }, "The word nextNumber"],
	["the counter, far ahead each time", { add: { nextNumber: 0x7fff_0000 } }, "The word nextNumber"],
	[
		"slotsUsed, beyond the file, and words that are 0 or 1",
		{
			control: {
				slotsUsed: [0xffff_ffff, 4097, 0x7fff_ffff],
				numberHigh: "random",
				sleeping: "random",
				flushWanted: "random",
			},
		},
		"The word slotsUsed",
	],
	[
		"slotsUsed and producersOpened, held still",
		{ control: { slotsUsed: [0], producersOpened: [1] } },
		"The word slotsUsed",
	],
	["reservedKib, at random", { control: { reservedKib: "random" } }, "The word reservedKib", true],
	[
		"everything at once",
		{
			segments: true,
			slot: "random",
			control: { nextNumber: "random", slotsUsed: "random", sleeping: "random", flushWanted: "random" },
		},
		"The word nextNumber",
	],
];

test.each(attacks)(
	"garbage in %s stops nobody, loses no line of others, and is told",
	async (_, attacked, told, mayRefuse) => {
		const { cacheDir, output, logman, taken, endAttack } = await attack(attacked);
		for (const numbers of taken.values()) {
			if (mayRefuse !== true) expect(numbers).toHaveLength(lineCount);
		}
		const total = [...taken.values()].reduce((sum, numbers) => sum + numbers.length, 0);
		await until(() => linesOf(output).filter((line) => /^(first|second|third) /.test(line)).length >= total);
		expectAllOnceInLaneOrder(output, taken);
		const { errorLog } = spoolPaths(cacheDir);
		// Looked at once a second.
		await until(() => linesOf(errorLog).join("\n").includes(told));
		expect(JSON.parse(pylog("status", "--json", "--cache-dir", cacheDir))).toMatchObject({ exists: true });
		expect(JSON.parse(pylog("verify", "--json", "--cache-dir", cacheDir))).toMatchObject({ exists: true });
		expect(peakMemoryKib(logman.pid)).toBeLessThan(maxMemoryKib);
		expect(readdirSync(`/proc/${logman.pid}/fd`).length).toBeLessThan(200);
		logman.process.kill("SIGTERM");
		expect(await logman.line()).toBe("left");
		expect(await endAttack()).toBeGreaterThan(10);
		await drain(cacheDir);
		expectAllOnceInLaneOrder(output, taken);
	},
	slowMs,
);

test("a counter that was set back below a record's number is set above it again, and the record is written", async () => {
	const cacheDir = cacheDirectory();
	const output = join(temporaryDirectory(), "app.log");
	using writer = new LineWriter(cacheDir);
	const { control } = writer.producer;
	control.store("nextNumber", 1_000_000);
	writer.write(output, "at a million");
	control.store("nextNumber", 5);
	await drain(cacheDir);
	expect(linesOf(output)).toEqual(["at a million"]);
	expect(control.load("nextNumber")).toBeGreaterThan(1_000_000);
	writer.write(output, "behind it");
	writer.write(output, "urgent", { isPriority: true });
	await drain(cacheDir);
	expect(linesOf(output)).toEqual(["at a million", "urgent", "behind it"]);
	expect(readFileSync(spoolPaths(cacheDir).errorLog, "utf8")).toContain("below a number that was taken");
});

test("segments that are not read yet are not used again, whatever the slot says of them", async () => {
	const cacheDir = cacheDirectory();
	const output = join(temporaryDirectory(), "app.log");
	using writer = new LineWriter(cacheDir);
	const { control, number } = writer.producer;
	let slot = 0;
	while (control.mapping.words[control.slotWord(slot)] !== number) slot += 1;
	const lines = Array.from({ length: 300 }, (_, line) => `${line} `.padEnd(2000, "."));
	const freeBelow = control.slotWord(slot) + slotWords.freeBelow + 1;
	Atomics.store(control.mapping.words, freeBelow, 0x7fff_ffff);
	for (const line of lines) expect(writer.write(output, line)).toBe(true);
	Atomics.store(control.mapping.words, freeBelow, 0);
	await drain(cacheDir);
	expect(linesOf(output)).toEqual(lines);
});

test("numbers stay exact when the counter is set far ahead without end", () => {
	let number = queueNumber(1);
	let highest = 0;
	for (let jump = 0; jump < 6_000_000; jump++) {
		number = liftQueueNumber((number + 0x7fff_ffff) % 2 ** 32, number);
		highest = Math.max(highest, number);
	}
	expect(highest).toBeLessThan(Number.MAX_SAFE_INTEGER);
	expect(liftQueueNumber((number + 1) % 2 ** 32, number)).toBe(number + 1);
});

test(
	"a producer that asks every logman to stop keeps none from writing what was logged before",
	async () => {
		const { cacheDir, output, logman, taken, endAttack } = await attack({ control: { stopWanted: [1] } });
		expect(await logman.line()).toBe("left");
		const total = [...taken.values()].reduce((sum, numbers) => sum + numbers.length, 0);
		while (linesOf(output).filter((line) => !line.startsWith("before")).length < total) {
			const next = startFixture("logman-process", cacheDir);
			expect(await next.line()).toBe("ready");
			expect(await next.line()).toBe("left");
		}
		await endAttack();
		expectAllOnceInLaneOrder(output, taken);
	},
	slowMs,
);

test(
	"a producer that closes the lanes makes others drop what they log then, counted, and nothing else",
	async () => {
		const { cacheDir, output, taken, endAttack } = await attack({ control: { closedLanes: "random" } });
		const { errorLog } = spoolPaths(cacheDir);
		await until(() => linesOf(errorLog).join("\n").includes("The word closedLanes"));
		await endAttack();
		const total = [...taken.values()].reduce((sum, numbers) => sum + numbers.length, 0);
		expect(total).toBeLessThan(3 * lineCount);
		await until(() => linesOf(output).filter((line) => /^(first|second|third) /.test(line)).length >= total);
		expectAllOnceInLaneOrder(output, taken);
	},
	slowMs,
);

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { beforeEach, expect, test } from "vitest";
import { Alarm } from "../../src/logman/alarm.ts";
import { ControlFile } from "../../src/spool/control-file.ts";
import { startFixture } from "../fixture-process.ts";
import { LineWriter } from "../line-writer.ts";
import { cacheDirectory, linesOf } from "../running-logman.ts";
import { temporaryDirectory } from "../temporary-directory.ts";

let cacheDir: string;
let path: string;
let pid: number;

beforeEach(async () => {
	cacheDir = cacheDirectory();
	path = join(temporaryDirectory(), "app.log");
	const { pid: logmanPid, line } = startFixture("logman-process", cacheDir);
	expect(await line()).toBe("ready");
	pid = logmanPid;
});

/** Processor time of a process, in milliseconds. */
function processorMs(): number {
	const [, fields = ""] = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ");
	const [user = 0, system = 0] = fields.split(" ").slice(11, 13).map(Number);
	return (user + system) * 10;
}

test("a line is in its file soon after the call, also when the logman had gone to sleep", async () => {
	using writer = new LineWriter(cacheDir);
	const latenciesMs: number[] = [];
	for (let index = 0; index < 40; index++) {
		await sleep(index % 2 === 0 ? 75 : 5);
		const startMs = performance.now();
		writer.write(path, `line ${index}`);
		while (linesOf(path).length <= index) await sleep(0);
		latenciesMs.push(performance.now() - startMs);
	}
	latenciesMs.sort((a, b) => a - b);
	const [median = 0, worst = 0] = [latenciesMs[20], latenciesMs.at(-1)];
	console.info(`visible after ${median.toFixed(1)} ms, at worst ${worst.toFixed(1)} ms`);
	expect(worst).toBeLessThan(2000);
	expect(median).toBeLessThan(500);
});

test("a logman without work costs next to nothing", async () => {
	using writer = new LineWriter(cacheDir);
	writer.write(path, "a line");
	await sleep(1000);
	const before = processorMs();
	await sleep(3000);
	const usedMs = processorMs() - before;
	console.info(`idle: ${usedMs} ms of processor time in 3 s`);
	expect(usedMs).toBeLessThan(150);
});

test("a producer that logs all the time does not have to wake it for each line", async () => {
	using writer = new LineWriter(cacheDir);
	let rings = 0;
	const { doorbell } = writer.producer.control;
	const ring = doorbell.ring.bind(doorbell);
	doorbell.ring = () => {
		rings += 1;
		ring();
	};
	for (let index = 0; index < 200; index++) {
		writer.write(path, `line ${index}`);
		await sleep(1);
	}
	expect(rings).toBeLessThan(20);
});

test("an alarm that is rung after its logman has left does nothing: work under way may end later", () => {
	const control = ControlFile.open(temporaryDirectory());
	const alarm = new Alarm(control, () => false);
	alarm.close();
	control.close();
	expect(() => alarm.ring()).not.toThrow();
});

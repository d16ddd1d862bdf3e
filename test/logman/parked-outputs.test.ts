import { spawnSync } from "node:child_process";
import {
	existsSync,
	mkdirSync,
	readdirSync,
	readFileSync,
	rmdirSync,
	rmSync,
	statSync,
	symlinkSync,
	unlinkSync,
	writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { beforeEach, expect, onTestFinished, test } from "vitest";
import { ParkedOutputs } from "../../src/logman/parked-outputs.ts";
import { observeSteps } from "../../src/platform/step.ts";
import { CheckpointFile, readCheckpoint } from "../../src/spool/checkpoint.ts";
import { parkedBytes, parkedFile } from "../../src/spool/parked-file.ts";
import { spoolPaths } from "../../src/spool/paths.ts";
import { LineWriter } from "../line-writer.ts";
import { cacheDirectory, drain, linesOf, runLogman, until } from "../running-logman.ts";
import { temporaryDirectory } from "../temporary-directory.ts";

let cacheDir: string;
let logs: string;
let blocked: string;
let good: string;

beforeEach(() => {
	cacheDir = cacheDirectory();
	logs = temporaryDirectory();
	blocked = join(logs, "blocked.log");
	good = join(logs, "good.log");
});

function numbered(count: number, from = 0): string[] {
	return Array.from({ length: count }, (_, index) => `line ${from + index}`);
}

function write(path: string, lines: readonly string[]): void {
	using writer = new LineWriter(cacheDir);
	for (const line of lines) writer.write(path, line);
}

function reports(): string {
	return readFileSync(spoolPaths(cacheDir).errorLog, "utf8");
}

test("a file with a directory in its way gets its lines when the way is free, once each and in order", async () => {
	mkdirSync(blocked);
	const running = await runLogman(cacheDir);
	write(blocked, numbered(100));
	write(good, ["not held up"]);
	await until(() => linesOf(good).length === 1);
	write(blocked, numbered(100, 100));
	write(good, ["nor now"]);
	await until(() => linesOf(good).length === 2);
	rmdirSync(blocked);
	await until(() => linesOf(blocked).length >= 200);
	write(blocked, numbered(100, 200));
	await until(() => linesOf(blocked).length >= 300);
	await running.stop();
	expect(linesOf(blocked)).toEqual(numbered(300));
	expect(readdirSync(spoolPaths(cacheDir).parked)).toEqual([]);
});

test("the error log has one report for it: file, error, failing message, and how often", async () => {
	mkdirSync(blocked);
	const running = await runLogman(cacheDir);
	write(blocked, ["the message that failed"]);
	await until(() => existsSync(spoolPaths(cacheDir).errorLog) && /count 0*[2-9] /.test(reports()));
	await running.stop();
	await drain(cacheDir);
	expect(reports().match(/^= report /gm)).toHaveLength(1);
	expect(reports()).toContain(`output: ${blocked}`);
	expect(reports()).toContain("failing message: the message that failed");
	expect(reports()).toContain("EISDIR");
});

test.each([
	[
		"a file in the place of its folder",
		"ENOTDIR",
		(): void => writeFileSync(join(logs, "folder"), ""),
		(): void => unlinkSync(join(logs, "folder")),
	],
	[
		"a full device",
		"ENOSPC",
		(): void => {
			mkdirSync(join(logs, "folder"));
			symlinkSync("/dev/full", join(logs, "folder", "app.log"));
		},
		(): void => unlinkSync(join(logs, "folder", "app.log")),
	],
	[
		"a link to itself",
		"ELOOP",
		(): void => {
			mkdirSync(join(logs, "folder"));
			symlinkSync("app.log", join(logs, "folder", "app.log"));
		},
		(): void => unlinkSync(join(logs, "folder", "app.log")),
	],
])("%s parks the lines until it is gone", async (_, code, block, unblock) => {
	const path = join(logs, "folder", "app.log");
	block();
	const running = await runLogman(cacheDir);
	write(path, numbered(10));
	write(good, ["not held up"]);
	await until(() => linesOf(good).length === 1);
	expect(reports()).toContain(code);
	unblock();
	await until(() => linesOf(path).length === 10);
	await running.stop();
	expect(linesOf(path)).toEqual(numbered(10));
	expect(readdirSync(spoolPaths(cacheDir).parked)).toEqual([]);
});

/** Mounts a small file system, for which one has to be root; unmounted after the test. */
function mountSmall(folder: string, sizeKib: number): void {
	mkdirSync(folder);
	onTestFinished(() => void spawnSync("umount", ["-l", folder]));
	expect(spawnSync("mount", ["-t", "tmpfs", "-o", `size=${sizeKib}k`, "tmpfs", folder]).status).toBe(0);
}

const mayMount = spawnSync("unshare", ["-m", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]).status === 0;

test.skipIf(!mayMount)(
	"a disk that gets full in the middle of a line has the rest of it once there is room",
	async () => {
		const disk = join(logs, "disk");
		mountSmall(disk, 1024);
		const path = join(disk, "app.log");
		writeFileSync(join(disk, "filler"), Buffer.alloc(700 * 1024));
		const running = await runLogman(cacheDir);
		const long = numbered(100).map((line) => line.padEnd(4999, "."));
		write(path, long);
		write(good, ["not held up"]);
		await until(() => linesOf(good).length === 1);
		await until(() => statSync(path).size === 324 * 1024);
		expect(readFileSync(path).length % 5000).not.toBe(0);
		expect(reports()).toContain("ENOSPC");
		unlinkSync(join(disk, "filler"));
		await until(() => statSync(path).size === 500_000);
		await running.stop();
		expect(linesOf(path)).toEqual(long);
		expect(reports()).toContain(`failing message: ${(long[66] as string).slice(0, 40)}`);
	},
);

test("lines that wait survive the logman, and a later one brings them back before it writes newer ones", async () => {
	mkdirSync(blocked);
	write(blocked, numbered(10));
	await drain(cacheDir);
	write(blocked, numbered(10, 10));
	await drain(cacheDir);
	expect(parkedBytes(spoolPaths(cacheDir).parked, blocked)).toBeGreaterThan(0);
	rmdirSync(blocked);
	write(blocked, numbered(10, 20));
	const running = await runLogman(cacheDir);
	await until(() => linesOf(blocked).length === 30);
	await running.stop();
	expect(linesOf(blocked)).toEqual(numbered(30));
});

test("more than one portion is brought back in order", async () => {
	const long = numbered(40).map((line) => line.padEnd(100_000, "."));
	mkdirSync(blocked);
	write(blocked, long);
	await drain(cacheDir);
	rmdirSync(blocked);
	const running = await runLogman(cacheDir);
	await until(() => existsSync(blocked) && statSync(blocked).size === 40 * 100_001);
	await running.stop();
	expect(linesOf(blocked)).toEqual(long);
});

test("a parked file that was taken away is no reason to stop: what comes next is written", async () => {
	mkdirSync(blocked);
	write(blocked, numbered(3));
	const running = await runLogman(cacheDir);
	const waiting = parkedFile(spoolPaths(cacheDir).parked, blocked);
	await until(() => (statSync(waiting, { throwIfNoEntry: false })?.size ?? 0) > 0);
	unlinkSync(waiting);
	rmdirSync(blocked);
	await until(() => readdirSync(spoolPaths(cacheDir).parked).length === 0);
	write(blocked, ["next"]);
	await until(() => linesOf(blocked).length === 1);
	await running.stop();
	expect(linesOf(blocked)).toEqual(["next"]);
});

// A death between the removal of the parked file and that of its note left both the note and, in the checkpoint, how
// much had been brought back; the next lines that had to wait were then taken for lines that were back already.
test("a note without its file, and what a checkpoint says of it, are not taken for lines that came back", async () => {
	mkdirSync(blocked);
	write(blocked, numbered(5));
	await drain(cacheDir);
	const { parked, checkpoint } = spoolPaths(cacheDir);
	unlinkSync(parkedFile(parked, blocked));
	const file = CheckpointFile.open(checkpoint);
	file.write({ ...(readCheckpoint(checkpoint) as never as object), parked: { [blocked]: 1000 } } as never);
	file.close();
	write(blocked, ["waits"]);
	await drain(cacheDir);
	rmdirSync(blocked);
	const running = await runLogman(cacheDir);
	await until(() => linesOf(blocked).length === 1);
	await running.stop();
	expect(linesOf(blocked)).toEqual(["waits"]);
});

test("a file that can't be parked is not taken for parked", () => {
	const folder = temporaryDirectory();
	const outputs = new ParkedOutputs(folder, 1024 * 1024);
	rmSync(folder, { recursive: true });
	expect(() => outputs.park(blocked)).toThrow("ENOENT");
	expect(outputs.get(blocked)).toBeUndefined();
	mkdirSync(folder);
	outputs.park(blocked);
	expect(readdirSync(folder).toSorted()).toHaveLength(2);
	const next = new ParkedOutputs(folder, 1024 * 1024);
	next.restore({}, {});
	expect(next.get(blocked)?.broughtBack).toBe(0);
});

// A draft stayed in parked/ until the next logman, and whoever looked at the folder took lines for waiting.
test.each(["note", "sync-note", "place-note", "create", "sync-names"])(
	"a file that can't be parked for want of room leaves nothing behind (%s)",
	(step) => {
		const folder = temporaryDirectory();
		const outputs = new ParkedOutputs(folder, 1024 * 1024);
		onTestFinished(() => observeSteps(undefined));
		observeSteps(({ name }) => {
			if (name === `parked.${step}`) throw Object.assign(new Error("ENOSPC: no space left"), { code: "ENOSPC" });
		});
		expect(() => outputs.park(blocked)).toThrow("ENOSPC");
		expect(readdirSync(folder)).toEqual([]);
		observeSteps(undefined);
		outputs.park(blocked);
		expect(readdirSync(folder)).toHaveLength(2);
	},
);

// A file that could not be removed when its output was released was taken for one of lines that still wait.
test("lines in a parked file without a note are not brought back again", async () => {
	mkdirSync(blocked);
	const { parked } = spoolPaths(cacheDir);
	write(good, ["a line"]);
	await drain(cacheDir);
	writeFileSync(parkedFile(parked, blocked), "came back before\n", { mode: 0o600 });
	write(blocked, ["waits"]);
	await drain(cacheDir);
	rmdirSync(blocked);
	await drain(cacheDir);
	expect(linesOf(blocked)).toEqual(["waits"]);
});

test("half a note that a death left is removed", () => {
	const folder = temporaryDirectory();
	writeFileSync(join(folder, "abc.json.new"), '{"path":', { mode: 0o600 });
	const outputs = new ParkedOutputs(folder, 1024 * 1024);
	outputs.restore({}, {});
	expect(outputs.size).toBe(0);
	expect(readdirSync(folder)).toEqual([]);
});

test("an output that fails again and again is tried less and less often", () => {
	const outputs = new ParkedOutputs(temporaryDirectory(), 1024 * 1024);
	const parked = outputs.park(blocked);
	const pauses: number[] = [];
	for (let nowMs = 0; pauses.length < 10; nowMs = outputs.nextTryMs()) {
		expect(outputs.due(nowMs)).toEqual([parked]);
		parked.retry.postpone(nowMs);
		expect(outputs.due(nowMs)).toEqual([]);
		pauses.push(outputs.nextTryMs() - nowMs);
	}
	expect(pauses).toEqual([250, 500, 1000, 2000, 4000, 8000, 10_000, 10_000, 10_000, 10_000]);
});

import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, expect, onTestFinished, test } from "vitest";
import { ControlFile } from "../../src/spool/control-file.ts";
import { Inbox } from "../../src/spool/inbox.ts";
import { spoolPaths } from "../../src/spool/paths.ts";
import { fixturePath } from "../fixture-process.ts";
import { LineWriter } from "../line-writer.ts";
import { cacheDirectory, drain, linesOf, runLogman, until } from "../running-logman.ts";
import { temporaryDirectory } from "../temporary-directory.ts";

let cacheDir: string;
let path: string;
let inbox: Inbox;

beforeEach(() => {
	cacheDir = cacheDirectory();
	path = join(temporaryDirectory(), "app.log");
	ControlFile.open(cacheDir).close();
	inbox = new Inbox(cacheDir);
	inbox.ensure();
});

function waiting(lane: "priority" | "normal"): string[] {
	return readdirSync(join(inbox.directory, lane));
}

function close(lane: "priority" | "normal", isClosed: boolean): void {
	const control = ControlFile.open(cacheDir);
	control.setClosed(lane, isClosed);
	control.close();
}

test("a message without a level is a finished line; one with a level has level and time before it", async () => {
	const time = "2026-01-31T12:00:00.250Z";
	inbox.deliver({ msg: "finished", logTo: path }, "normal");
	inbox.deliver({ msg: "levelled", logTo: path, level: "warn", time }, "normal");
	inbox.deliver({ msg: "finished at a time", logTo: path, time }, "normal");
	await drain(cacheDir);
	const [first, second, third] = linesOf(path);
	expect(first).toBe("finished");
	expect(second).toMatch(/^WARNING - \S+.* \| levelled$/);
	const printed = / - (.*) \| /.exec(second ?? "")?.[1] ?? "";
	expect(new Date(printed).getTime()).toBe(Date.parse(time));
	expect(third).toBe("finished at a time");
});

test("an exception stands below its message, indented, every line of it", async () => {
	const exception = 'Traceback (most recent call last):\n  File "a.py", line 1\nZeroDivisionError: division by zero';
	inbox.deliver({ msg: "it failed", logTo: path, level: "error", exception }, "normal");
	inbox.deliver({ msg: "it failed, too", logTo: path, exception }, "normal");
	await drain(cacheDir);
	const lines = linesOf(path);
	expect(lines[0]).toMatch(/^ERROR - .* \| it failed$/);
	const second = lines.indexOf("it failed, too");
	for (const below of [lines.slice(1, second), lines.slice(second + 1)]) {
		expect(below.every((line) => /^\s/.test(line))).toBe(true);
		expect(below.map((line) => line.trim()).join("\n")).toContain(
			'Traceback (most recent call last):\nFile "a.py", line 1\nZeroDivisionError: division by zero',
		);
	}
});

test("a newline in a message can't forge a line", async () => {
	inbox.deliver({ msg: "a\nERROR - now | forged", logTo: path }, "normal");
	inbox.deliver({ msg: "b\nERROR - now | forged", logTo: path, level: "info" }, "normal");
	await drain(cacheDir);
	expect(linesOf(path).filter((line) => line.startsWith("ERROR"))).toEqual([]);
});

test("messages of the priority lane come first, by folder or by their own word, each lane in its order", async () => {
	for (let index = 0; index < 5; index++) {
		inbox.deliver({ msg: `normal ${index}`, logTo: path }, "normal");
		inbox.deliver({ msg: `by word ${index}`, logTo: path, priority: true }, "normal");
		inbox.deliver({ msg: `by folder ${index}`, logTo: path }, "priority");
	}
	await drain(cacheDir);
	const lines = linesOf(path);
	const inOrder = (name: string): string[] => Array.from({ length: 5 }, (_, index) => `${name} ${index}`);
	expect(lines.slice(10)).toEqual(inOrder("normal"));
	for (const name of ["by word", "by folder"]) {
		expect(lines.filter((line) => line.startsWith(name))).toEqual(inOrder(name));
	}
});

test("what is no message goes to quarantine with the reason and is reported; the others are written", async () => {
	const folder = join(inbox.directory, "normal");
	writeFileSync(join(folder, "broken.json"), '{"msg":', { mode: 0o600 });
	writeFileSync(join(folder, "relative.json"), '{"msg":"x","logTo":"app.log"}', { mode: 0o600 });
	writeFileSync(join(folder, "empty.json"), "", { mode: 0o600 });
	symlinkSync("/etc/passwd", join(folder, "link.json"));
	mkdirSync(join(folder, "folder.json"));
	inbox.deliver({ msg: "good", logTo: path }, "normal");
	await drain(cacheDir);
	expect(linesOf(path)).toEqual(["good"]);
	expect(waiting("normal")).toEqual([]);
	const { quarantine, errorLog } = spoolPaths(cacheDir);
	const reasons = readdirSync(quarantine).filter((name) => name.endsWith(".reason.json"));
	expect(reasons).toHaveLength(5);
	const reasonFor = (name: string): string =>
		readFileSync(join(quarantine, reasons.find((each) => each.includes(name)) as string), "utf8");
	expect(reasonFor("broken")).toContain("not JSON");
	expect(reasonFor("relative")).toContain("an absolute path");
	expect(reasonFor("empty")).toContain("it is empty");
	expect(reasonFor("link")).toContain("symbolic link");
	expect(reasonFor("folder")).toContain("directory");
	expect(readFileSync(errorLog, "utf8")).toContain("failing message: broken.json");
});

test("a message that comes while the logman sleeps is written soon", async () => {
	const running = await runLogman(cacheDir);
	await new Promise((resolve) => setTimeout(resolve, 150));
	const startMs = performance.now();
	inbox.deliver({ msg: "wake up", logTo: path }, "normal");
	await until(() => linesOf(path).length === 1);
	expect(performance.now() - startMs).toBeLessThan(2000);
	await running.stop();
});

/** Runs a command where the system has no inotify instance left; that takes a user namespace. */
const withoutWatches = ["-Ur", "sh", "-c", 'echo 0 > /proc/sys/user/max_inotify_instances && exec "$@"', "sh"];
const hasNamespaces = spawnSync("unshare", [...withoutWatches, "true"]).status === 0;

// The watch that could not be made ended the logman.
test.skipIf(!hasNamespaces)("where the system has no watches left, a message is written a little later", async () => {
	const logman = spawn("unshare", [...withoutWatches, process.execPath, fixturePath("logman-process"), cacheDir]);
	onTestFinished(() => void logman.kill("SIGKILL"));
	await once(logman.stdout, "data");
	inbox.deliver({ msg: "no notice", logTo: path }, "normal");
	await until(() => linesOf(path).length === 1);
	expect(linesOf(path)).toEqual(["no notice"]);
});

// An attempt that was refused was counted as a dropped record, and the other lane's messages waited behind it.
test("messages for a closed lane wait for it, hold up no other lane's, and are not counted as dropped", async () => {
	close("priority", true);
	inbox.deliver({ msg: "for the closed lane", logTo: path }, "priority");
	inbox.deliver({ msg: "for the open lane", logTo: path }, "normal");
	const running = await runLogman(cacheDir);
	await until(() => linesOf(path).length === 1);
	expect(linesOf(path)).toEqual(["for the open lane"]);
	await new Promise((resolve) => setTimeout(resolve, 50));
	expect(waiting("priority")).toHaveLength(1);
	close("priority", false);
	await until(() => linesOf(path).length === 2);
	await running.stop();
	await drain(cacheDir);
	expect(linesOf(path)).toEqual(["for the open lane", "for the closed lane"]);
});

test("a logman that is stopped takes what is in the inbox with it", async () => {
	const running = await runLogman(cacheDir);
	for (let index = 0; index < 1100; index++) inbox.deliver({ msg: `${index}`, logTo: path }, "normal");
	await running.stop();
	expect(linesOf(path)).toEqual(Array.from({ length: 1100 }, (_, index) => `${index}`));
	expect(waiting("normal")).toEqual([]);
});

test("a flood in the inbox does not hold up the lines of producers", async () => {
	for (let index = 0; index < 1500; index++) inbox.deliver({ msg: `${index}`, logTo: path }, "normal");
	using writer = new LineWriter(cacheDir);
	writer.write(path, "of a producer");
	await drain(cacheDir);
	expect(linesOf(path).indexOf("of a producer")).toBeLessThan(1001);
	expect(linesOf(path)).toHaveLength(1501);
});

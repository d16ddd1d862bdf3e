import { existsSync, readdirSync, renameSync, writeFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { beforeEach, expect, onTestFinished, test } from "vitest";
import { LogQueue } from "../../src/logger/log-queue.ts";
import { Inbox } from "../../src/spool/inbox.ts";
import { spoolPaths } from "../../src/spool/paths.ts";
import { startFixture } from "../fixture-process.ts";
import { LineWriter } from "../line-writer.ts";
import { cacheDirectory, drain, linesOf, runLogman, until } from "../running-logman.ts";
import { temporaryDirectory } from "../temporary-directory.ts";

let cacheDir: string;
let path: string;
let queue: LogQueue;

beforeEach(() => {
	cacheDir = cacheDirectory();
	path = join(temporaryDirectory(), "app.log");
	queue = openQueue();
});

function openQueue(): LogQueue {
	const opened = new LogQueue(cacheDir);
	onTestFinished(() => opened.dispose());
	return opened;
}

/** Takes everything out of a lane. */
function takeAll(from = queue, lane: "priority" | "normal" = "normal"): string[] {
	const messages: string[] = [];
	for (let item = from.get(lane); item !== undefined; item = from.get(lane)) messages.push(item.message);
	return messages;
}

function numbered(count: number): string[] {
	return Array.from({ length: count }, (_, index) => `message ${index}`);
}

test("what is put in comes out: message, file, lane, level and time, in the order of the calls", () => {
	const beforeMs = Date.now();
	queue.put("one", { logTo: path });
	queue.put("urgent", { logTo: path, priority: true });
	queue.put("two\n", { logTo: path });
	const one = queue.get("normal");
	expect(one).toMatchObject({ message: "one", logTo: path, priority: false, level: 30, callSite: "", fields: {} });
	expect(one?.exception).toBeUndefined();
	expect(one?.timeMs).toBeGreaterThanOrEqual(beforeMs);
	expect(one?.timeMs).toBeLessThanOrEqual(Date.now());
	const urgent = queue.get("priority");
	expect(urgent).toMatchObject({ message: "urgent", priority: true });
	const two = queue.get("normal");
	expect(two?.message).toBe("two");
	expect([one, urgent, two].map((item) => queue.getQueueNumber(item as never))).toEqual([1, 2, 3]);
	expect(queue.get("normal")).toBeUndefined();
	expect(queue.get("priority")).toBeUndefined();
});

test("an exception comes out with its type, message, stack and causes", () => {
	const error = new RangeError("too far", { cause: new Error("the reason") });
	queue.put("it failed", { logTo: path, exception: error });
	expect(queue.get("normal")?.exception).toMatchObject({
		type: "RangeError",
		message: "too far",
		stack: error.stack,
		cause: { type: "Error", message: "the reason" },
	});
});

test("the logman writes what is put in as finished lines, with the exception below", async () => {
	queue.put("a finished line", { logTo: path, exception: new Error("why") });
	queue.put("forged\nline", { logTo: path });
	queue.put("urgent", { logTo: path, priority: true });
	await drain(cacheDir);
	const lines = linesOf(path);
	expect(lines[0]).toBe("urgent");
	expect(lines[1]).toBe("a finished line");
	expect(lines[2]?.trim()).toBe("Error: why");
	expect(lines.filter((line) => line.startsWith("line"))).toEqual([]);
});

test("a relative path is taken from the directory of the call", () => {
	queue.put("a line", { logTo: "app.log" });
	expect(queue.get("normal")?.logTo).toBe(resolve("app.log"));
});

test("a lane is empty when nothing waits in it: no record, no message in the inbox", async () => {
	expect([queue.isEmpty("normal"), queue.isEmpty("priority")]).toEqual([true, true]);
	queue.put("a line", { logTo: path });
	expect([queue.isEmpty("normal"), queue.isEmpty("priority")]).toEqual([false, true]);
	await drain(cacheDir);
	expect(queue.isEmpty("normal")).toBe(true);
	new Inbox(cacheDir).deliver({ msg: "a message", logTo: path }, "priority");
	expect([queue.isEmpty("normal"), queue.isEmpty("priority")]).toEqual([true, false]);
	expect(takeAll(queue, "priority")).toEqual(["a message"]);
	expect(queue.isEmpty("priority")).toBe(true);
	queue.put("another", { logTo: path });
	expect(queue.isEmpty("normal")).toBe(false);
	expect(takeAll()).toEqual(["another"]);
	expect(queue.isEmpty("normal")).toBe(true);
});

test("a closed lane refuses what is put in, what waits in it comes out, and an opened one takes again", () => {
	queue.put("before", { logTo: path });
	queue.close("normal");
	expect(() => queue.put("refused", { logTo: path })).toThrow(/normal lane.*is closed/);
	queue.put("urgent", { logTo: path, priority: true });
	queue.open("normal");
	queue.put("after", { logTo: path });
	expect(takeAll()).toEqual(["before", "after"]);
	expect(takeAll(queue, "priority")).toEqual(["urgent"]);
});

test("for a logger a closed lane is a counted drop, told of by a line once the lane is open", async () => {
	using writer = new LineWriter(cacheDir);
	queue.close("normal");
	expect(writer.write(path, "dropped")).toBe(false);
	expect(writer.write(path, "dropped, too")).toBe(false);
	expect(writer.producer.dropped).toBe(2);
	queue.open("normal");
	expect(writer.write(path, "taken")).toBe(true);
	await drain(cacheDir);
	const lines = linesOf(path);
	expect(lines).toHaveLength(2);
	expect(lines[0]).toContain("pylog dropped 2 records here: the lane was closed");
	expect(lines[1]).toBe("taken");
});

test("taking is refused while a logman runs, and a logman while somebody takes", async () => {
	const running = await runLogman(cacheDir);
	queue.put("a line", { logTo: path });
	await until(() => linesOf(path).length === 1);
	expect(() => queue.get("normal")).toThrow(`process ${process.pid}`);
	await running.stop();
	queue.put("another", { logTo: path });
	expect(takeAll()).toEqual(["another"]);
	await expect(drain(cacheDir)).rejects.toMatchObject({ code: "PYLOG_LEASE_HELD" });
	queue.dispose();
	await drain(cacheDir);
	expect(linesOf(path)).toEqual(["a line"]);
});

test("what was taken is out of the queue for good, what was not is there for the next: another queue, or a logman", async () => {
	for (const message of numbered(30)) queue.put(message, { logTo: path });
	const first = numbered(10).map(() => queue.get("normal")?.message);
	queue.dispose();
	const other = openQueue();
	const second = numbered(10).map(() => other.get("normal")?.message);
	other.dispose();
	await drain(cacheDir);
	expect([...first, ...second, ...linesOf(path)]).toEqual(numbered(30));
});

test("what comes from many segments comes out once and in order", () => {
	const long = numbered(300).map((message) => message.padEnd(2000, "."));
	for (const message of long) queue.put(message, { logTo: path });
	expect(takeAll()).toEqual(long);
	queue.put("last", { logTo: path });
	expect(takeAll()).toEqual(["last"]);
});

test("a queue after which a logman died in a batch wants it finished first", async () => {
	queue.put("a line", { logTo: path });
	queue.dispose();
	const { process, ended } = startFixture("fault-logman", cacheDir, `half output.append ${path}`);
	process.stdout.resume();
	await ended();
	const other = openQueue();
	expect(() => other.get("normal")).toThrow(/died while it wrote a batch/);
	await drain(cacheDir);
	expect(linesOf(path)).toEqual(["a line"]);
	expect(other.get("normal")).toBeUndefined();
});

test("messages of the inbox come out as well; what is none goes to quarantine and holds up no other", () => {
	const inbox = new Inbox(cacheDir);
	const name = queue.getFilename();
	expect(existsSync(name)).toBe(false);
	expect(dirname(name)).toBe(join(inbox.directory, "normal"));
	const draft = join(inbox.directory, "tmp", basename(name));
	writeFileSync(draft, "this is no message", { mode: 0o600 });
	renameSync(draft, name);
	inbox.deliver({ msg: "one", logTo: path, level: "error", exception: "Traceback" }, "normal");
	inbox.deliver({ msg: "two", logTo: path }, "normal");
	expect(queue.get("normal")).toMatchObject({
		message: "one",
		logTo: path,
		queue: 0,
		level: 50,
		exception: { type: "Error", message: "Traceback" },
	});
	expect(takeAll()).toEqual(["two"]);
	expect(queue.isEmpty("normal")).toBe(true);
	expect(readdirSync(spoolPaths(cacheDir).quarantine)).toHaveLength(2);
});

test("a message that a logman had taken into the spool when it died comes out once", async () => {
	new Inbox(cacheDir).deliver({ msg: "a message", logTo: path }, "normal");
	const { process, ended } = startFixture("fault-logman", cacheDir, "before inbox.remove");
	process.stdout.resume();
	await ended();
	expect(process.signalCode).toBe("SIGKILL");
	expect(readdirSync(join(spoolPaths(cacheDir).inbox, "normal"))).toHaveLength(1);
	expect(queue.get("normal")).toMatchObject({ message: "a message", callSite: "" });
	expect(queue.get("normal")).toBeUndefined();
	expect(queue.isEmpty("normal")).toBe(true);
});

test("each wrong argument is named", () => {
	expect(() => queue.put(7 as never, { logTo: path })).toThrow("message");
	expect(() => queue.put("a line", {} as never)).toThrow('"logTo"');
	expect(() => queue.put("a line", { logTo: path, priority: "yes" as never })).toThrow('"priority"');
	expect(() => queue.get("urgent" as never)).toThrow("priority or normal");
	expect(() => queue.isEmpty("" as never)).toThrow("priority or normal");
});

test("a disposed queue says so, and can be disposed of again", () => {
	queue.dispose();
	queue.dispose();
	expect(() => queue.put("a line", { logTo: path })).toThrow("disposed");
	expect(() => queue.isEmpty("normal")).toThrow("disposed");
});

/** `pylog start` and `pylog stop`, with real processes and signals. */
import { existsSync } from "node:fs";
import { afterEach, beforeEach, expect, test } from "vitest";
import { isLeaseHeld } from "../../src/spool/lease.ts";
import { append, Sandbox, until } from "./sandbox.ts";

let sandbox: Sandbox;

beforeEach(() => {
	sandbox = new Sandbox();
});

afterEach(() => sandbox.dispose());

test("a logman in the foreground says when it is ready, writes, and drains on SIGTERM", async () => {
	const producer = sandbox.producer();
	const child = sandbox.spawn(["start"]);
	await child.said(/writes for/);
	expect(child.stderr).toBe(`pylog: logman ${child.process.pid} writes for ${sandbox.cacheDir}\n`);
	const lines = append(producer, sandbox.path("app.log"), "line", 20_000);
	child.process.kill("SIGTERM");
	const { code, stdout, stderr } = await child.finished;
	expect(code).toBe(0);
	expect(stdout).toBe("");
	expect(stderr).toContain(`pylog: logman ${child.process.pid} has drained and leaves\n`);
	expect(sandbox.read("app.log")).toBe(`${lines.join("\n")}\n`);
	expect(isLeaseHeld(sandbox.lease)).toBe(false);
});

test("SIGINT drains as well", async () => {
	const child = sandbox.spawn(["start", "--sync", "batch"]);
	await child.said(/writes for/);
	append(sandbox.producer(), sandbox.path("app.log"), "line", 10);
	child.process.kill("SIGINT");
	expect((await child.finished).code).toBe(0);
	expect(sandbox.read("app.log").split("\n")).toHaveLength(11);
});

test("a logman in the background outlives the command that started it, until it is stopped", async () => {
	const pid = await sandbox.startDetached();
	expect(pid).toBeGreaterThan(0);
	expect(isLeaseHeld(sandbox.lease)).toBe(true);
	const lines = append(sandbox.producer(), sandbox.path("app.log"), "line", 1000);
	const { code, stdout, stderr } = await sandbox.run(["stop"]);
	expect(code).toBe(0);
	expect(stdout).toBe("");
	expect(stderr).toBe(`pylog: logman ${pid} has drained and left\n`);
	expect(sandbox.read("app.log")).toBe(`${lines.join("\n")}\n`);
	expect(isLeaseHeld(sandbox.lease)).toBe(false);
});

test("a second logman is refused with the process number of the first, in the foreground and in the background", async () => {
	const pid = await sandbox.startDetached();
	for (const words of [["start"], ["start", "--detach"]]) {
		const { code, stdout, stderr } = await sandbox.run(words);
		expect(code).toBe(1);
		expect(stdout).toBe("");
		expect(stderr).toContain(`process ${pid}, since `);
	}
	expect(isLeaseHeld(sandbox.lease)).toBe(true);
});

test("--wait takes over when the other logman leaves", async () => {
	const pid = await sandbox.startDetached();
	const waiting = sandbox.spawn(["start", "--wait"]);
	await waiting.said(new RegExp(`waits for logman ${pid},`));
	expect((await sandbox.run(["stop"])).code).toBe(0);
	await waiting.said(/writes for/);
	waiting.process.kill("SIGTERM");
	expect((await waiting.finished).code).toBe(0);
});

test("--wait --detach takes over in the background", async () => {
	const pid = await sandbox.startDetached();
	const waiting = sandbox.spawn(["start", "--wait", "--detach", "--json"]);
	await waiting.said(/waits for logman/);
	expect((await sandbox.run(["stop"])).code).toBe(0);
	const { code, stdout } = await waiting.finished;
	expect(code).toBe(0);
	const started = JSON.parse(stdout) as { pid: number; cacheDir: string };
	expect(started.cacheDir).toBe(sandbox.cacheDir);
	expect(started.pid).not.toBe(pid);
	expect(await sandbox.json(["stop"])).toMatchObject({ pid: started.pid, left: true, drained: true, waiting: 0 });
});

test("a command that is stopped while it waits for its turn leaves without having been the logman", async () => {
	await sandbox.startDetached();
	const waiting = sandbox.spawn(["start", "--wait"]);
	await waiting.said(/waits for logman/);
	// The signal is heard once the wait has begun.
	await until(() => {
		waiting.process.kill("SIGTERM");
		return waiting.process.exitCode !== null || waiting.process.signalCode !== null;
	}, "the end of the waiting command");
	expect(waiting.stderr).not.toContain("writes for");
	expect(isLeaseHeld(sandbox.lease)).toBe(true);
});

test("--idle-exit leaves when nobody logs", async () => {
	const { code, stderr } = await sandbox.run(["start", "--idle-exit", "0"]);
	expect(code).toBe(0);
	expect(stderr).toContain("has drained and leaves");
});

test("stop finds no logman: exit status 3, and no spool is made", async () => {
	const { code, stdout, stderr } = await sandbox.run(["stop"]);
	expect(code).toBe(3);
	expect(stdout).toBe("");
	expect(stderr).toBe(`pylog: no logman runs for ${sandbox.cacheDir}\n`);
	expect(existsSync(sandbox.cacheDir)).toBe(false);
	expect(await sandbox.json(["stop"])).toMatchObject({ pid: null, left: false });
});

test("stop gives up after its timeout, and the logman drains all the same once it can", async () => {
	const pid = await sandbox.startDetached();
	process.kill(pid, "SIGSTOP");
	try {
		const lines = append(sandbox.producer(), sandbox.path("app.log"), "line", 100);
		const { code, stderr } = await sandbox.run(["stop", "--timeout", "0.3"]);
		expect(code).toBe(1);
		expect(stderr).toContain(`logman ${pid} is still there after 0.3 s`);
		expect(stderr).toContain("100 records wait in the spool");
		process.kill(pid, "SIGCONT");
		await until(() => !isLeaseHeld(sandbox.lease), "the logman to leave");
		expect(sandbox.read("app.log")).toBe(`${lines.join("\n")}\n`);
	} finally {
		if (isLeaseHeld(sandbox.lease)) process.kill(pid, "SIGCONT");
	}
});

/** `pylog drain`: what it waits for, with a logman and without. */
import { existsSync, rmdirSync, unlinkSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { slotWords } from "../../src/spool/control-layout.ts";
import { Inbox } from "../../src/spool/inbox.ts";
import { isLeaseHeld, Lease } from "../../src/spool/lease.ts";
import { append, blockWithDirectory, Sandbox, until } from "./sandbox.ts";

let sandbox: Sandbox;

beforeEach(() => {
	sandbox = new Sandbox();
});

afterEach(() => sandbox.dispose());

test("without a logman it writes what waits itself, and leaves", async () => {
	const lines = append(sandbox.producer(), sandbox.path("app.log"), "line", 50_000);
	expect(await sandbox.run(["drain"])).toEqual({ code: 0, stdout: "50000 records\n", stderr: "" });
	expect(sandbox.read("app.log")).toBe(`${lines.join("\n")}\n`);
	expect(isLeaseHeld(sandbox.lease)).toBe(false);
	expect((await sandbox.run(["drain"])).stdout).toBe("0 records\n");
});

test("with a logman it returns when all that was logged before is on disk", async () => {
	await sandbox.startDetached();
	const producer = sandbox.producer();
	for (let round = 1; round <= 3; round++) {
		append(producer, sandbox.path("app.log"), `round ${round}`, 2000);
		const { code, stderr } = await sandbox.run(["drain"]);
		expect(stderr).toBe("");
		expect(code).toBe(0);
		expect(sandbox.read("app.log").split("\n")).toHaveLength(round * 2000 + 1);
		expect(producer.hasReached("durable")).toBe(true);
	}
});

test("what a producer left that has ended is waited for as well", async () => {
	const pid = await sandbox.startDetached();
	process.kill(pid, "SIGSTOP");
	const producer = sandbox.producer();
	append(producer, sandbox.path("app.log"), "line", 1000);
	producer.close();
	const draining = sandbox.spawn(["drain", "--json"]);
	await draining.hasMapped(sandbox.control);
	process.kill(pid, "SIGCONT");
	const { code, stdout } = await draining.finished;
	expect(code).toBe(0);
	expect(JSON.parse(stdout)).toEqual({ cacheDir: sandbox.cacheDir, records: 1000, drained: true, parked: [] });
	expect(sandbox.read("app.log").split("\n")).toHaveLength(1001);
});

test("messages in the inbox are waited for", async () => {
	await sandbox.startDetached();
	for (let message = 1; message <= 3; message++) {
		await sandbox.run(["send", "--to", "app.log", `message ${message}`]);
		await sandbox.run(["drain"]);
		expect(sandbox.read("app.log").split("\n")).toHaveLength(message + 1);
	}
});

test.each([
	{ records: 0, syncs: 2, what: "a second sync is asked for, which says that the first is over" },
	{ records: 1, syncs: 3, what: "another sync is asked for while a record is not on disk" },
])("messages must be taken first; then $what", async ({ records, syncs }) => {
	const producer = sandbox.producer();
	const { control } = producer;
	append(producer, sandbox.path("app.log"), "line", records);
	control.store("written", control.load("nextNumber"));
	const inbox = new Inbox(sandbox.cacheDir);
	const message = inbox.deliver({ msg: "message", logTo: sandbox.path("app.log") }, "normal");
	// This process holds the lease, as a logman would that takes its time.
	const lease = Lease.acquire(sandbox.lease);
	try {
		const draining = sandbox.spawn(["drain"]);
		// The command has to start and look at the inbox in that time, also on a busy machine.
		await pause(4000);
		expect(control.load("flushWanted")).toBe(0);
		unlinkSync(message);
		for (let sync = 1; sync <= syncs; sync++) {
			await until(() => control.load("flushWanted") === 1, `the wish for sync ${sync}`);
			expect(draining.process.exitCode).toBeNull();
			// Those before fail.
			if (sync === syncs) Atomics.store(control.mapping.words, control.slotWord(0) + slotWords.durable + 1, records);
			control.store("flushWanted", 0);
		}
		expect(await draining.finished).toEqual({
			code: 0,
			stdout: `${records + 1} record${records === 0 ? "" : "s"}\n`,
			stderr: "",
		});
	} finally {
		lease.release();
	}
});

test("it gives up after its timeout", async () => {
	const pid = await sandbox.startDetached();
	process.kill(pid, "SIGSTOP");
	append(sandbox.producer(), sandbox.path("app.log"), "line", 10);
	const { code, stdout, stderr } = await sandbox.run(["drain", "--timeout", "0.3"]);
	expect(code).toBe(1);
	expect(stdout).toBe("");
	expect(stderr).toBe(`pylog: not drained within 0.3 s: 10 records wait in ${sandbox.cacheDir}\n`);
});

test("when the logman dies meanwhile it goes on by itself", async () => {
	const pid = await sandbox.startDetached();
	process.kill(pid, "SIGSTOP");
	const lines = append(sandbox.producer(), sandbox.path("app.log"), "line", 100);
	const draining = sandbox.spawn(["drain"]);
	await draining.hasMapped(sandbox.control);
	process.kill(pid, "SIGKILL");
	expect(await draining.finished).toEqual({ code: 0, stdout: "100 records\n", stderr: "" });
	expect(sandbox.read("app.log")).toBe(`${lines.join("\n")}\n`);
});

test("an output that can't be written is a failure that names it, until it can be written", async () => {
	const output = sandbox.path("app.log");
	blockWithDirectory(output);
	append(sandbox.producer(), output, "line", 3);
	append(sandbox.producer(), sandbox.path("other.log"), "line", 1);
	const { code, stdout, stderr } = await sandbox.run(["drain"]);
	expect(code).toBe(1);
	expect(stdout).toBe("4 records\n");
	expect(stderr).toContain(`pylog: ${output} can't be written: 21 bytes of lines wait in `);
	expect(sandbox.read("other.log")).toBe("line 0\n");
	rmdirSync(output);
	expect((await sandbox.run(["drain"])).code).toBe(0);
	expect(sandbox.read("app.log")).toBe("line 0\nline 1\nline 2\n");
});

test("without a spool there is nothing to drain, and none is made", async () => {
	const { code, stdout, stderr } = await sandbox.run(["drain"]);
	expect(code).toBe(0);
	expect(stdout).toBe("0 records\n");
	expect(stderr).toContain(`there is no spool at ${sandbox.cacheDir}`);
	expect(existsSync(sandbox.cacheDir)).toBe(false);
});

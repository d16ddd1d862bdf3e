/** `pylog status`: what it tells, and that it only looks. */
import { existsSync, writeFileSync } from "node:fs";
import { afterEach, beforeEach, expect, test } from "vitest";
import { ControlFile } from "../../src/spool/control-file.ts";
import { append, blockWithDirectory, Sandbox } from "./sandbox.ts";

let sandbox: Sandbox;

beforeEach(() => {
	sandbox = new Sandbox();
});

afterEach(() => sandbox.dispose());

test("without a spool it says so, makes none, and ends with 3", async () => {
	const { code, stdout, stderr } = await sandbox.run(["status"]);
	expect(code).toBe(3);
	expect(stdout).toBe("");
	expect(stderr).toBe(`pylog: there is no spool at ${sandbox.cacheDir}, and no logman\n`);
	expect(await sandbox.json(["status"])).toEqual({
		cacheDir: sandbox.cacheDir,
		exists: false,
		logman: { running: false, pid: null, since: null },
		inbox: { priority: 0, normal: 0 },
	});
	expect(existsSync(sandbox.cacheDir)).toBe(false);
});

test("without a logman it prints what waits, and ends with 3", async () => {
	const producer = sandbox.producer();
	append(producer, sandbox.path("app.log"), "line", 7);
	append(producer, sandbox.path("app.log"), "line", 2, 0);
	const { code, stdout, stderr } = await sandbox.run(["status"]);
	expect(code).toBe(3);
	expect(stderr).toBe("");
	expect(stdout).toMatch(/^logman +none runs$/m);
	expect(stdout).toMatch(/^queue +9 records waiting, next number 10, none written yet$/m);
	expect(stdout).toMatch(new RegExp(`^ +1 +${process.pid}/\\d+ +alive +0/2 +0/7 +0$`, "m"));
});

test("the JSON has all there is to know under stable keys", async () => {
	const pid = await sandbox.startDetached();
	const producer = sandbox.producer();
	append(producer, sandbox.path("app.log"), "line", 5);
	expect((await sandbox.run(["drain"])).code).toBe(0);
	const { code, stdout } = await sandbox.run(["status", "--json"]);
	expect(code).toBe(0);
	const idle = { appended: 0, written: 0, durable: 0, waiting: 0 };
	expect(JSON.parse(stdout)).toEqual({
		cacheDir: sandbox.cacheDir,
		exists: true,
		logman: { running: true, pid, since: expect.stringMatching(/^\d{4}-\d\d-\d\dT/) as unknown },
		numbers: { next: 6, written: 6 },
		waiting: 0,
		lanes: { priority: { closed: false }, normal: { closed: false } },
		inbox: { priority: 0, normal: 0 },
		producers: [
			{
				number: producer.number,
				pid: process.pid,
				thread: expect.any(Number) as unknown,
				alive: true,
				lanes: { priority: idle, normal: { appended: 5, written: 5, durable: 5, waiting: 0 } },
				dropped: 0,
				untold: 0,
			},
		],
		spool: { reservedBytes: 65_536, defaultLimitBytes: 1024 ** 3 },
		parked: [],
		quarantine: { entries: 0, bytes: 0 },
		errorLog: { path: `${sandbox.cacheDir}/pylog_error.log`, bytes: 0 },
	});
});

test("closed lanes and what a producer dropped there are told", async () => {
	const producer = sandbox.producer();
	append(producer, sandbox.path("app.log"), "before", 1);
	const control = ControlFile.open(sandbox.cacheDir);
	control.setClosed("normal", true);
	control.close();
	append(producer, sandbox.path("app.log"), "refused", 3);
	const status = await sandbox.json(["status"]);
	expect(status["lanes"]).toEqual({ priority: { closed: false }, normal: { closed: true } });
	expect(status["producers"]).toMatchObject([{ dropped: 3, untold: 3 }]);
	expect((await sandbox.run(["status"])).stdout).toMatch(/^lanes +closed: normal$/m);
});

test("a producer that has ended is told as dead, with what waits of it", async () => {
	const producer = sandbox.producer();
	append(producer, sandbox.path("app.log"), "line", 4);
	producer.close();
	const status = await sandbox.json(["status"]);
	expect(status["waiting"]).toBe(4);
	expect(status["producers"]).toMatchObject([{ alive: false, pid: process.pid, lanes: { normal: { waiting: 4 } } }]);
});

test("what waits is counted from the segments where the control file is of an earlier boot", async () => {
	const producer = sandbox.producer();
	append(producer, sandbox.path("app.log"), "line", 300);
	append(producer, sandbox.path("app.log"), "line", 20, 0);
	producer.close();
	const control = ControlFile.open(sandbox.cacheDir);
	control.mapping.bytes.fill(7, 16, 32);
	control.close();
	const status = await sandbox.json(["status"]);
	expect(status["waiting"]).toBe(320);
	expect(status["producers"]).toMatchObject([
		{ lanes: { normal: { appended: null, waiting: 300 }, priority: { appended: null, waiting: 20 } } },
	]);
	expect((await sandbox.run(["status"])).stdout).toMatch(/dead +20 waiting +300 waiting/);
});

test("an output that can't be written is told, with the error log that says why", async () => {
	const output = sandbox.path("app.log");
	blockWithDirectory(output);
	append(sandbox.producer(), output, "line", 1);
	await sandbox.run(["drain"]);
	const { stdout } = await sandbox.run(["status"]);
	expect(stdout).toContain(`parked      ${output}, 7 bytes of lines wait\n`);
	expect(stdout).toMatch(/^error log +.*pylog_error\.log, [\d.]+ /m);
	expect((await sandbox.json(["status"]))["parked"]).toMatchObject([{ output, bytes: 7 }]);
});

test("a damaged control file is told, and the command fails", async () => {
	sandbox.producer().close();
	writeFileSync(`${sandbox.cacheDir}/control`, "no control file at all");
	const { code, stdout, stderr } = await sandbox.run(["status"]);
	expect(code).toBe(1);
	expect(stdout).toBe("");
	expect(stderr).toContain("does not start with PYLOGCTL");
});

/** `pylog verify`: what is found is told, and what others do meanwhile is not taken for damage. */
import { closeSync, openSync, readSync, writeSync } from "node:fs";
import { setImmediate as nextTurn } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { append, Sandbox } from "./sandbox.ts";

let sandbox: Sandbox;

beforeEach(() => {
	sandbox = new Sandbox();
});

afterEach(() => sandbox.dispose());

test("a sound spool has no problem", async () => {
	append(sandbox.producer(), sandbox.path("app.log"), "line", 5000);
	const { code, stdout, stderr } = await sandbox.run(["verify"]);
	expect(code).toBe(0);
	expect(stderr).toBe("");
	expect(stdout).toContain("1 living producer, 0 dead");
	expect(stdout).toContain("with 5000 records\n");
	expect(stdout).toMatch(/^no problem found$/m);
});

test("a flipped byte is found, with file, byte, meaning and remedy", async () => {
	const producer = sandbox.producer();
	append(producer, sandbox.path("app.log"), "line", 100);
	const path = `${sandbox.cacheDir}/producers/${producer.number}/normal-0.seg`;
	flip(path, 3000);
	const { code, stdout } = await sandbox.run(["verify"]);
	expect(code).toBe(1);
	expect(stdout).toMatch(new RegExp(`^problem \\(record\\): ${path}, byte \\d+$`, "m"));
	expect(stdout).toMatch(/^ {2}meaning {2}1 record is lost\. /m);
	expect(stdout).toMatch(/^ {2}remedy {3}/m);
	expect(stdout).toMatch(/^1 problem found$/m);
	const { problems } = (await sandbox.json(["verify"])) as { problems: { offset: number; path: string }[] };
	expect(problems).toHaveLength(1);
	expect(problems[0]?.path).toBe(path);
	expect(problems[0]?.offset).toBeGreaterThan(3000 - 100);
	expect(problems[0]?.offset).toBeLessThanOrEqual(3000);
});

test("processes that log and a logman that writes meanwhile are no problem", async () => {
	await sandbox.startDetached();
	const producers = [sandbox.producer(), sandbox.producer()];
	for (let round = 0; round < 6; round++) {
		const verifying = sandbox.spawn(["verify"]);
		while (verifying.process.exitCode === null) {
			for (const producer of producers) append(producer, sandbox.path("app.log"), "line", 300);
			append(producers[0] ?? sandbox.producer(), sandbox.path("app.log"), "urgent", 20, 0);
			await nextTurn();
		}
		const { code, stdout } = await verifying.finished;
		expect(stdout).toMatch(/^no problem found$/m);
		expect(code).toBe(0);
	}
});

test("without a spool there is nothing to verify", async () => {
	const { code, stderr } = await sandbox.run(["verify"]);
	expect(code).toBe(1);
	expect(stderr).toBe(`pylog: there is no spool at ${sandbox.cacheDir}\n`);
	expect(await sandbox.json(["verify"])).toEqual({ cacheDir: sandbox.cacheDir, exists: false });
});

function flip(path: string, offset: number): void {
	const fd = openSync(path, "r+");
	const byte = Buffer.alloc(1);
	readSync(fd, byte, 0, 1, offset);
	byte[0] = (byte[0] as number) ^ 0x10;
	writeSync(fd, byte, 0, 1, offset);
	closeSync(fd);
}

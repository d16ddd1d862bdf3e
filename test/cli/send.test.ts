/** `pylog send`: from a shell to a line in a file. */
import { mkdirSync, realpathSync } from "node:fs";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Sandbox } from "./sandbox.ts";

let sandbox: Sandbox;

beforeEach(() => {
	sandbox = new Sandbox();
});

afterEach(() => sandbox.dispose());

test("a message without a level is the line itself; with one it stands behind level and time", async () => {
	await sandbox.startDetached();
	expect(await sandbox.run(["send", "--to", "app.log", "backup", "done"])).toEqual({ code: 0, stdout: "", stderr: "" });
	await sandbox.run([
		"send",
		"--to",
		"app.log",
		"--level",
		"WARN",
		"--time",
		"2026-01-31T12:00:00Z",
		"--exception",
		"Error: boom",
		"disk",
	]);
	expect((await sandbox.run(["drain"])).code).toBe(0);
	const [first, second, third] = sandbox.read("app.log").split("\n");
	expect(first).toBe("backup done");
	expect(second).toMatch(/^WARNING - 2026-01-31T\d\d:00:00\.000[+-]\d\d:\d\d \| disk$/);
	expect(third).toContain("Error: boom");
});

test("without a logman the message waits, says so, and is written by the next one", async () => {
	const { code, stdout, stderr } = await sandbox.run(["send", "--to", "app.log", "early"]);
	expect(code).toBe(0);
	expect(stdout).toBe("");
	expect(stderr).toBe(`pylog: no logman runs for ${sandbox.cacheDir}: 1 message waits for one (pylog start)\n`);
	expect((await sandbox.json(["status"]))["inbox"]).toEqual({ priority: 0, normal: 1 });
	expect((await sandbox.run(["drain"])).stdout).toBe("1 record\n");
	expect(sandbox.read("app.log")).toBe("early\n");
});

test("a file is meant relative to where the command runs", async () => {
	mkdirSync(sandbox.path("below"));
	await sandbox.run(["send", "--to", "app.log", "here"], { cwd: realpathSync(sandbox.path("below")) });
	await sandbox.run(["drain"]);
	expect(sandbox.read("below/app.log")).toBe("here\n");
});

test.each([[[]], [["-"]]])("stdin is one message, without the newline at its end (operands %j)", async (operands) => {
	await sandbox.run(["send", "--to", "app.log", ...operands], { input: "first\nsecond\n\n" });
	await sandbox.run(["drain"]);
	expect(sandbox.read("app.log")).toBe("first\\nsecond\\n\n");
});

test("with --each-line every line of stdin is a message, in order, empty ones and one without newline too", async () => {
	const input = `a\n\nb\r\n${"c".repeat(200_000)}\nünï\u2028code\nlast`;
	const { code, stdout } = await sandbox.run(["send", "--to", "app.log", "--each-line", "--json"], { input });
	expect(code).toBe(0);
	expect(JSON.parse(stdout)).toEqual({ cacheDir: sandbox.cacheDir, sent: 6, running: false });
	await sandbox.run(["drain"]);
	const lines = sandbox.read("app.log").split("\n");
	expect(lines).toHaveLength(7);
	expect(lines.slice(0, 3)).toEqual(["a", "", "b"]);
	expect(lines[3]).toHaveLength(200_000);
	expect(lines[4]).toMatch(/^ünï.*code$/);
	expect(lines.slice(5)).toEqual(["last", ""]);
});

test("a priority message is written before those that wait in the normal lane", async () => {
	await sandbox.run(["send", "--to", "app.log", "normal"]);
	await sandbox.run(["send", "--to", "app.log", "--priority", "urgent"]);
	await sandbox.run(["drain"]);
	expect(sandbox.read("app.log")).toBe("urgent\nnormal\n");
});

test("a message may begin with a hyphen behind --", async () => {
	await sandbox.run(["send", "--to", "app.log", "--", "--json", "-"]);
	await sandbox.run(["drain"]);
	expect(sandbox.read("app.log")).toBe("--json -\n");
});

test.each([
	{ words: ["message"] },
	{ words: ["--to", "", "message"] },
	{ words: ["--to", "app.log", "--level", "loud", "message"] },
	{ words: ["--to", "app.log", "--time", "yesterday", "message"] },
	{ words: ["--to", "app.log", "--each-line", "message"] },
])("wrong values are wrong usage, and nothing is sent: $words", async ({ words }) => {
	const { code, stdout, stderr } = await sandbox.run(["send", ...words]);
	expect(code).toBe(2);
	expect(stdout).toBe("");
	expect(stderr).toMatch(/^pylog: /);
	expect((await sandbox.run(["drain"])).stdout).toBe("0 records\n");
});

test.each([
	{ source: "yes", words: "" },
	{ source: "cat /dev/zero", words: "--each-line" },
])("stdin without an end is refused once it is more than a message may have: $source", async ({ source, words }) => {
	const { stderr } = await sandbox.shell(`${source} | { pylog send --to app.log ${words}; echo "ended with $?" >&2; }`);
	expect(stderr).toMatch(/^pylog: A message takes at most 16777216 bytes, and .* more\..*\nended with 2\n$/);
});

/** What all commands have in common: help, wrong usage, exit status, pipes and colours. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { commandTable } from "../../src/cli/command-table.ts";
import { hasColours } from "../../src/cli/terminal.ts";
import { append, Sandbox } from "./sandbox.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

let sandbox: Sandbox;

beforeEach(() => {
	sandbox = new Sandbox();
});

afterEach(() => sandbox.dispose());

test("--version prints the version of the package", async () => {
	const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string };
	expect(await sandbox.run(["--version"])).toEqual({ code: 0, stdout: `${version}\n`, stderr: "" });
});

test("--help names every command and every exit status", async () => {
	const { code, stdout, stderr } = await sandbox.run(["--help"]);
	expect(code).toBe(0);
	expect(stderr).toBe("");
	for (const { name } of commandTable) expect(stdout).toMatch(new RegExp(`^ {2}${name} `, "m"));
	expect(stdout).toContain("0 done, 1 failed, 2 wrong usage, 3 no logman runs");
});

test.each(commandTable.map(({ name }) => name))("%s --help has the flags and examples", async (name) => {
	const { code, stdout } = await sandbox.run([name, "--help"]);
	expect(code).toBe(0);
	expect(stdout).toContain("--cache-dir <DIR>");
	expect(stdout).toContain("--json");
	expect(stdout).toMatch(new RegExp(`^Examples:\n {2}.*pylog ${name}`, "m"));
	expect((await sandbox.run(["help", name])).stdout).toBe(stdout);
});

test.each([
	{ words: [], says: "Usage: pylog" },
	{ words: ["stauts"], says: "Did you mean status?" },
	{ words: ["status", "--jsn"], says: "Did you mean --json?" },
	{ words: ["status", "extra"], says: "too many arguments" },
	{ words: ["status", "--cache-dir"], says: "argument missing" },
	{ words: ["status", "--cache-dir", ""], says: "It takes the path of a directory." },
	{ words: ["start", "--sync", "often"], says: "It takes interval, batch, never." },
	{ words: ["start", "--sync-interval", "0"], says: "It takes a whole number from 1 to 3600000." },
	{ words: ["start", "--max-parked-bytes", "10"], says: "It takes a whole number, 1048576 or more." },
	{ words: ["start", "--idle-exit", "1.5"], says: "It takes a whole number from 0 to 3600000." },
	{ words: ["stop", "--timeout", "soon"], says: "It takes a number above 0, at most 86400." },
	{ words: ["drain", "--timeout", "0"], says: "It takes a number above 0, at most 86400." },
])("wrong usage ends with 2 and says what is right: $words", async ({ words, says }) => {
	const { code, stdout, stderr } = await sandbox.run(words);
	expect(code).toBe(2);
	expect(stdout).toBe("");
	expect(stderr).toContain(says);
});

test("--cache-dir comes before the environment", async () => {
	const other = sandbox.path("other");
	const { stderr } = await sandbox.run(["status", "--cache-dir", "other"]);
	expect(stderr).toContain(`no spool at ${other}`);
});

test.each([
	{ words: "status", expected: 3 },
	{ words: "status --json", expected: 3 },
	{ words: "verify", expected: 0 },
	{ words: "drain", expected: 0 },
	{ words: "--help", expected: 0 },
])("a closed pipe is no error: $words", async ({ words, expected }) => {
	append(sandbox.producer(), sandbox.path("app.log"), "line", 10);
	const { stderr } = await sandbox.shell(`{ pylog ${words}; echo "ended with $?" >&2; } | head -c 0`);
	expect(stderr).toBe(`ended with ${expected}\n`);
});

test("a closed stderr does not end a logman", async () => {
	const child = sandbox.spawn(["start", "--json"]);
	child.process.stderr.destroy();
	await vi.waitUntil(() => child.stdout.includes("}"), { timeout: 20_000 });
	append(sandbox.producer(), sandbox.path("app.log"), "line", 10);
	child.process.kill("SIGTERM");
	expect((await child.finished).code).toBe(0);
	expect(sandbox.read("app.log").split("\n")).toHaveLength(11);
});

test("a stdout that takes nothing is a failure", async () => {
	append(sandbox.producer(), sandbox.path("app.log"), "line", 10);
	const { stderr } = await sandbox.shell(`pylog verify > /dev/full; echo "ended with $?" >&2`);
	expect(stderr).toBe("pylog: Writing to stdout failed with ENOSPC.\nended with 1\n");
});

test("no colours go into a pipe, and none to a terminal where NO_COLOR is set", async () => {
	append(sandbox.producer(), sandbox.path("app.log"), "line", 10);
	const { stdout } = await sandbox.run(["status"], { env: { FORCE_COLOR: "1" } });
	expect(stdout).not.toContain("\u001b");
	const terminal = (isTTY: boolean): NodeJS.WriteStream => ({ isTTY, hasColors: () => true }) as NodeJS.WriteStream;
	try {
		vi.stubEnv("NO_COLOR", "");
		expect(hasColours(terminal(true))).toBe(true);
		expect(hasColours(terminal(false))).toBe(false);
		vi.stubEnv("NO_COLOR", "1");
		expect(hasColours(terminal(true))).toBe(false);
	} finally {
		vi.unstubAllEnvs();
	}
});

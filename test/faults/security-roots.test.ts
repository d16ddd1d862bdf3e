/**
 * A logman that writes for others has roots: what a record names elsewhere is not written, but kept in quarantine with the
 * reason, told of once an output with a count, and holds up nothing. No file of the spool is an output, with or without.
 */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeEach, expect, test } from "vitest";
import { Inbox } from "../../src/spool/inbox.ts";
import { type SpoolPaths, spoolPaths } from "../../src/spool/paths.ts";
import { Quarantine } from "../../src/spool/quarantine.ts";
import { startFixture } from "../fixture-process.ts";
import { LineWriter } from "../line-writer.ts";
import { cacheDirectory, drain, linesOf, until } from "../running-logman.ts";
import { temporaryDirectory } from "../temporary-directory.ts";

const command = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));

let cacheDir: string;
let paths: SpoolPaths;
let root: string;
let outside: string;

beforeEach(() => {
	cacheDir = cacheDirectory();
	paths = spoolPaths(cacheDir);
	root = join(temporaryDirectory(), "root");
	outside = temporaryDirectory();
	mkdirSync(root);
});

/** What quarantine holds, by reason. */
function kept(): Record<string, string> {
	const texts: Record<string, string> = {};
	for (const { path, reason } of new Quarantine(paths.quarantine).list()) {
		// Just being written.
		if (reason === undefined) continue;
		// Each batch makes an entry of its own.
		texts[reason] = (texts[reason] ?? "") + readFileSync(path, "utf8");
	}
	return texts;
}

/** The count of the report that names an output. */
function countFor(output: string): number {
	const report = readFileSync(paths.errorLog, "utf8")
		.split("\n\n")
		.find((each) => each.includes(`  output: ${output}\n`));
	return Number(/^= count (\d+)/m.exec(report ?? "")?.[1]);
}

test("lines for files outside of the roots are kept aside with the reason and counted, and hold up nothing", async () => {
	const logman = startFixture("logman-process", cacheDir, JSON.stringify({ roots: [root] }));
	expect(await logman.line()).toBe("ready");
	const inside = join(root, "folder", "app.log");
	const refused = [
		join(outside, "app.log"),
		`${root}/../up.log`,
		`${root}/folder/../../up.log`,
		"/proc/self/cwd/x",
		"/dev/null",
	];
	using writer = new LineWriter(cacheDir);
	for (let round = 0; round < 50; round++) {
		for (const path of refused) writer.write(path, `refused ${round}`);
		writer.write(inside, `line ${round}`);
	}
	new Inbox(cacheDir).deliver({ msg: "from the inbox", logTo: join(outside, "inbox.log"), level: "info" }, "normal");
	await until(() => linesOf(inside).length === 50);
	await until(() => kept()[`its output is outside of the logman's roots: ${join(outside, "inbox.log")}`] !== undefined);
	logman.process.kill("SIGTERM");
	expect(await logman.line()).toBe("left");
	expect(linesOf(inside)).toEqual(Array.from({ length: 50 }, (_, round) => `line ${round}`));
	const lines = Object.values(kept()).join("").split("\n").slice(0, -1);
	expect(lines.filter((line) => line.startsWith("refused "))).toHaveLength(50 * refused.length);
	expect(lines.some((line) => /^INFO - .* \| from the inbox$/.test(line))).toBe(true);
	for (const path of refused) expect(countFor(path)).toBe(50);
	expect(readdirSync(outside)).toEqual([]);
	expect(existsSync(join(root, "..", "up.log"))).toBe(false);
});

test("a flood of different outputs outside of the roots fills neither quarantine nor the error log", async () => {
	using writer = new LineWriter(cacheDir);
	for (let index = 0; index < 3000; index++) writer.write(join(outside, `${index}.log`), `line ${index}`);
	writer.write(join(root, "app.log"), "inside");
	const { status } = spawnSync(process.execPath, [command, "drain", "--root", root, "--cache-dir", cacheDir]);
	expect(status).toBe(0);
	expect(linesOf(join(root, "app.log"))).toEqual(["inside"]);
	const all = Object.values(kept()).join("");
	expect(all.split("\n").slice(0, -1)).toHaveLength(3000);
	expect(all).toContain(`${JSON.stringify(join(outside, "7.log"))} line 7\n`);
	expect(readdirSync(paths.quarantine).length).toBeLessThan(50);
	expect(readFileSync(paths.errorLog, "utf8").length).toBeLessThan(20_000);
});

test("a record that names a file of the spool as its output changes none of them", async () => {
	using writer = new LineWriter(cacheDir);
	const own = [paths.control, paths.lease, paths.checkpoint, `${paths.checkpoint}.new`, paths.errorLog, paths.taken];
	own.push(join(paths.producers, "1", "alive"), join(paths.inbox, "normal", "x.json"), join(paths.parked, "x.log"));
	own.push(`${paths.quarantine}/../control`);
	const before = createHash("sha256").update(readFileSync(paths.control).subarray(0, 64)).digest("hex");
	for (const path of own) writer.write(path, "appended");
	const beside = join(cacheDir, "app.log");
	writer.write(beside, "beside them is no matter");
	await drain(cacheDir);
	expect(linesOf(beside)).toEqual(["beside them is no matter"]);
	expect(createHash("sha256").update(readFileSync(paths.control).subarray(0, 64)).digest("hex")).toBe(before);
	expect(Object.keys(kept())).toHaveLength(own.length);
	expect(Object.keys(kept()).every((reason) => reason.startsWith("its output is a file of the spool itself: "))).toBe(
		true,
	);
	expect(existsSync(`${paths.checkpoint}.new`)).toBe(false);
});

test("a process of its own keeps to the roots it was given, relative ones as well", async () => {
	const starter = startFixture("logman-starter", cacheDir, JSON.stringify({ roots: [root] }));
	expect(JSON.parse(await starter.line())).toMatchObject({ pid: expect.any(Number) as number });
	using writer = new LineWriter(cacheDir);
	writer.write(join(outside, "app.log"), "refused");
	writer.write(join(root, "app.log"), "taken");
	await until(() => linesOf(join(root, "app.log")).length === 1);
	starter.tell("stop");
	expect(await starter.line()).toBe("stopped");
	writer.write(join(outside, "app.log"), "refused");
	writer.write(join(root, "b", "app.log"), "taken");
	const words = ["drain", "--root", "nowhere/..", "--root", "b", "--cache-dir", cacheDir];
	mkdirSync(join(root, "b"));
	mkdirSync(join(root, "nowhere"));
	writer.write(join(root, "app.log"), "taken");
	expect(spawnSync(process.execPath, [command, ...words], { cwd: root }).status).toBe(0);
	expect(linesOf(join(root, "b", "app.log"))).toEqual(["taken"]);
	expect(linesOf(join(root, "app.log"))).toEqual(["taken", "taken"]);
	expect(readdirSync(outside)).toEqual([]);
});

test.each([
	{ roots: [], got: "got []" },
	{ roots: ["/no/such/directory"], got: "/no/such/directory" },
	{ roots: [""], got: 'got [ "" ]'.replaceAll('"', "'") },
	{ roots: "/tmp", got: 'got "/tmp"' },
])("roots $roots are refused with what is taken", async ({ roots, got }) => {
	const logman = startFixture("logman-process", cacheDir, JSON.stringify({ roots }));
	const said = await logman.line();
	expect(said).toContain(got);
	expect(said).toContain("it takes a list of one or more directories that exist");
});

test("pylog start names a root that does not exist, and ends with wrong usage", () => {
	const words = ["start", "--root", root, "--root", join(root, "missing"), "--cache-dir", cacheDir];
	const { status, stderr } = spawnSync(process.execPath, [command, ...words], { encoding: "utf8" });
	expect(status).toBe(2);
	expect(stderr).toContain("missing");
});

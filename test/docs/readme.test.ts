/** The blocks of the README, run as they stand: only paths of directories are exchanged, and `npx pylog` for this build. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { cacheDirectory, endLogman, linesOf, until } from "../running-logman.ts";
import { temporaryDirectory } from "../temporary-directory.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const readme = readFileSync(join(root, "README.md"), "utf8");

/** Blocks of a language, in order. */
function blocks(language: string): string[] {
	return Array.from(readme.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, "gms")), ([, text = ""]) => text);
}

function blockWith(language: string, text: string): string {
	return blocks(language).find((block) => block.includes(text)) ?? "";
}

interface Place {
	readonly directory: string;
	readonly cacheDir: string;
	run(command: string, ...args: readonly string[]): string;
}

/** An application's folder in which `pylog` is installed. */
function application(): Place {
	const directory = temporaryDirectory();
	const cacheDir = cacheDirectory();
	mkdirSync(join(directory, "node_modules"));
	symlinkSync(root, join(directory, "node_modules", "pylog"));
	const env = { ...process.env, PYLOG_CACHE_DIR: cacheDir, PYLOG_LEVEL: "" };
	const run = (command: string, ...args: readonly string[]): string =>
		execFileSync(command, args, { cwd: directory, env, encoding: "utf8", stdio: "pipe" });
	return { directory, cacheDir, run };
}

function shell(place: Place, block: string): string {
	const script = block
		.replaceAll("npx pylog", `'${process.execPath}' '${join(root, "dist/cli/main.js")}'`)
		.replaceAll("/var/lib/app/pylog", place.cacheDir)
		.replaceAll("/var/log/", `${place.directory}/`);
	return place.run("bash", "-euc", script);
}

test("the quick start logs what the README shows", () => {
	const place = application();
	const program = blockWith("js", "// app.mjs");
	writeFileSync(join(place.directory, "app.mjs"), program);
	place.run(process.execPath, "app.mjs");
	const lines = linesOf(join(place.directory, "logs", "app.log")).map((line) => line.replace(/\d{4}-\S+/, "TIME"));
	const shown = blocks("")
		.find((block) => block.startsWith("DEBUG - "))
		?.split("\n")
		.filter((line) => /^[A-Z]+ - /.test(line))
		.map((line) => line.replace(/\d{4}-\S+/, "TIME"));
	expect(shown).toHaveLength(4);
	expect(lines.filter((line) => /^[A-Z]+ - /.test(line)).slice(0, 4)).toEqual(shown);
	expect(lines.join("\n")).toMatch(/\n {4}Error: card refused\n {8}at /);
	expect(lines.at(-1)).toBe('INFO - TIME - app.mjs:14 | took 12 ms {"requestId":"r-17"}');
});

test("the logman's commands and functions do what the README says", async () => {
	const place = application();
	const commands = blockWith("sh", "pylog start").replace(/^.*in the foreground.*$/m, "");
	expect(shell(place, commands)).toContain("runs as process");
	const program = blockWith("js", "startLogman").replaceAll("/var/lib/app/pylog", place.cacheDir);
	writeFileSync(join(place.directory, "run.mjs"), program);
	place.run(process.execPath, "run.mjs");
	await endLogman(place.cacheDir);
});

test("a shell logs through the command and through the inbox", async () => {
	const place = application();
	shell(
		place,
		`${blockWith("sh", "pylog start").replace(/^(?!.*--detach).*$/gm, "")}\n${blockWith("sh", "pylog send")}`,
	);
	const line = "INFO - TIME | backup done";
	const sent = (): string[] =>
		linesOf(join(place.directory, "logs", "app.log")).map((text) => text.replace(/\d{4}-\S+/, "TIME"));
	await until(() => sent().length === 5);
	expect(sent()).toEqual(["backup done", line, "1", "2", "3"]);
	shell(place, blockWith("sh", "$queue/inbox"));
	const written = join(place.directory, "backup.log");
	await until(() => linesOf(written).length === 1);
	expect(linesOf(written)[0]?.replace(/\d{4}-\S+/, "TIME")).toBe(line);
	shell(place, 'npx pylog stop --cache-dir "$PYLOG_CACHE_DIR"');
});

test("every document the README names is there", () => {
	const named = Array.from(readme.matchAll(/\]\(([^)#:]+)\)/g), ([, path = ""]) => path);
	expect(named.length).toBeGreaterThan(5);
	expect(named.filter((path) => !existsSync(join(root, path)))).toEqual([]);
});

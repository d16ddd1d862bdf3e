/** The linter's configuration, tried with one import of every kind between every two folders of src. */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));

/** What each folder may import. "types of" stands for a folder of which only types may be imported. */
const layers: Record<string, readonly string[]> = {
	shared: [],
	platform: ["shared"],
	line: ["shared"],
	spool: ["platform", "shared"],
	sinks: ["platform", "shared", "types of spool"],
	launch: ["spool", "platform", "shared"],
	logger: ["launch", "line", "spool", "platform", "shared"],
	logman: ["launch", "line", "spool", "sinks", "platform", "shared"],
	cli: ["launch", "logman", "spool", "shared"],
};
const folders = Object.keys(layers);

let directory: string;

beforeEach(() => {
	directory = mkdtempSync(join(tmpdir(), "pylog-layers-"));
	const { options: _, ...configuration } = JSON.parse(readFileSync(join(root, ".oxlintrc.json"), "utf8"));
	write(".oxlintrc.json", JSON.stringify(configuration));
	write("src/index.ts", "export const value = 1;\n");
	for (const folder of folders) {
		write(`src/${folder}/target.ts`, "export const value = 1;\nexport type Value = number;\n");
		write(`src/${folder}/deep/target.ts`, "export const value = 1;\nexport type Value = number;\n");
	}
});

afterEach(() => rmSync(directory, { recursive: true, force: true }));

test("every folder of src has its place among the layers", () => {
	const present = readdirSync(join(root, "src"), { withFileTypes: true }).filter((entry) => entry.isDirectory());
	expect(folders).toEqual(expect.arrayContaining(present.map((entry) => entry.name)));
});

test("a folder may import the values of the folders below it and of no other", () => {
	const kinds = {
		static: (path: string) => `import { value } from "${path}";\nexport const copy = value;\n`,
		dynamic: (path: string) => `export const copy = import("${path}");\n`,
		reexport: (path: string) => `export { value } from "${path}";\n`,
	};
	const expected: string[] = [];
	for (const [kind, text] of Object.entries(kinds)) {
		for (const [from, to] of pairs()) {
			const name = `src/${from}/${kind}-${to}.ts`;
			const deepName = `src/${from}/deep/${kind}-${to}.ts`;
			write(name, text(`../${to}/target.ts`));
			write(deepName, text(`../../${to}/deep/target.ts`));
			if (!layers[from]?.includes(to)) expected.push(name, deepName);
		}
	}
	expect(refused()).toEqual(expected.sort());
});

test("a folder may import the types of the folders below it, and of those whose types alone it may know", () => {
	const expected: string[] = [];
	for (const [from, to] of pairs()) {
		const name = `src/${from}/type-${to}.ts`;
		write(name, `import type { Value } from "../${to}/target.ts";\nexport type Copy = Value;\n`);
		if (!layers[from]?.includes(to) && !layers[from]?.includes(`types of ${to}`)) expected.push(name);
	}
	expect(refused()).toEqual(expected.sort());
});

test("line may import the types of the log record and nothing else of the spool", () => {
	write("src/spool/log-record.ts", "export const value = 1;\nexport type LogRecord = number;\n");
	write(
		"src/line/good.ts",
		'import type { LogRecord } from "../spool/log-record.ts";\nexport type Copy = LogRecord;\n',
	);
	write("src/line/bad.ts", 'import { value } from "../spool/log-record.ts";\nexport const copy = value;\n');
	expect(refused()).toEqual(["src/line/bad.ts"]);
});

test("only platform may import koffi", () => {
	for (const folder of folders)
		write(`src/${folder}/native.ts`, 'import koffi from "koffi";\nexport const it = koffi;\n');
	write("src/native.ts", 'import koffi from "koffi";\nexport const it = koffi;\n');
	const others = folders.filter((folder) => folder !== "platform").map((folder) => `src/${folder}/native.ts`);
	expect(refused()).toEqual([...others, "src/native.ts"].sort());
});

test("only the command line may import the public entry, and nothing of src goes through the package's own name", () => {
	for (const folder of folders) {
		write(`src/${folder}/entry.ts`, 'import { value } from "../index.ts";\nexport const copy = value;\n');
		write(`src/${folder}/self.ts`, 'import { value } from "pylog";\nexport const copy = value;\n');
	}
	const entries = folders.filter((folder) => folder !== "cli").map((folder) => `src/${folder}/entry.ts`);
	expect(refused()).toEqual([...entries, ...folders.map((folder) => `src/${folder}/self.ts`)].sort());
});

test("a detour to a forbidden folder is refused", () => {
	write("src/shared/dot.ts", 'export { value } from "./../logman/target.ts";\n');
	write("src/shared/through.ts", 'export { value } from "../shared/../logman/target.ts";\n');
	expect(refused()).toEqual(["src/shared/dot.ts", "src/shared/through.ts"]);
});

test("a cycle of imports is refused, within a folder as well", () => {
	write("src/spool/one.ts", 'import { two } from "./two.ts";\nexport const one = (): number => two();\n');
	write("src/spool/two.ts", 'import { one } from "./one.ts";\nexport const two = (): number => one();\n');
	expect(refused("import(no-cycle)")).toEqual(["src/spool/one.ts", "src/spool/two.ts"]);
});

function pairs(): [from: string, to: string][] {
	return folders.flatMap((from) => folders.filter((to) => to !== from).map((to): [string, string] => [from, to]));
}

function write(name: string, text: string): void {
	const path = join(directory, name);
	mkdirSync(dirname(path), { recursive: true });
	writeFileSync(path, text);
}

/** The files in which the linter finds a violation of the rule, sorted. */
function refused(rule = "eslint(no-restricted-imports)"): string[] {
	const oxlint = join(root, "node_modules/oxlint/bin/oxlint");
	const { stdout } = spawnSync(process.execPath, [oxlint, "--format", "json"], { cwd: directory, encoding: "utf8" });
	const { diagnostics }: { diagnostics: { code: string; filename: string }[] } = JSON.parse(stdout);
	return [...new Set(diagnostics.filter(({ code }) => code === rule).map(({ filename }) => filename))].sort();
}

import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { callSite } from "../../src/logger/call-site.ts";

const built = fileURLToPath(new URL("../../dist/logger/call-site.js", import.meta.url));
const compiler = fileURLToPath(new URL("../../node_modules/typescript/bin/tsc", import.meta.url));

/** Types vanish when this is compiled, so lines of the source and of the output differ. */
const program = `
interface Vanishes {
	readonly name: string;
	readonly place: string;
}
type Places = Record<Vanishes["name"], Vanishes["place"]>;
const places: Places = {};
function log(name: string): void {
	places[name] = callSite(log, 0);
}
function wrapper(name: string): void {
	places[name] = callSite(wrapper, 1);
}
interface AlsoVanishes {
	readonly value: number;
}
class Thing implements AlsoVanishes {
	static {
		log("static block");
	}
	field: void = log("field");
	constructor() {
		log("constructor");
	}
	get value(): number {
		log("getter");
		return 1;
	}
}
async function later(): Promise<void> {
	log("before await");
	await Promise.resolve();
	log("after await");
}
function* steps(): Generator<number> {
	log("generator");
	yield 1;
}
function outer(): void {
	log("plain"); log("same line, further right");
}
function wrapping(): void {
	wrapper("inside the wrapper");
}
async function main(): Promise<void> {
	outer();
	void new Thing().value;
	await later();
	[...steps()];
	[1].map(() => log("callback"));
	["forEach itself"].forEach(log);
	await new Promise<void>((resolve) => setTimeout(() => resolve(log("timer")), 1));
	await Promise.reject(new Error("expected")).catch(() => log("catch"));
	wrapping(); // inside the wrapper
	for (let round = 0; round < 20_000; round++) outer();
	console.log(JSON.stringify(places));
}
void main();
`;

const names = [
	"static block",
	"field",
	"constructor",
	"getter",
	"before await",
	"after await",
	"generator",
	"plain",
	"same line, further right",
	"callback",
	"forEach itself",
	"timer",
	"catch",
];

/** The line of `text` that holds the call with this name, or for a wrapper's call the line that calls the caller. */
function lineOf(text: string, name: string): number {
	return text.split("\n").findIndex((line) => line.includes(`"${name}"`)) + 1;
}

describe("callSite in compiled TypeScript", () => {
	let folder = "";

	beforeAll(() => {
		folder = realpathSync(mkdtempSync(join(tmpdir(), "pylog-call-site-")));
	});

	afterAll(() => {
		rmSync(folder, { recursive: true, force: true });
	});

	const kinds = { esm: "module", cjs: "commonjs" } as const;
	for (const [kind, type] of Object.entries(kinds)) {
		describe(`as ${kind}`, () => {
			// Characters that a URL encodes.
			const source = join("src", "pay ment ü.ts");
			const output = join("out", "pay ment ü.js");
			let project = "";

			beforeAll(() => {
				project = join(folder, `${kind} a%b`);
				mkdirSync(join(project, "src"), { recursive: true });
				const load = kind === "esm" ? "import { callSite } from" : "import callSites = require(";
				const end = kind === "esm" ? ";" : ");\nconst { callSite } = callSites;";
				writeFileSync(join(project, source), `${load}${JSON.stringify(built)}${end}${program}`);
				writeFileSync(join(project, "package.json"), JSON.stringify({ type }));
				const compilerOptions = {
					target: "es2022",
					module: "nodenext",
					rootDir: "src",
					outDir: "out",
					sourceMap: true,
					strict: true,
					// The module is none that applications import: it has no declarations in dist.
					noImplicitAny: false,
					types: ["node"],
					typeRoots: [fileURLToPath(new URL("../../node_modules/@types", import.meta.url))],
				};
				writeFileSync(join(project, "tsconfig.json"), JSON.stringify({ compilerOptions, include: ["src"] }));
				execFileSync(process.execPath, [compiler, "-p", project], { encoding: "utf8" });
			});

			function run(flags: readonly string[], cwd: string): Record<string, string> {
				const text = execFileSync(process.execPath, [...flags, join(project, output)], { cwd, encoding: "utf8" });
				return JSON.parse(text) as Record<string, string>;
			}

			function expected(path: string, shown: string): Record<string, string> {
				const text = readFileSync(join(project, path), "utf8");
				const places = Object.fromEntries(names.map((name) => [name, `${shown}:${lineOf(text, name)}`]));
				const wrapperLine = text.split("\n").findIndex((line) => line.includes("wrapping();")) + 1;
				return { ...places, "inside the wrapper": `${shown}:${wrapperLine}` };
			}

			it("is the original line with source maps enabled", () => {
				const places = run(["--enable-source-maps"], project);
				expect(places).toEqual(expected(source, source));
				expect(lineOf(readFileSync(join(project, output), "utf8"), "timer")).not.toBe(
					lineOf(readFileSync(join(project, source), "utf8"), "timer"),
				);
			});

			it("is the compiled line without source maps", () => {
				expect(run([], project)).toEqual(expected(output, output));
			});

			it("is an absolute path when the file is outside the working directory", () => {
				const path = join(project, source);
				expect(run(["--enable-source-maps"], join(project, "out"))).toEqual(expected(source, path));
			});
		});
	}
});

/** Runs a program that has `callSite` and prints one JSON value. */
function evaluate(code: string, flags: readonly string[] = []): unknown {
	const folder = realpathSync(mkdtempSync(join(tmpdir(), "pylog-call-site-")));
	try {
		const path = join(folder, "main.mjs");
		writeFileSync(path, `import { callSite } from ${JSON.stringify(built)};\n${code}`);
		return JSON.parse(execFileSync(process.execPath, [...flags, path], { cwd: folder, encoding: "utf8" })) as unknown;
	} finally {
		rmSync(folder, { recursive: true, force: true });
	}
}

function log(): string {
	return callSite(log, 0);
}

describe("callSite", () => {
	it("leaves the application's own stack settings as they were", () => {
		const before = { prepare: Error.prepareStackTrace, limit: Error.stackTraceLimit };
		const mine = (): string => "mine";
		try {
			Error.prepareStackTrace = mine;
			Error.stackTraceLimit = 3;
			expect(log()).toMatch(/call-site\.test\.ts:\d+$/);
			expect(Error.prepareStackTrace).toBe(mine);
			expect(Error.stackTraceLimit).toBe(3);
			expect(new Error("x").stack).toBe("mine");
		} finally {
			Error.prepareStackTrace = before.prepare;
			Error.stackTraceLimit = before.limit;
		}
	});

	it("works with a stack limit of 0, and with one that was deleted", () => {
		const limit = Error.stackTraceLimit;
		try {
			Error.stackTraceLimit = 0;
			expect(log()).toMatch(/call-site\.test\.ts:\d+$/);
			expect(Error.stackTraceLimit).toBe(0);
			Reflect.deleteProperty(Error, "stackTraceLimit");
			expect(log()).toMatch(/call-site\.test\.ts:\d+$/);
			expect(Error.stackTraceLimit).toBeUndefined();
		} finally {
			Error.stackTraceLimit = limit;
		}
	});

	it("is empty, and changes nothing, where Error is frozen or its hook can't be written", () => {
		const code = `
			"use strict";
			function log() { return callSite(log, 0); }
			const before = [Error.prepareStackTrace, Error.stackTraceLimit];
			Object.defineProperty(Error, "prepareStackTrace", { writable: false });
			const first = log();
			const kept = before[0] === Error.prepareStackTrace && before[1] === Error.stackTraceLimit;
			Object.freeze(Error);
			console.log(JSON.stringify([first, kept, log()]));`;
		expect(evaluate(code)).toEqual(["", true, ""]);
	});

	it("is empty where the stack is not deep enough, or the function is not running", () => {
		expect(callSite(log, 0)).toBe("");
		expect(evaluate(`function log() { return callSite(log, 40); } console.log(JSON.stringify(log()));`)).toBe("");
	});

	it("tells apart functions evaluated at run time that share a name", () => {
		const code = `
			import vm from "node:vm";
			function log() { return callSite(log, 0); }
			const options = { filename: "evalmachine.<anonymous>" };
			const first = vm.runInThisContext("\\n\\n\\n (log) => log()", options)(log);
			const second = vm.runInThisContext("\\n   (log) => log()", options)(log);
			const evaluated = eval("\\nlog()");
			const named = eval("\\nlog()//# sourceURL=template.ejs");
			console.log(JSON.stringify([first, second, evaluated, named]));`;
		expect(evaluate(code)).toEqual([
			"evalmachine.<anonymous>:4",
			"evalmachine.<anonymous>:2",
			"<anonymous>:2",
			"template.ejs:2",
		]);
	});

	it("keeps a bounded number of places", () => {
		const code = `
			import vm from "node:vm";
			function log() { return callSite(log, 0); }
			const padding = "x".repeat(3000);
			let place;
			for (let index = 0; index < 60_000; index++) {
				place = vm.runInThisContext("(log) => log()", { filename: "/" + padding + index })(log);
				// Node 24 lets go of scripts only between tasks.
				if (index % 1000 === 0) await new Promise((resolve) => setImmediate(resolve));
			}
			console.log(JSON.stringify(place));`;
		expect(evaluate(code, ["--max-old-space-size=128"])).toMatch(/^\/x{1023}…\[cut 1982 characters\]:1$/);
	});

	it("keeps names of data: modules short", () => {
		const code = `
			function log() { return callSite(log, 0); }
			const source = "export default (log) => log(); //" + "x".repeat(100_000);
			const { default: run } = await import("data:text/javascript," + source);
			console.log(JSON.stringify(run(log)));`;
		expect(evaluate(code)).toMatch(/^data:text\/javascript,export .{900,1100}…\[cut \d+ characters\]:1$/);
	});

	it("names built-in modules as they are", () => {
		const code = `
			function log() { return callSite(log, 0); }
			let place;
			await new Promise((resolve) => setTimeout(() => resolve(), 1, (place = "")));
			await new Promise((resolve) => { process.nextTick(function tick() { place = callSite(tick, 0); resolve(); }); });
			console.log(JSON.stringify(place));`;
		expect(evaluate(code)).toMatch(/^node:internal\/process\/task_queues:\d+$/);
	});

	it("prints original names that are no paths as they are, and relative ones from the output's folder", () => {
		const map = (original: string): string =>
			Buffer.from(JSON.stringify({ version: 3, sources: [original], names: [], mappings: "AAOA" })).toString("base64");
		const line = (original: string): string =>
			JSON.stringify(
				`export const place = (log) => log();\n//# sourceMappingURL=data:application/json;base64,${map(original)}`,
			);
		const code = `
			import { mkdirSync, writeFileSync } from "node:fs";
			function log() { return callSite(log, 0); }
			mkdirSync("out");
			writeFileSync("out/a.mjs", ${line("webpack://app/src/pay.ts")});
			writeFileSync("out/b.mjs", ${line("../src/pay.ts")});
			process.setSourceMapsEnabled(true);
			const [a, b] = [await import("./out/a.mjs"), await import("./out/b.mjs")];
			console.log(JSON.stringify([a.place(log), b.place(log)]));`;
		expect(evaluate(code)).toEqual(["webpack://app/src/pay.ts:8", "src/pay.ts:8"]);
	});

	it("goes on when the working directory is gone, and keeps the first one for all paths", () => {
		const code = `
			import { rmdirSync, mkdirSync } from "node:fs";
			function log() { return callSite(log, 0); }
			const first = log();
			mkdirSync("gone"); process.chdir("gone"); rmdirSync("../gone");
			console.log(JSON.stringify([first, log()]));`;
		expect(evaluate(code)).toEqual(["main.mjs:5", "main.mjs:7"]);
		const late = code.replace("const first = log();", "const first = null;");
		expect(evaluate(late)).toEqual([null, expect.stringMatching(/^\/.*\/main\.mjs:7$/)]);
	});
});

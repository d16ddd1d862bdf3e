/**
 * However an application ends: every line whose call had returned is in its file, once. With a logman that a logger
 * starts, and with one that comes later; where the application has a last moment, at its end already.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readFileSync } from "node:fs";
import { userInfo } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it, onTestFinished, test } from "vitest";
import { ControlFile } from "../../src/spool/control-file.ts";
import { fixturePath, startFixture } from "../fixture-process.ts";
import {
	cacheDirectory,
	drain,
	endLogman,
	endProcess,
	linesOf,
	logmanPid,
	until,
	untilLogman,
} from "../running-logman.ts";
import { temporaryDirectory } from "../temporary-directory.ts";

interface Run {
	readonly cacheDir: string;
	readonly path: string;
	/** Exit code, or the signal that ended it. */
	readonly end: number | string | null;
	readonly errors: string;
	/** Lines whose call had returned. */
	readonly ledger: readonly string[];
	/** Lines of the file right after the end. */
	readonly atEnd: readonly string[];
	readonly tookMs: number;
}

interface RunOptions {
	readonly logman?: "auto" | "external";
	readonly execArgv?: readonly string[];
	readonly env?: NodeJS.ProcessEnv;
	readonly before?: (cacheDir: string) => Promise<unknown>;
	readonly meanwhile?: (cacheDir: string, path: string) => Promise<unknown>;
}

/** Runs an application that ends in some way. */
async function run(way: string, options: RunOptions = {}): Promise<Run> {
	const { logman = "auto", execArgv = [], env = process.env, before, meanwhile } = options;
	const cacheDir = cacheDirectory();
	const folder = temporaryDirectory();
	const [path, ledger, said] = ["app.log", "ledger", "said"].map((name) => join(folder, name)) as [
		string,
		string,
		string,
	];
	await before?.(cacheDir);
	const errors = openSync(said, "w");
	const words = [process.execPath, ...execArgv, fixturePath("exit-path"), cacheDir, path, ledger, logman, way];
	const startMs = performance.now();
	// Without a core file where it aborts; and it inherits nothing.
	const child = spawn("/bin/sh", ["-c", 'ulimit -c 0; exec "$@"', "sh", ...words], {
		stdio: ["ignore", "ignore", errors],
		detached: true,
		cwd: folder,
		env,
	});
	closeSync(errors);
	const ended = once(child, "exit");
	onTestFinished(async () => {
		endProcess(-(child.pid as number));
		await ended;
	});
	await meanwhile?.(cacheDir, path);
	const [code, signal] = (await ended) as [number | null, string | null];
	const atEnd = linesOf(path);
	const tookMs = performance.now() - startMs;
	const about = { errors: readFileSync(said, "utf8"), ledger: linesOf(ledger), atEnd, tookMs };
	return { cacheDir, path, end: code ?? signal, ...about };
}

const untold = /^not told of|^x+|^never taken/;

/** What was told is in the file, once and in order; a call that did not return may have left one more. */
function expectLedger({ path, ledger }: Run): void {
	const lines = linesOf(path).filter((line) => !untold.test(line));
	expect(lines.slice(0, ledger.length)).toEqual(ledger);
	expect(lines.length - ledger.length).toBeLessThanOrEqual(1);
	expect(ledger.length).toBeGreaterThan(2);
}

/** Nobody else's last moment: a signal or an abort that no handler hears. */
const sudden = [
	["abort", "SIGABRT"],
	["SIGTERM", "SIGTERM"],
	["SIGINT", "SIGINT"],
	["SIGHUP", "SIGHUP"],
	["SIGKILL", "SIGKILL"],
	["out of memory", "SIGABRT"],
] as const;
const orderly = [
	["by itself", 0],
	["exit", 3],
	["exit in a getter", 3],
	["exit in toJSON", 3],
	["exit in toString", 3],
	["exit in another call", 3],
	["exit in a signal's handler", 5],
	["exit in an exit handler", 6],
	["uncaught exception", 1],
	["handled exception", 7],
	["unhandled rejection", 1],
	["handled SIGTERM", 5],
	["handled SIGINT", 5],
	["handled SIGHUP", 5],
	["strings that are too long", 3],
	["stack overflow", 0],
	["worker.terminate()", 0],
	["exit in a worker", 0],
	["error in a worker", 8],
	["out of memory in a worker", 8],
	["a fork with options of its own", 3],
	["a cluster that disconnects", 0],
	["in another realm", 1],
	["in another directory", 3],
	["process.exit replaced", 1],
	["exit announced too early", 0],
	["exit handlers removed", 0],
	["frozen", 3],
	["clocks that stand", 3],
	["atomics replaced", 3],
] as const;
/** Ways in which Node says something itself. */
const isLoud = /exception|rejection|abort|memory|realm|replaced$/;

const execArgvOf = (way: string): string[] => (way === "out of memory" ? ["--max-old-space-size=24"] : []);

describe.each<readonly [string, number | string]>([...sudden, ...orderly])(
	"an application that ends: %s",
	(way, end) => {
		it("finds its lines in the file, by a logman that it started or by one that comes later", async () => {
			const execArgv = execArgvOf(way);
			const runs = await Promise.all([run(way, { execArgv }), run(way, { logman: "external", execArgv })]);
			for (const each of runs) {
				expect(each.end).toBe(end);
				if (!isLoud.test(way)) expect(each.errors).toBe("");
			}
			const [auto, external] = runs;
			await untilLogman(auto.cacheDir);
			await until(() => linesOf(auto.path).length >= auto.ledger.length);
			expectLedger(auto);
			expect(external.atEnd).toEqual([]);
			await drain(external.cacheDir);
			expectLedger(external);
		});
	},
);

/** Of those whose lines come from the main thread, in ways that leave it a last moment. */
const withMoment = orderly.filter(([way]) => !/worker|removed|atomics/.test(way));

describe.each<readonly [string, number | string]>(withMoment)(
	"where a logman runs, an application that ends: %s",
	(way) => {
		it("finds its lines in the file at its end", async () => {
			const done = await run(way, {
				before: async (cacheDir) => {
					const logman = startFixture("logman-process", cacheDir);
					expect(await logman.line()).toBe("ready");
				},
			});
			expect(done.atEnd.filter((line) => !untold.test(line))).toEqual(done.ledger);
		});
	},
);

test.each(["exit", "clocks that stand", "atomics replaced", "exit in an exit handler"])(
	"a logman that is stopped keeps nobody who ends (%s) for longer than a moment",
	async (way) => {
		const usual = await run(way, { logman: "external" });
		const done = await run(way, {
			before: async (cacheDir) => {
				const logman = startFixture("logman-process", cacheDir);
				expect(await logman.line()).toBe("ready");
				process.kill(logman.pid, "SIGSTOP");
			},
		});
		expect(done.end).toBe(usual.end);
		expect(done.errors).toBe("");
		expect(done.atEnd).toEqual([]);
		console.info(`${way}: ${Math.round(done.tookMs - usual.tookMs)} ms longer`);
		expect(done.tookMs - usual.tookMs).toBeLessThan(6000);
		await endLogman(done.cacheDir);
		await drain(done.cacheDir);
		expectLedger(done);
	},
);

// Only what was logged before the first exit handler was waited for.
test("what an application's own exit handler logs is waited for as well", async () => {
	const done = await run("log in an exit handler", {
		before: async (cacheDir) => {
			const logman = startFixture("logman-process", cacheDir);
			expect(await logman.line()).toBe("ready");
		},
	});
	expect(done.end).toBe(3);
	expect(done.ledger).toHaveLength(4);
	expect(done.atEnd).toEqual(done.ledger);
});

// Its timer looked at a lock that it had no right to see any more, and the exception ended it.
test("an application that gives up its rights while its logman dies goes on to its own end", async ({ skip }) => {
	skip(process.getuid?.() !== 0, "only root can become somebody else");
	const done = await run("rights given up", {
		meanwhile: async (cacheDir, path) => {
			const pid = await untilLogman(cacheDir);
			await until(() => linesOf(path).length > 5);
			endProcess(pid);
		},
	});
	expect(done.end).toBe(3);
	expect(done.errors).toBe("");
	await drain(done.cacheDir);
	expectLedger(done);
	expect(done.ledger).toHaveLength(103);
});

test("an application without an environment has the cache directory of its user", async () => {
	const code = `import { pylog } from ${JSON.stringify(new URL("../../dist/index.js", import.meta.url).href)};
		import { resolveCacheDir } from ${JSON.stringify(new URL("../../dist/spool/cache-dir.js", import.meta.url).href)};
		console.log(typeof pylog, resolveCacheDir());`;
	const child = spawn(process.execPath, ["--input-type=module", "-e", code], { env: {} });
	let said = "";
	child.stdout.on("data", (text) => (said += text));
	await once(child, "close");
	expect(said.trim()).toBe(`function ${join(userInfo().homedir, ".local", "state", "pylog")}`);
	const done = await run("exit", { env: {} });
	await until(() => linesOf(done.path).length >= done.ledger.length);
	expectLedger(done);
});

test("an application that is killed in a debugger's break finds its lines in the file", async () => {
	const cacheDir = cacheDirectory();
	const folder = temporaryDirectory();
	const [path, ledger] = [join(folder, "app.log"), join(folder, "ledger")];
	ControlFile.open(cacheDir).close();
	const words = ["inspect", "--port=0", fixturePath("exit-path"), cacheDir, path, ledger, "auto", "a debugger's break"];
	const debuggerProcess = spawn(process.execPath, words, { detached: true, cwd: folder });
	const ended = once(debuggerProcess, "exit");
	onTestFinished(async () => {
		endProcess(-(debuggerProcess.pid as number));
		await ended;
	});
	let said = "";
	debuggerProcess.stdout.on("data", (text) => (said += text));
	await until(() => said.includes("Break on start"));
	debuggerProcess.stdin.write("cont\n");
	await until(() => /break in [^\n]*exit-ways/.test(said));
	// The break is in the middle of the application, which does nothing any more.
	await sleep(300);
	endProcess(-(debuggerProcess.pid as number));
	await ended;
	await untilLogman(cacheDir);
	await until(() => linesOf(path).length === 3);
	expect(linesOf(path)).toEqual(linesOf(ledger));
	expect(logmanPid(cacheDir)).toBeDefined();
});

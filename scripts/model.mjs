// @ts-check
// Checks the protocol models in model/ with SPIN: each must hold, exhaustively and with all of its code reached, and each
// variant with a seeded bug must break the property it is meant to break. Needs spin and gcc; leaves nothing behind.
//
//     npm run model                     everything, as a table
//     npm run model -- --json           the same as JSON
//     npm run model -- append flush     some models only

import { spawn, spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

import { root } from "./stamp.mjs";

/** How many runs at a time, and what one may take. */
const workers = 2;
const memoryMib = 4000;
const runTimeoutMs = 900_000;
const maxDepth = 200_000;

/**
 * @typedef {{ name?: string, bug?: string, breaks?: string, defines: string[], claim?: string }} Variant
 * @typedef {{ options: string[], holds: Variant[], bugs: Variant[], neverReached: string[] }} Model
 * @typedef {{ status: number | null, output: string }} Ended
 * @typedef {{ all: Set<number>, reached: Set<number> }} Lines
 * @typedef {{ model: string, variant: string, property: string, states: number, seconds: number, result: string,
 *   isRight: boolean }} Row
 */

/** @type {Set<import("node:child_process").ChildProcess>} */
const children = new Set();
const folder = mkdtempSync(join(tmpdir(), "pylog-model-"));
let isStopping = false;

for (const [signal, code] of /** @type {const} */ ([
	["SIGHUP", 129],
	["SIGINT", 130],
	["SIGTERM", 143],
])) {
	process.on(signal, () => {
		stop();
		process.exit(code);
	});
}
try {
	process.exitCode = await main();
} finally {
	stop();
}

/** @returns {Promise<number>} the exit code */
async function main() {
	const { values, positionals } = parseArgs({ options: { json: { type: "boolean" } }, allowPositionals: true });
	/** @type {Record<string, Model>} */
	const models = JSON.parse(readFileSync(join(root, "model/models.json"), "utf8"));
	const unknown = positionals.find((name) => models[name] === undefined);
	if (unknown !== undefined)
		return fail(`there is no model ${unknown}; there are ${Object.keys(models).join(", ")}.`, 2);
	for (const [tool, arguments_, packageName] of /** @type {const} */ ([
		["spin", ["-V"], "spin"],
		["gcc", ["--version"], "gcc"],
	])) {
		if (spawnSync(tool, arguments_, { stdio: "ignore" }).status !== 0) {
			return fail(`${tool} is missing: apt-get install ${packageName}`, 1);
		}
	}
	const selected = Object.entries(models).filter(([name]) => positionals.length === 0 || positionals.includes(name));
	const jobs = selected.flatMap(([name, model]) => {
		/** @type {Lines[]} */
		const coverage = [];
		return [...model.holds, ...model.bugs].map((variant) => ({ name, model, variant, coverage }));
	});
	const startMs = performance.now();
	/** @type {Row[]} */
	const rows = Array.from({ length: jobs.length });
	const queue = jobs.entries();
	const work = async () => {
		for (const [at, { name, model, variant, coverage }] of queue) {
			if (isStopping) return;
			rows[at] = await check(name, model, variant, join(folder, String(at)), coverage);
		}
	};
	await Promise.all(Array.from({ length: workers }, work));
	const unreached = selected.flatMap(([name, { neverReached }]) =>
		unreachedOf(name, neverReached, jobs.find((job) => job.name === name)?.coverage ?? []),
	);
	const isRight = rows.every((row) => row.isRight) && unreached.length === 0;
	const seconds = Math.round((performance.now() - startMs) / 100) / 10;
	if (values.json === true) console.info(JSON.stringify({ isRight, seconds, rows, unreached }, undefined, "\t"));
	else printTable(rows, unreached, seconds, isRight);
	return isRight ? 0 : 1;
}

/**
 * Runs one variant of a model to its end.
 *
 * @param {string} name
 * @param {Model} model
 * @param {Variant} variant
 * @param {string} directory for it alone
 * @param {Lines[]} coverage gets what was reached, where the model holds
 * @returns {Promise<Row>}
 */
async function check(name, model, variant, directory, coverage) {
	mkdirSync(directory);
	copyFileSync(join(root, "model", `${name}.pml`), join(directory, `${name}.pml`));
	const { bug, breaks, defines, claim } = variant;
	const startMs = performance.now();
	/** @type {(result: string, isRight: boolean, states?: number) => Row} */
	const row = (result, isRight, states = 0) => ({
		model: name,
		variant: bug ?? variant.name ?? "",
		property: breaks ?? claim ?? "all",
		states,
		seconds: Math.round((performance.now() - startMs) / 100) / 10,
		result,
		isRight,
	});
	const given = [...defines, ...(bug === undefined ? [] : [bug])].map((define) => `-D${define}`);
	const made = await run("spin", [...given, "-a", `${name}.pml`], directory);
	if (made.status !== 0) return row(`spin: ${made.output.trim()}`, false);
	// Every interleaving: partial order reduction saves little here, and `provided` is on no good terms with it.
	const mode = claim === undefined ? ["-DSAFETY"] : ["-DNFAIR=3"];
	const flags = [bug === undefined ? "-O2" : "-O1", "-w", "-DNOREDUCE", `-DMEMLIM=${memoryMib}`, ...mode];
	const compiled = await run("gcc", [...flags, "-o", "pan", "pan.c"], directory);
	if (compiled.status !== 0) return row(`gcc: ${compiled.output.trim()}`, false);
	const options = claim === undefined ? model.options : ["-a", "-f", ...model.options];
	const { status, output } = await run("./pan", [`-m${maxDepth}`, ...options], directory);
	const states = Number(/^\s*(\d+(?:\.\d+)?(?:e\+\d+)?) states, stored/m.exec(output)?.[1] ?? 0);
	const broken = brokenProperty(output, claim);
	const isWhole = status === 0 && /errors: \d+/.test(output) && !/Search not completed|max search depth/.test(output);
	if (bug !== undefined) {
		if (broken === undefined) return row(isWhole ? "NOT FOUND" : "not finished", false, states);
		return row(broken === breaks ? "found" : `breaks ${broken} instead`, broken === breaks, states);
	}
	if (broken !== undefined) return row(`breaks ${broken}`, false, states);
	if (!isWhole) return row("not finished", false, states);
	coverage.push(linesOf((await run("./pan", ["-d"], directory)).output, output, name));
	rmSync(directory, { recursive: true });
	return row("holds", true, states);
}

/**
 * @param {string} output of the verifier
 * @param {string | undefined} claim
 * @returns {string | undefined} the property that is broken, if one is
 */
function brokenProperty(output, claim) {
	const assertion = /assertion violated \(?(\w+)\)?/.exec(output)?.[1];
	if (assertion !== undefined) return assertion;
	if (/acceptance cycle|non-progress cycle/.test(output)) return claim ?? "a claim";
	return /^pan:\d+: (.*) \(at depth/m.exec(output)?.[1];
}

/**
 * Lines of the model that have a transition, and those with one that was taken.
 *
 * @param {string} transitions what `pan -d` says
 * @param {string} output of the verifier
 * @param {string} name
 * @returns {Lines}
 */
function linesOf(transitions, output, name) {
	const unreached = new Set();
	let process = "";
	for (const line of output.split("\n")) {
		process = /^unreached in (.*)/.exec(line)?.[1] ?? process;
		const state = /^\t.*:\d+, state (\d+),/.exec(line)?.[1];
		if (state !== undefined) unreached.add(`${process} ${state}`);
	}
	/** @type {Lines} */
	const lines = { all: new Set(), reached: new Set() };
	for (const line of transitions.split("\n")) {
		process = /^(proctype \S+|init|claim \S+)/.exec(line)?.[1] ?? process;
		const found = new RegExp(`state\\s+(\\d+) -\\(tr.*${name}\\.pml:(\\d+) => (.*)`).exec(line);
		if (found === null || found[3] === "-end-") continue;
		lines.all.add(Number(found[2]));
		if (!unreached.has(`${process} ${found[1]}`)) lines.reached.add(Number(found[2]));
	}
	return lines;
}

/**
 * Lines that no run of a model reaches, but for those that are known (by their text).
 *
 * @param {string} name
 * @param {string[]} known
 * @param {Lines[]} coverage
 */
function unreachedOf(name, known, coverage) {
	const source = readFileSync(join(root, "model", `${name}.pml`), "utf8").split("\n");
	const reached = new Set(coverage.flatMap((lines) => [...lines.reached]));
	const all = new Set(coverage.flatMap((lines) => [...lines.all]));
	return [...all]
		.filter((line) => !reached.has(line) && !known.includes((source[line - 1] ?? "").trim()))
		.toSorted((a, b) => a - b)
		.map((line) => `${name}.pml:${line}: ${(source[line - 1] ?? "").trim()}`);
}

/**
 * @param {string} command
 * @param {string[]} arguments_
 * @param {string} cwd
 * @returns {Promise<Ended>}
 */
function run(command, arguments_, cwd) {
	return new Promise((resolve, reject) => {
		// In a group and a folder of its own: gcc has children and temporary files.
		const child = spawn(command, arguments_, {
			cwd,
			stdio: ["ignore", "pipe", "pipe"],
			timeout: runTimeoutMs,
			detached: true,
			env: { ...process.env, TMPDIR: folder },
		});
		children.add(child);
		let output = "";
		child.stdout.on("data", (text) => (output += text));
		child.stderr.on("data", (text) => (output += text));
		child.on("error", reject);
		child.on("close", (status) => {
			children.delete(child);
			resolve({ status, output });
		});
	});
}

function stop() {
	isStopping = true;
	for (const { pid } of children) {
		try {
			if (pid !== undefined) process.kill(-pid, "SIGKILL");
		} catch {
			// It has just ended by itself.
		}
	}
	rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
}

/**
 * @param {string} text
 * @param {number} code
 */
function fail(text, code) {
	console.error(`model: ${text}`);
	return code;
}

/**
 * @param {Row[]} rows
 * @param {string[]} unreached
 * @param {number} seconds
 * @param {boolean} isRight
 */
function printTable(rows, unreached, seconds, isRight) {
	const heads = ["model", "variant", "property", "states", "seconds", "result"];
	const cells = rows.map(({ model, variant, property, states, seconds: each, result, isRight: right }) => [
		model,
		variant,
		property,
		states.toLocaleString("en"),
		each.toFixed(1),
		right ? result : `WRONG: ${result}`,
	]);
	const widths = heads.map((head, column) => Math.max(head.length, ...cells.map((row) => (row[column] ?? "").length)));
	const numberColumns = new Set([heads.indexOf("states"), heads.indexOf("seconds")]);
	for (const row of [heads, ...cells]) {
		const padded = row.map((cell, column) =>
			numberColumns.has(column) ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0),
		);
		console.info(padded.join("  ").trimEnd());
	}
	for (const line of unreached) console.info(`never reached: ${line}`);
	const bugs = rows.filter(({ result }) => result === "found").length;
	console.info(`${isRight ? "right" : "WRONG"}: ${rows.length} runs, ${bugs} seeded bugs found, ${seconds} s`);
}

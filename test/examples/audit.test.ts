/** The audit of the main job finds what it is there for. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { type Audit, audit, isClean } from "../../examples/main-job/audit.ts";
import { readLedgers } from "../../examples/main-job/ledger.ts";
import { table } from "../../examples/main-job/report.ts";
import { temporaryDirectory } from "../temporary-directory.ts";

const time = "2026-11-22T06:25:28.123+00:00";

/** Twenty lines of two threads in turn, as a logman writes what waits: the debug lines (every tenth of a thread) first. */
function healthyRows(): string[] {
	const rows = Array.from({ length: 20 }, (_, index) => {
		const thread = index % 2 === 0 ? "alpha-0" : "beta-0";
		const n = Math.floor(index / 2) + 1;
		const level = n === 10 ? "DEBUG" : "INFO";
		return `${index + 1} ${time} ${level} ${thread} | ${thread}-${n} order ${n} was shipped`;
	});
	return [...rows.slice(-2), ...rows.slice(0, -2)];
}

const ledgers = new Map(
	["alpha-0", "beta-0"].map((thread) => [thread, Array.from({ length: 10 }, (_, n) => `${thread}-${n + 1}`)]),
);

function auditRows(rows: readonly string[], killed: readonly string[] = []): Audit {
	return audit(ledgers, rows.map((row) => `${row}\n`).join(""), killed);
}

/** What an audit complains of. */
function complaints(result: Audit): object {
	const { lost, repeated, outOfOrder, outOfCallOrder, damaged, unexplained } = result;
	const all = { lost, repeated, outOfOrder, outOfCallOrder, damaged, unexplained };
	return Object.fromEntries(Object.entries(all).filter(([, found]) => found.length > 0));
}

test("the audit has nothing against a file in which all is well", () => {
	const result = auditRows(healthyRows());
	expect(complaints(result)).toEqual({});
	expect(isClean(result)).toBe(true);
	expect([result.acknowledged, result.written, result.overtook]).toEqual([20, 20, ["alpha-0-10", "beta-0-10"]]);
	expect(table(result)).toContain("Every acknowledged line is in the file once, and in order.");
});

test("the audit finds a lost line", () => {
	const result = auditRows(healthyRows().filter((row) => !row.includes("beta-0-4 ")));
	expect(complaints(result)).toEqual({ lost: ["beta-0-4"] });
	expect(isClean(result)).toBe(false);
	expect(table(result)).toMatch(/lost +1 {2}FAILED, such as: beta-0-4/);
});

test("the audit finds a repeated line", () => {
	const rows = healthyRows();
	const result = auditRows([...rows, ...rows.slice(-1)]);
	expect(complaints(result)).toEqual({
		repeated: ["beta-0-9"],
		outOfOrder: ["beta-0-9"],
		outOfCallOrder: ["beta-0-9"],
	});
	expect(isClean(result)).toBe(false);
});

test("the audit finds two lines of different threads that were swapped", () => {
	const rows = healthyRows();
	rows.splice(8, 2, ...rows.slice(8, 10).reverse());
	const result = auditRows(rows);
	expect(complaints(result)).toEqual({ outOfOrder: ["alpha-0-4"] });
	expect(isClean(result)).toBe(false);
});

test("the audit finds two calls of one thread that were numbered the wrong way round", () => {
	const rows = healthyRows();
	const swap = (row: string): string =>
		row.replace(/alpha-0-[34] order [34]/, (part) => (part.includes("3") ? "alpha-0-4 order 4" : "alpha-0-3 order 3"));
	const result = auditRows(rows.map(swap));
	expect(complaints(result)).toEqual({ outOfCallOrder: ["alpha-0-3"] });
	expect(isClean(result)).toBe(false);
});

test("the audit finds lines that are cut, mixed up or of somebody else", () => {
	const rows = healthyRows();
	const cut = rows.splice(5, 1).map((row) => row.slice(0, -3));
	const result = auditRows([...rows, ...cut, "hello"]);
	expect(complaints(result)).toEqual({ lost: ["beta-0-2"], damaged: [...cut, "hello"] });
	expect(isClean(result)).toBe(false);
	expect(complaints(auditRows([...healthyRows(), ""]))).toEqual({ damaged: [""] });
});

test("a line that was never acknowledged is explained by the kill of its thread, and only once", () => {
	const more = (n: number): string => `${n + 100} ${time} INFO beta-0 | beta-0-${n} order ${n} was shipped`;
	const one = auditRows([...healthyRows(), more(11)], ["beta"]);
	expect([complaints(one), one.unacknowledged]).toEqual([{}, ["beta-0-11"]]);
	expect(complaints(auditRows([...healthyRows(), more(11)], ["alpha"]))).toEqual({ unexplained: ["beta-0-11"] });
	expect(complaints(auditRows([...healthyRows(), more(11), more(12)], ["beta"]))).toEqual({
		unexplained: ["beta-0-12"],
	});
});

test("lines marked late are counted, and may stand behind later ones", () => {
	const rows = healthyRows();
	const [early = ""] = rows.splice(4, 1);
	const result = auditRows([...rows, `${early} {"late":true}`]);
	expect([result.late, result.outOfOrder]).toEqual([["alpha-0-2"], []]);
	expect(complaints(auditRows([...rows, early]))).toHaveProperty("outOfOrder", ["alpha-0-2"]);
});

test("an id that its thread died in the middle of is not acknowledged", () => {
	const directory = join(temporaryDirectory(), "ledgers");
	mkdirSync(directory);
	writeFileSync(join(directory, "beta-0.ledger"), "beta-0-1\nbeta-0-2\nbeta-");
	writeFileSync(join(directory, "alpha-0.ledger"), "");
	expect([...readLedgers(directory)]).toEqual([
		["alpha-0", []],
		["beta-0", ["beta-0-1", "beta-0-2"]],
	]);
});

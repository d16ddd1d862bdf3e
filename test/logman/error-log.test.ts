import { execFileSync } from "node:child_process";
import {
	appendFileSync,
	chmodSync,
	existsSync,
	mkdirSync,
	mkdtempSync,
	readFileSync,
	renameSync,
	rmSync,
	statSync,
	symlinkSync,
	truncateSync,
	unlinkSync,
	writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ErrorLog } from "../../src/logman/error-log.ts";
import { type ErrorReport, reportIdentity } from "../../src/logman/error-report.ts";
import { PylogError } from "../../src/shared/errors.ts";

/** Counts are written by `flush` and `close` alone. */
const seldom = { flushIntervalMs: 3_600_000 };

function failure(code: string, text = "cannot write"): ErrorReport {
	const error = Object.assign(new Error(text), { code });
	return { what: "write lines to their file", error, message: "first line", output: "/logs/app.log" };
}

describe("ErrorLog", () => {
	let folder: string;
	let path: string;
	const open: ErrorLog[] = [];

	beforeEach(() => {
		folder = mkdtempSync(join(tmpdir(), "pylog-error-log-"));
		path = join(folder, "pylog_error.log");
	});
	afterEach(() => {
		for (const log of open.splice(0)) log.close();
		rmSync(folder, { recursive: true, force: true });
	});

	function openLog(options: Parameters<typeof ErrorLog.open>[1] = seldom): ErrorLog {
		const log = ErrorLog.open(path, options);
		open.push(log);
		return log;
	}
	const text = (): string => readFileSync(path, "utf8");
	/** The counts in the file, by the identity of their report. */
	function counts(): Map<string, number> {
		const found = text().matchAll(/^= report ([0-9a-f]{64})\n= count (\d{12}) first \S{24} last \S{24}$/gm);
		return new Map([...found].map(([, identity = "", count]) => [identity, Number(count)]));
	}
	const countOf = (report: ErrorReport): number | undefined => counts().get(reportIdentity(report));

	it("writes a report with what failed, the output, the failing message, the error and its stack", () => {
		const cause = Object.assign(new Error("disk is gone"), { code: "EIO" });
		const error = new PylogError("PYLOG_OUTPUT_PARKED", "app.log is parked", { cause });
		openLog().report({ what: "write lines", error, message: "user 42 logged in", output: "/logs/app.log" });
		expect(text()).toContain("  what: write lines\n");
		expect(text()).toContain("  output: /logs/app.log\n");
		expect(text()).toContain("  failing message: user 42 logged in\n");
		expect(text()).toContain("  error: PylogError PYLOG_OUTPUT_PARKED: app.log is parked\n    at ");
		expect(text()).toContain("  cause: Error EIO: disk is gone\n    at ");
		expect(statSync(path).mode & 0o777).toBe(0o600);
	});

	it("makes no file as long as nothing is reported", () => {
		const log = openLog();
		log.flush();
		log.close();
		expect(existsSync(path)).toBe(false);
	});

	it("writes an error once, whatever its time and failing message, and counts it in place", () => {
		const log = openLog();
		log.report(failure("EACCES"));
		const before = text();
		for (let index = 1; index < 1000; index++) log.report({ ...failure("EACCES"), message: `line ${index}` });
		expect(text()).toBe(before);
		log.flush();
		expect(countOf(failure("EACCES"))).toBe(1000);
		expect(text().length).toBe(before.length);
		expect(text()).toContain("failing message: first line");
	});

	it("tells errors apart by what, name, code, message and output", () => {
		const log = openLog();
		const one = failure("EACCES");
		const kinds: ErrorReport[] = [
			one,
			{ ...one, what: "rotate" },
			{ ...one, output: "/logs/other.log" },
			failure("EROFS"),
			failure("EACCES", "another text"),
			{ ...one, error: Object.assign(new TypeError("cannot write"), { code: "EACCES" }) },
		];
		for (const kind of kinds) log.report(kind);
		for (const kind of kinds) log.report(kind);
		log.flush();
		expect(kinds.map(countOf)).toEqual([2, 2, 2, 2, 2, 2]);
	});

	it("counts at most once per interval without being told to flush", async () => {
		const log = openLog({ flushIntervalMs: 30 });
		log.report(failure("EACCES"));
		log.report(failure("EACCES"));
		expect(countOf(failure("EACCES"))).toBe(1);
		await new Promise((resolve) => setTimeout(resolve, 40));
		log.report(failure("EACCES"));
		expect(countOf(failure("EACCES"))).toBe(3);
	});

	it("knows after a restart what is in the file, and a crash loses counts only", () => {
		const crashed = openLog();
		crashed.report(failure("EACCES"));
		crashed.report(failure("EACCES"));
		const next = openLog();
		next.report(failure("EACCES"));
		next.report(failure("EROFS"));
		expect(countOf(failure("EACCES"))).toBe(2);
		expect(countOf(failure("EROFS"))).toBe(1);
		expect(text().match(/^= report /gm)).toHaveLength(2);
	});

	it("finds its report wherever it lies, the borders of the search's chunks included", () => {
		for (const shift of [0, 20, 40, 60, 80, 100]) {
			rmSync(path, { force: true });
			writeFileSync(path, `${"x".repeat(65_536 - 100 + shift)}\n`, { mode: 0o600 });
			openLog().report(failure("EACCES"));
			openLog().report(failure("EACCES"));
			expect(countOf(failure("EACCES"))).toBe(2);
		}
	});

	it("keeps the first time and moves the last", async () => {
		const log = openLog();
		log.report(failure("EACCES"));
		await new Promise((resolve) => setTimeout(resolve, 5));
		log.report(failure("EACCES"));
		log.flush();
		const [, first = "", last = ""] = / first (\S+) last (\S+)$/m.exec(text()) ?? [];
		expect(Date.parse(last)).toBeGreaterThan(Date.parse(first));
	});

	it("lets no text forge a report", () => {
		const victim = failure("EACCES");
		const forged = `\n= report ${reportIdentity(victim)}\n= count 000000000001 first ${new Date().toISOString()} last ${new Date().toISOString()}\n`;
		const error = Object.assign(new Error(forged), { code: forged, name: forged, stack: `Error\n    at ${forged}` });
		const log = openLog();
		log.report({ what: forged, error, message: forged, output: `${forged}\r\u001b[2J\u2028\u202e` });
		expect(text().match(/^= /gm)).toHaveLength(2);
		expect(text()).not.toMatch(/[\r\u001b\u2028\u202e]/);
		log.report(victim);
		expect(countOf(victim)).toBe(1);
		expect(text().match(/^= report /gm)).toHaveLength(2);
	});

	it("does not take a marker without a count behind it for a report", () => {
		const report = failure("EACCES");
		writeFileSync(path, `torn\n= report ${reportIdentity(report)}\n= count 0000`, { mode: 0o600 });
		openLog().report(report);
		openLog().report(report);
		expect(countOf(report)).toBe(2);
	});

	it("makes the file anew when somebody deletes it", () => {
		const log = openLog();
		log.report(failure("EACCES"));
		unlinkSync(path);
		log.report(failure("EACCES"));
		expect(countOf(failure("EACCES"))).toBe(1);
		unlinkSync(path);
		log.flush();
		log.report(failure("EROFS"));
		expect(countOf(failure("EROFS"))).toBe(1);
	});

	it("goes on in a new file when the old one is moved away or emptied", () => {
		const log = openLog();
		log.report(failure("EACCES"));
		renameSync(path, `${path}.1`);
		log.report(failure("EACCES"));
		expect(countOf(failure("EACCES"))).toBe(1);
		truncateSync(path, 0);
		log.report(failure("EACCES"));
		expect(countOf(failure("EACCES"))).toBe(1);
	});

	it("never writes a count over what somebody put in place of its report", () => {
		const log = openLog();
		log.report(failure("EACCES"));
		log.report(failure("EACCES"));
		const edited = `an editor was here\n${text()}`;
		writeFileSync(path, edited);
		log.flush();
		expect(text().slice(0, 19)).toBe("an editor was here\n");
		expect(text().length).toBe(edited.length);
		expect(countOf(failure("EACCES"))).toBe(2);
	});

	it("counts the right report when two of the same length have changed places", () => {
		const log = openLog();
		const one: ErrorReport = { what: "one", error: "same" };
		const two: ErrorReport = { what: "two", error: "same" };
		log.report(one);
		log.report(two);
		log.report(one);
		const [head, ...reports] = text().split("\n= report ");
		writeFileSync(path, [head, ...reports.toReversed()].join("\n= report "));
		log.flush();
		expect([countOf(one), countOf(two)]).toEqual([2, 1]);
	});

	it("refuses a symbolic link, a folder, a FIFO and a file open to others, and says why", () => {
		const elsewhere = join(folder, "elsewhere");
		const kinds: (() => void)[] = [
			() => symlinkSync(elsewhere, path),
			() => mkdirSync(path),
			() => execFileSync("mkfifo", [path]),
			() => {
				writeFileSync(path, "");
				chmodSync(path, 0o666);
			},
		];
		for (const make of kinds) {
			make();
			const log = openLog();
			log.report(failure("EACCES"));
			expect(log.problem).toBeInstanceOf(Error);
			rmSync(path, { recursive: true });
			log.flush();
			expect(log.problem).toBeUndefined();
			expect(countOf(failure("EACCES"))).toBe(1);
			rmSync(path);
		}
		expect(existsSync(elsewhere)).toBe(false);
	});

	it("keeps what it cannot write and writes it when it can, without throwing", () => {
		path = join(folder, "missing", "pylog_error.log");
		const log = openLog();
		for (let index = 0; index < 5; index++) log.report(failure("EACCES"));
		log.report(failure("EROFS"));
		expect(log.problem).toMatchObject({ code: "ENOENT" });
		mkdirSync(join(folder, "missing"));
		log.flush();
		expect(log.problem).toBeUndefined();
		expect(countOf(failure("EACCES"))).toBe(5);
		expect(countOf(failure("EROFS"))).toBe(1);
		expect(log.droppedReports).toBe(0);
	});

	it("takes a report back that a full disk cut in the middle", () => {
		openLog().report({ what: "fail", error: "short" });
		const before = text();
		expect(before.length).toBeLessThan(800);
		const limited = JSON.stringify(new URL("../../dist/logman/error-log.js", import.meta.url).href);
		const script = `process.on("SIGXFSZ", () => {});
			const { ErrorLog } = await import(${limited});
			const log = ErrorLog.open(${JSON.stringify(path)});
			log.report({ what: "x".repeat(2000), error: new Error("too long") });
			console.log(log.problem?.code, log.droppedReports);
			log.close();
			console.log(log.droppedReports);`;
		// A limit on the size of files cuts a write like a full disk does: short first, then an error.
		const answer = execFileSync(
			"bash",
			["-c", 'ulimit -f 1; exec "$0" --input-type=module -e "$1"', process.execPath, script],
			{ encoding: "utf8" },
		);
		expect(answer).toBe("EFBIG 0\n1\n");
		expect(text()).toBe(before);
	});

	it("stays below its limit, and counts in one report what it leaves out", () => {
		const log = openLog({ ...seldom, maxFileBytes: 4096 });
		for (let index = 0; index < 50; index++) {
			log.report(failure("EACCES", `error ${index}`));
			log.report(failure("EACCES", `error ${index}`));
		}
		log.flush();
		const [, limitNote] = /^= count (\d{12}).*\n {2}what: keep this file small$/m.exec(text()) ?? [];
		expect(log.droppedReports).toBeGreaterThan(50);
		expect(Number(limitNote)).toBe(log.droppedReports);
		const inFile = [...counts().values()].reduce((sum, count) => sum + count, 0);
		expect(inFile).toBe(100);
		expect(statSync(path).size).toBeLessThan(4096 + 1024);
		log.report(failure("EACCES", "error 0"));
		log.flush();
		expect(countOf(failure("EACCES", "error 0"))).toBe(3);
	});

	it("writes again when a full file has been emptied", () => {
		const log = openLog({ ...seldom, maxFileBytes: 2048 });
		for (let index = 0; index < 20; index++) log.report(failure("EACCES", `error ${index}`));
		expect(countOf(failure("EACCES", "error 19"))).toBeUndefined();
		truncateSync(path, 0);
		log.report(failure("EACCES", "error 19"));
		expect(countOf(failure("EACCES", "error 19"))).toBe(1);
	});

	it("keeps a bounded number of errors in memory while it cannot write, and counts the others", () => {
		path = join(folder, "missing", "pylog_error.log");
		const log = openLog();
		for (let index = 0; index < 1500; index++) log.report(failure("EACCES", `error ${index}`));
		expect(log.droppedReports).toBe(1500 - 1024);
		mkdirSync(join(folder, "missing"));
		log.close();
		expect(log.droppedReports).toBe(1500 - 1024);
		expect([...counts().values()].reduce((sum, count) => sum + count, 0)).toBe(1500);
		expect(countOf(failure("EACCES", "error 0"))).toBe(1);
		expect(countOf(failure("EACCES", "error 1499"))).toBeUndefined();
	});

	it("searches a large file for some new errors in a second only, and lets the others wait", () => {
		writeFileSync(path, "x".repeat(8 * 1024 * 1024), { mode: 0o600 });
		const log = openLog({ ...seldom, maxFileBytes: 16 * 1024 * 1024 });
		for (let index = 0; index < 200; index++) log.report(failure("EACCES", `error ${index}`));
		expect(counts().size).toBeGreaterThan(0);
		expect(counts().size).toBeLessThan(150);
		log.close();
		expect(log.droppedReports).toBe(0);
		expect(counts().size).toBe(200);
	});

	it("loses nothing when more errors pass through than memory holds", () => {
		const log = openLog();
		for (let round = 0; round < 2; round++) {
			for (let index = 0; index < 1200; index++) log.report(failure("EACCES", `error ${index}`));
		}
		log.close();
		const counted = [...counts().values()];
		expect(counted).toHaveLength(1200 + (log.droppedReports > 0 ? 1 : 0));
		expect(counted.reduce((sum, count) => sum + count, 0)).toBe(2400);
	});

	it("survives errors that throw when they are looked at, and things that are no errors", () => {
		const hostile = new Proxy(new Error("x"), {
			get: () => {
				throw new Error("do not look");
			},
			getOwnPropertyDescriptor: () => {
				throw new Error("do not look");
			},
			has: () => {
				throw new Error("do not look");
			},
			getPrototypeOf: () => {
				throw new Error("do not look");
			},
		});
		const loop = new Error("loop");
		loop.cause = loop;
		const log = openLog();
		const thrown: unknown[] = [hostile, loop, undefined, null, "text", 7n, Symbol("s"), { status: 500 }, () => 1];
		for (const error of thrown) log.report({ what: "look", error });
		expect(log.problem).toBeUndefined();
		expect(text().match(/^= report /gm)).toHaveLength(thrown.length);
		expect(text()).toContain("error: string: text\n");
		expect(text()).toContain("error: object: { status: 500 }\n");
	});

	it("bounds a report, whatever the length of its parts", () => {
		const long = "é\n".repeat(500_000);
		let error: Error = new Error(long);
		for (let depth = 0; depth < 20; depth++) error = new Error(long, { cause: error });
		openLog().report({ what: long, error, message: long, output: long });
		expect(statSync(path).size).toBeLessThan(8192 + 1024);
		expect(text()).toContain("(cut: 1000000 characters)");
		openLog().report({ what: long, error, message: long, output: long });
		expect([...counts().values()]).toEqual([2]);
	});

	it("begins a report on a line of its own behind a half line", () => {
		writeFileSync(path, "half a line", { mode: 0o600 });
		openLog().report(failure("EACCES"));
		appendFileSync(path, "another half");
		openLog().report(failure("EROFS"));
		expect([...counts().values()]).toEqual([1, 1]);
	});

	it("counts what comes after close as dropped, and closes twice without harm", () => {
		const log = openLog();
		log.report(failure("EACCES"));
		log.report(failure("EACCES"));
		log.close();
		log.report(failure("EACCES"));
		log.close();
		log.flush();
		expect(countOf(failure("EACCES"))).toBe(2);
		expect(log.droppedReports).toBe(1);
	});
});

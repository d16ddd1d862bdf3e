/** Whether files hold what producers on a full disk say: see test/fixtures/full-producer.ts. */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, basename } from "node:path";
import { expect } from "vitest";
import type { FullLedger } from "../fixtures/full-producer.ts";
import { linesOf } from "../running-logman.ts";

const lanes = ["priority", "normal"] as const;

interface Notice {
	readonly dropped: number;
	readonly lane: "priority" | "normal";
	readonly producer: number;
	readonly process: number;
	readonly policy?: string;
	readonly cause?: string;
	readonly levels: Readonly<Record<string, number>>;
}

export interface Audit {
	/** Lines that were logged. */
	readonly lines: number;
	/** Records that lines in the files, or the error log, say are missing. */
	readonly dropped: number;
	readonly notices: readonly Notice[];
}

/**
 * Checks that each line whose call was taken is there once, in order, no other, and that the drops told of are as many as
 * the calls that were not taken: by producer and lane, or by producer where some are told of in the error log.
 *
 * @param path Of the file, or of several files that begin with it.
 */
export function audit(path: string, ledgers: readonly FullLedger[], errorLog = ""): Audit {
	const files = readdirSync(dirname(path)).filter((name) => name.startsWith(basename(path)));
	const lines = files.flatMap((name) => linesOf(join(dirname(path), name)));
	const notices = lines.filter((line) => line.startsWith("pylog dropped ")).map(noticeOf);
	let dropped = 0;
	for (const ledger of ledgers) {
		const { name, pid, taken, calls, thrown } = ledger;
		expect(thrown, name).toEqual([]);
		const untold = untoldOf(errorLog, notices, pid);
		let missing = 0;
		for (const lane of lanes) {
			const start = `${name} ${lane} `;
			const written = lines.filter((line) => line.startsWith(start)).map((line) => Number(line.split(" ")[2]));
			if (files.length === 1) expect(written, `${name} ${lane}: order`).toEqual(written.toSorted((a, b) => a - b));
			expect(
				written.toSorted((a, b) => a - b),
				`${name} ${lane}`,
			).toEqual(taken[lane]);
			const told = sum(notices.filter((notice) => notice.process === pid && notice.lane === lane));
			const lost = calls[lane] - written.length;
			if (untold === 0) expect(told, `${name} ${lane}: drops told of`).toBe(lost);
			missing += lost - told;
			dropped += lost;
		}
		expect(untold, `${name}: drops told of in the error log`).toBe(missing);
	}
	for (const { dropped: count, levels } of notices) {
		expect(Object.values(levels).reduce((a, b) => a + b, 0)).toBe(count);
	}
	return { lines: lines.length - notices.length, dropped, notices };
}

function noticeOf(line: string): Notice {
	return JSON.parse(line.slice(line.indexOf("{"))) as Notice;
}

function sum(notices: readonly Notice[]): number {
	return notices.reduce((total, { dropped }) => total + dropped, 0);
}

/** Drops of a process that the logman reported in its place. It names its producer; others of the process do so in files. */
function untoldOf(errorLog: string, notices: readonly Notice[], pid: number): number {
	const producers = new Set(notices.filter((notice) => notice.process === pid).map(({ producer }) => producer));
	let untold = 0;
	for (const [, producer, count] of errorLog.matchAll(/Producer (\d+) dropped (\d+) records/g)) {
		if (producers.has(Number(producer))) untold += Number(count);
	}
	return untold;
}

/** The text of a file, "" where there is none. */
export function textOf(path: string): string {
	try {
		return readFileSync(path, "utf8");
	} catch {
		return "";
	}
}

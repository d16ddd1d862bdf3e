/**
 * The logman's own `pylog_error.log`: every distinct error once, with a count.
 *
 * Before a report is written the file is searched for the same one, so what an earlier logman wrote is known. Repeats
 * are counted in place, at most once per flush interval: a crash loses counts since, never a report.
 *
 * Invariants: no method throws and no timer runs; memory holds at most {@link maxEntries} errors; the file stays below
 * its limit (but for the one report that counts what was left out); searching reads at most
 * {@link searchBytesPerSecond}, so that a flood of ever new errors cannot stop the logman.
 */

import { ErrorLogFile } from "./error-log-file.ts";
import { countLine, type ErrorReport, reportBody, reportIdentity, reportMarker } from "./error-report.ts";

export type { ErrorReport } from "./error-report.ts";

export interface ErrorLogOptions {
	/** From this size on, new errors are only counted, in one report for all. @default 8388608 */
	readonly maxFileBytes?: number;
	/** Counts are written, and an unwritable file is tried again, at most this often. @default 1000 */
	readonly flushIntervalMs?: number;
}

const maxEntries = 1024;
const searchBytesPerSecond = 128 * 1024 * 1024;

/** An error of which this process knows. */
interface Entry {
	readonly identity: string;
	/** Its offset in the file; "unknown" until searched; "left-out" when the file was full. */
	place: number | "unknown" | "left-out";
	/** Kept only until the report is in the file. */
	body: string | undefined;
	/** Reports the file does not count yet, and when the first and the last of them came. */
	uncounted: number;
	firstMs: number;
	lastMs: number;
}

export class ErrorLog {
	readonly #file: ErrorLogFile;
	readonly #maxFileBytes: number;
	readonly #flushIntervalMs: number;
	/** By identity, the longest unseen first. */
	readonly #entries = new Map<string, Entry>();
	readonly #leftOut: Entry;
	#problem: unknown;
	#droppedReports = 0;
	#closed = false;
	/** On the monotonic clock: a wall clock that is set back must not stop the writing. */
	#nextFlushMs = 0;
	#nextAttemptMs = 0;
	#searchSecond = 0;
	#searchedBytes = 0;

	/** The error log at `path`. Touches no file until there is something to report. */
	static open(path: string, options: ErrorLogOptions = {}): ErrorLog {
		return new ErrorLog(path, options);
	}

	private constructor(path: string, options: ErrorLogOptions) {
		this.#file = new ErrorLogFile(path);
		this.#maxFileBytes = options.maxFileBytes ?? 8 * 1024 * 1024;
		this.#flushIntervalMs = options.flushIntervalMs ?? 1000;
		const report: ErrorReport = {
			what: "keep this file small",
			error: `Reports were left out: this file has reached its limit of ${this.#maxFileBytes} bytes, or too many different errors came while it could not be written. The count above is theirs.`,
		};
		this.#leftOut = newEntry(reportIdentity(report), reportBody(report));
	}

	/** Reports of which the file holds neither text nor count of their own. */
	get droppedReports(): number {
		return this.#droppedReports;
	}

	/** Why the file could not be written at the last attempt, or `undefined`. */
	get problem(): unknown {
		return this.#problem;
	}

	/** Writes the report, or counts it if its like is in the file. Blocks for a few system calls. Never throws. */
	report(report: ErrorReport): void {
		const entry = this.#closed ? undefined : this.#entryOf(report);
		if (entry === undefined) {
			this.#leaveOut(report.times ?? 1);
			return;
		}
		entry.lastMs = Date.now();
		if (entry.uncounted === 0) entry.firstMs = entry.lastMs;
		entry.uncounted += report.times ?? 1;
		const keepText = (): void => {
			if (entry.place === "unknown") entry.body ??= reportBody(report);
		};
		keepText();
		const nowMs = performance.now();
		if (nowMs < this.#nextAttemptMs) return;
		this.#attempt(() => {
			// The file may just have been found missing.
			keepText();
			if (entry.place === "unknown") this.#settle(entry);
			if (nowMs >= this.#nextFlushMs) this.#settleAll();
		});
	}

	/** Writes the counts and whatever waits. To be called about once a second. Never throws. */
	flush(): void {
		if (this.#somethingWaits()) this.#attempt(() => this.#settleAll());
	}

	/** Flushes and closes the file. What still could not be written is counted as dropped. */
	close(): void {
		if (this.#closed) return;
		this.#closed = true;
		this.flush();
		for (const entry of this.#entries.values()) this.#droppedReports += entry.uncounted;
		this.#entries.clear();
		try {
			this.#file.close();
		} catch (error) {
			this.#problem = error;
		}
	}

	[Symbol.dispose](): void {
		this.close();
	}

	/** The entry of this error, as the latest seen; `undefined` when there is no room for one more. */
	#entryOf(report: ErrorReport): Entry | undefined {
		const identity = reportIdentity(report);
		let entry = this.#entries.get(identity);
		if (entry === undefined) {
			if (!this.#makeRoom()) return undefined;
			entry = newEntry(identity, undefined);
		}
		this.#entries.delete(identity);
		this.#entries.set(identity, entry);
		return entry;
	}

	#makeRoom(): boolean {
		const [oldest] = this.#entries.values();
		if (oldest === undefined || this.#entries.size < maxEntries) return true;
		if (oldest.uncounted > 0 && performance.now() >= this.#nextAttemptMs) this.#attempt(() => this.#settle(oldest));
		if (oldest.uncounted > 0) {
			if (oldest.body !== undefined) return false;
			// Only its count is at stake: the report is, or was, in the file.
			this.#leaveOut(oldest.uncounted);
		}
		this.#entries.delete(oldest.identity);
		return true;
	}

	#leaveOut(reports: number): void {
		this.#droppedReports += reports;
		this.#leftOut.lastMs = Date.now();
		if (this.#leftOut.uncounted === 0) this.#leftOut.firstMs = this.#leftOut.lastMs;
		this.#leftOut.uncounted += reports;
	}

	#somethingWaits(): boolean {
		if (this.#leftOut.uncounted > 0) return true;
		for (const entry of this.#entries.values()) if (entry.uncounted > 0) return true;
		return false;
	}

	/** Does something with the file at the path as it is now; a failure is kept for {@link problem}. */
	#attempt(write: () => void): void {
		try {
			if (this.#file.refresh()) this.#forgetPlaces();
			write();
			this.#problem = undefined;
		} catch (error) {
			this.#problem = error;
			this.#nextAttemptMs = performance.now() + this.#flushIntervalMs;
		}
	}

	#forgetPlaces(): void {
		for (const entry of this.#entries.values()) entry.place = "unknown";
		this.#leftOut.place = "unknown";
	}

	#settleAll(): void {
		this.#nextFlushMs = performance.now() + this.#flushIntervalMs;
		for (const entry of this.#entries.values()) if (entry.uncounted > 0) this.#settle(entry);
		if (this.#leftOut.uncounted > 0) this.#settle(this.#leftOut);
	}

	/** Brings what is uncounted of one error into the file, as far as that is possible now. */
	#settle(entry: Entry): void {
		if (typeof entry.place === "number" && !this.#count(entry, entry.place)) entry.place = "unknown";
		if (entry.place === "unknown" && this.#maySearch()) this.#place(entry);
		if (entry.place === "left-out") {
			this.#leaveOut(entry.uncounted);
			entry.uncounted = 0;
			entry.body = undefined;
		}
	}

	#count(entry: Entry, offset: number): boolean {
		if (!this.#file.addToCount(offset, entry.identity, entry.uncounted, entry.lastMs)) return false;
		entry.uncounted = 0;
		return true;
	}

	/** Finds the report in the file or appends it. Without its text it waits for the next report of its kind. */
	#place(entry: Entry): void {
		const found = this.#file.find(entry.identity);
		if (found !== -1) {
			if (this.#count(entry, found)) entry.place = found;
		} else if (entry.body !== undefined) {
			const counted = countLine(entry.uncounted, entry.firstMs, entry.lastMs);
			const text = `${reportMarker(entry.identity).toString()}${counted}${entry.body}`;
			const isFull = this.#file.sizeBytes + Buffer.byteLength(text) > this.#maxFileBytes;
			entry.place = isFull && entry !== this.#leftOut ? "left-out" : this.#file.append(text);
			if (entry.place !== "left-out") entry.uncounted = 0;
		}
		if (typeof entry.place === "number" && entry !== this.#leftOut) entry.body = undefined;
	}

	/** Whether one more search of the whole file is within what a second may cost. */
	#maySearch(): boolean {
		const second = Math.floor(performance.now() / 1000);
		if (second !== this.#searchSecond) {
			this.#searchSecond = second;
			this.#searchedBytes = 0;
		}
		if (this.#searchedBytes >= searchBytesPerSecond && !this.#closed) return false;
		this.#searchedBytes += this.#file.sizeBytes;
		return true;
	}
}

function newEntry(identity: string, body: string | undefined): Entry {
	return { identity, place: "unknown", body, uncounted: 0, firstMs: 0, lastMs: 0 };
}

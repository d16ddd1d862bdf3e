/**
 * Lines whose file is refused: kept in quarantine with the reason, and told of with their output and a count.
 *
 * Invariant: what is kept here is done with. It costs a bounded number of files, however many outputs a batch names.
 */

import { PylogError } from "../shared/errors.ts";
import type { Quarantine } from "../spool/quarantine.ts";
import type { RefusedRecord } from "./batch.ts";
import type { ErrorLog } from "./error-log.ts";

/** A batch with more refused outputs than this has one entry in quarantine for all: each entry is two files. */
const maxEntriesAtOnce = 16;
const maxShownBytes = 4096;

/** Lines that are kept together. */
interface RefusedLines {
	/** `undefined` where they are of many. */
	readonly output: string | undefined;
	readonly reason: string;
	readonly bytes: Uint8Array;
	readonly count: number;
}

export class Refusals {
	readonly #quarantine: Quarantine;
	readonly #errors: ErrorLog;

	constructor(quarantine: Quarantine, errors: ErrorLog) {
		this.#quarantine = quarantine;
		this.#errors = errors;
	}

	/** Keeps the lines of records whose output is refused, and tells of each output once, with a count. */
	setAside(records: readonly RefusedRecord[]): void {
		for (const lines of grouped(records)) this.#keep(lines);
	}

	/**
	 * The same of a batch that is made again after a death: what was kept by then is not kept twice. What was not: lines that
	 * could be written before, for the roots allow less now, or their records are damaged since.
	 */
	setAsideAgain(records: readonly RefusedRecord[]): void {
		for (const lines of grouped(records)) {
			if (!this.#quarantine.holds(lines.bytes, whyKept(lines))) this.#keep(lines);
		}
	}

	/**
	 * Keeps lines whose file was refused when it was to be opened, and tells of it.
	 *
	 * @param refusal PYLOG_OUTPUT_REFUSED, as the file sink throws it.
	 */
	refuse(output: string, lines: Uint8Array, refusal: PylogError): void {
		this.#keep({ output, reason: reasonOf(refusal), bytes: lines, count: lineEnds(lines) });
	}

	/**
	 * Moves a file of lines that waited for an output that is refused, and tells of it.
	 *
	 * @param count How many lines are in it.
	 * @returns Whether it is out of the way.
	 */
	refuseFile(output: string, file: string, count: number, refusal: PylogError): boolean {
		const reason = reasonOf(refusal);
		const outcome = this.#quarantine.take(file, `${reason}: ${output}`);
		if (outcome.kind === "failed") {
			this.#errors.report({ what: "move lines to quarantine/ whose file is refused", error: outcome.error, output });
			return false;
		}
		const isCut = outcome.kind === "kept" && outcome.isCut;
		this.#tell(output, reason, count, isCut ? "Only the beginning of what waited is kept." : undefined);
		return true;
	}

	#keep(lines: RefusedLines): void {
		const { output, reason, bytes, count } = lines;
		const outcome = this.#quarantine.keepBytes("refused", bytes, whyKept(lines));
		const message = Buffer.from(bytes.subarray(0, maxShownBytes)).toString().split("\n", 1)[0] ?? "";
		if (outcome.kind !== "failed") {
			this.#tell(output, reason, count, message);
			return;
		}
		this.#errors.report({
			what: "keep lines in quarantine/ whose file is refused; they are lost",
			error: outcome.error,
			times: count,
			message,
			...(output === undefined ? {} : { output }),
		});
	}

	#tell(output: string | undefined, reason: string, count: number, message: string | undefined): void {
		if (count === 0) return;
		this.#errors.report({
			what: "write lines to a file that is refused; they are in quarantine/",
			error: new PylogError("PYLOG_OUTPUT_REFUSED", reason),
			times: count,
			...(message === undefined ? {} : { message }),
			...(output === undefined ? {} : { output }),
		});
	}
}

function grouped(records: readonly RefusedRecord[]): RefusedLines[] {
	const byOutput = new Map<string, RefusedRecord[]>();
	for (const record of records) {
		const group = byOutput.get(record.output);
		if (group === undefined) byOutput.set(record.output, [record]);
		else group.push(record);
	}
	if (byOutput.size > maxEntriesAtOnce) {
		const lines = records.map(({ output, line }) => Buffer.concat([Buffer.from(`${JSON.stringify(output)} `), line]));
		const reason = "they name many outputs that are refused";
		return [{ output: undefined, reason, bytes: Buffer.concat(lines), count: records.length }];
	}
	return [...byOutput].map(([output, group]) => {
		const [{ reason }] = group as [RefusedRecord];
		return { output, reason, bytes: Buffer.concat(group.map(({ line }) => line)), count: group.length };
	});
}

function whyKept({ output, reason }: RefusedLines): string {
	return output === undefined ? reason : `${reason}: ${output}`;
}

/** How many lines end in these bytes. */
export function lineEnds(bytes: Uint8Array): number {
	let count = 0;
	for (let at = bytes.indexOf(0x0a); at !== -1; at = bytes.indexOf(0x0a, at + 1)) count += 1;
	return count;
}

function reasonOf({ details, message }: PylogError): string {
	const { reason } = details;
	return typeof reason === "string" ? reason : message;
}

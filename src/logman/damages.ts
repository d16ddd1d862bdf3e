/** What of the spool can't be read or written: kept in quarantine, and told in the error log. */

import { PylogError } from "../shared/errors.ts";
import type { Damage } from "../spool/chain-reader.ts";
import type { Quarantine } from "../spool/quarantine.ts";
import type { SpoolReaderEvents } from "../spool/spool-reader.ts";
import type { GarbledWord } from "../spool/word-watch.ts";
import type { RefusedRecord } from "./batch.ts";
import type { ErrorLog } from "./error-log.ts";

/** A batch with more refused outputs than this has one entry in quarantine for all: each entry is two files. */
const maxEntriesAtOnce = 16;
const maxShownBytes = 4096;

export class Damages implements SpoolReaderEvents {
	readonly #quarantine: Quarantine;
	readonly #errors: ErrorLog;

	constructor(quarantine: Quarantine, errors: ErrorLog) {
		this.#quarantine = quarantine;
		this.#errors = errors;
	}

	/** Keeps the lines of records whose output is refused, and tells of each output once, with a count. */
	setAside(records: readonly RefusedRecord[]): void {
		const byOutput = new Map<string, RefusedRecord[]>();
		for (const record of records) {
			const group = byOutput.get(record.output);
			if (group === undefined) byOutput.set(record.output, [record]);
			else group.push(record);
		}
		if (byOutput.size > maxEntriesAtOnce) {
			const lines = records.map(({ output, line }) => Buffer.concat([Buffer.from(`${JSON.stringify(output)} `), line]));
			this.#keep(undefined, Buffer.concat(lines), "they name many outputs that are refused", records.length);
			return;
		}
		for (const [output, group] of byOutput) {
			const lines = Buffer.concat(group.map(({ line }) => line));
			this.#keep(output, lines, (group[0] as RefusedRecord).reason, group.length);
		}
	}

	/**
	 * Keeps lines whose file was refused when it was to be opened, and tells of it.
	 *
	 * @param refusal PYLOG_OUTPUT_REFUSED, as the file sink throws it.
	 */
	refuse(output: string, lines: Uint8Array, refusal: PylogError): void {
		this.#keep(output, lines, reasonOf(refusal), lineEnds(lines));
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

	#keep(output: string | undefined, lines: Uint8Array, reason: string, count: number): void {
		const why = output === undefined ? reason : `${reason}: ${output}`;
		const outcome = this.#quarantine.keepBytes("refused", lines, why);
		if (outcome.kind === "failed") {
			this.#errors.report({
				what: "keep lines in quarantine/ whose file is refused",
				error: outcome.error,
				times: count,
			});
		}
		const first = Buffer.from(lines.subarray(0, maxShownBytes)).toString().split("\n", 1)[0] ?? "";
		this.#tell(output, reason, count, first);
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

	readonly onDamage = ({ path, offset, bytes }: Damage): void => {
		const reason = `bytes from offset ${offset} of ${path} are no valid record`;
		this.#quarantine.keepBytes("segment", bytes, reason);
		this.#errors.report({
			what: "read a segment; the damaged bytes are in quarantine/",
			error: new PylogError("PYLOG_SPOOL_DAMAGED", reason),
		});
	};

	/** Values are told, and do not make another report: whoever writes garbage writes ever new one. */
	readonly onGarbled = ({ word, producer, what, values }: GarbledWord): void => {
		const whose = producer === undefined ? "of the control file" : `in the slot of producer ${producer}`;
		this.#errors.report({
			what: "believe what other processes store; it is believed no further than it can be",
			error: new PylogError(
				"PYLOG_SPOOL_DAMAGED",
				`The word ${word} ${whose} holds what no Pylog writes: ${what}. Another program of this user writes there.`,
			),
			message: values,
		});
	};

	readonly onGap: SpoolReaderEvents["onGap"] = ({ producer, lane, count, sequence }) => {
		this.#errors.report({
			what: "read a lane without a gap",
			error: new PylogError(
				"PYLOG_SPOOL_DAMAGED",
				`${count} records of producer ${producer} are missing in its ${lane} lane before record ${sequence}.`,
			),
		});
	};

	readonly onSuspect = (producer: number): void => {
		this.#errors.report({
			what: "wait for a producer; it is passed over",
			error: new PylogError(
				"PYLOG_SPOOL_DAMAGED",
				`Producer ${producer} shows bounds in its slot that no append stores: it is broken, or hostile.`,
			),
		});
	};
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

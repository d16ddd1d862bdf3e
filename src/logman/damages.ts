/** What of the spool can't be read or written: kept in quarantine, and told in the error log. */

import { PylogError } from "../shared/errors.ts";
import type { Damage } from "../spool/chain-reader.ts";
import type { DamagedSlot } from "../spool/checkpoint-damage.ts";
import type { Quarantine } from "../spool/quarantine.ts";
import type { SpoolReaderEvents } from "../spool/spool-reader.ts";
import type { ErrorLog } from "./error-log.ts";

export class Damages implements SpoolReaderEvents {
	readonly #quarantine: Quarantine;
	readonly #errors: ErrorLog;

	constructor(quarantine: Quarantine, errors: ErrorLog) {
		this.#quarantine = quarantine;
		this.#errors = errors;
	}

	/** Records that name no file that could be written. */
	setAside(records: readonly string[]): void {
		const reason = "its output is no absolute path";
		for (const record of records) this.#quarantine.keepBytes("record", Buffer.from(record), reason);
		this.#errors.report({
			what: "find the file of a record; it is in quarantine/",
			error: new PylogError("PYLOG_SPOOL_DAMAGED", `A record is in quarantine/: ${reason}.`),
		});
	}

	readonly onDamage = ({ path, offset, bytes, what }: Damage): void => {
		const reason = what ?? `bytes from offset ${offset} of ${path} are no valid record`;
		if (bytes.length > 0) this.#quarantine.keepBytes("segment", bytes, reason);
		this.#errors.report({
			what: "read a segment; the damaged bytes are in quarantine/",
			error: new PylogError("PYLOG_SPOOL_DAMAGED", reason),
		});
	};

	readonly onMended = (what: string): void => {
		this.#errors.report({
			what: "trust the control file; it is mended",
			error: new PylogError("PYLOG_SPOOL_DAMAGED", `In the control file ${what}.`),
		});
	};

	/** A control file that nobody could use. */
	onReplacedControl(path: string, problem: string): void {
		this.#errors.report({
			what: "use the control file; it is in quarantine/, and there is a new one",
			error: new PylogError("PYLOG_SPOOL_DAMAGED", `The control file ${path} was damaged: ${problem}.`),
		});
	}

	/** Bytes in a slot of the checkpoint that are none. */
	onCheckpoint(path: string, { offset, bytes }: DamagedSlot): void {
		const reason = `bytes from offset ${offset} of ${path} are no valid checkpoint`;
		this.#quarantine.keepBytes("checkpoint", bytes, reason);
		this.#errors.report({
			what: "read the checkpoint; the damaged bytes are in quarantine/",
			error: new PylogError("PYLOG_SPOOL_DAMAGED", reason),
		});
	}

	/** The newest checkpoint is lost. */
	onLostCheckpoint(path: string): void {
		this.#errors.report({
			what: "go on where the last logman was",
			error: new PylogError(
				"PYLOG_SPOOL_DAMAGED",
				`The newest state of ${path} is lost. The control file tells what was written up to then; a batch that was being written then may come again.`,
			),
		});
	}

	readonly onGap: SpoolReaderEvents["onGap"] = ({ producer, lane, count, sequence }) => {
		this.#errors.report({
			what: "read a lane without a gap",
			error: new PylogError(
				"PYLOG_SPOOL_DAMAGED",
				`${count} records of producer ${producer} are missing in its ${lane} lane before record ${sequence}.`,
			),
		});
	};
}

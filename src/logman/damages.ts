/** What of the spool can't be read or written: kept in quarantine, and told in the error log. */

import { PylogError } from "../shared/errors.ts";
import type { Damage } from "../spool/chain-reader.ts";
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

	readonly onDamage = ({ path, offset, bytes }: Damage): void => {
		const reason = `bytes from offset ${offset} of ${path} are no valid record`;
		this.#quarantine.keepBytes("segment", bytes, reason);
		this.#errors.report({
			what: "read a segment; the damaged bytes are in quarantine/",
			error: new PylogError("PYLOG_SPOOL_DAMAGED", reason),
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

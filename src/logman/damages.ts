/**
 * What of the spool can't be read or written: kept in quarantine, and told in the error log.
 *
 * Invariant: it costs what it takes to keep the bytes, however many places they come from: what is met in one reading is
 * gathered by segment and by lane, and settled before a checkpoint says that reading went on behind it.
 */

import { PylogError } from "../shared/errors.ts";
import type { Damage } from "../spool/chain-reader.ts";
import type { DamagedSlot } from "../spool/checkpoint-damage.ts";
import type { Quarantine } from "../spool/quarantine.ts";
import type { SpoolReaderEvents } from "../spool/spool-reader.ts";
import type { GarbledWord } from "../spool/word-watch.ts";
import type { ErrorLog } from "./error-log.ts";

/** Damaged bytes of one segment. */
interface Pending {
	readonly path: string;
	readonly offset: number;
	readonly what: string | undefined;
	readonly parts: Buffer[];
}

interface Gaps {
	readonly producer: number;
	readonly lane: string;
	places: number;
	count: number;
	sequence: number;
}

/** Damaged bytes that are held in memory at most. */
const mostPendingBytes = 8 * 1024 * 1024;

export class Damages implements SpoolReaderEvents {
	readonly #quarantine: Quarantine;
	readonly #errors: ErrorLog;
	readonly #pending = new Map<string, Pending>();
	readonly #gaps = new Map<string, Gaps>();
	#pendingBytes = 0;

	constructor(quarantine: Quarantine, errors: ErrorLog) {
		this.#quarantine = quarantine;
		this.#errors = errors;
	}

	readonly onDamage = ({ path, offset, bytes, what }: Damage): void => {
		const key = `${path}\n${what ?? ""}`;
		const pending = this.#pending.get(key) ?? { path, offset, what, parts: [] };
		this.#pending.set(key, pending);
		pending.parts.push(bytes);
		this.#pendingBytes += bytes.length;
		if (this.#pendingBytes > mostPendingBytes) this.settle();
	};

	readonly onGap: SpoolReaderEvents["onGap"] = ({ producer, lane, count, sequence }) => {
		const key = `${producer} ${lane}`;
		const gaps = this.#gaps.get(key) ?? { producer, lane, places: 0, count: 0, sequence };
		this.#gaps.set(key, gaps);
		gaps.places += 1;
		gaps.count += count;
		gaps.sequence = sequence;
	};

	/** Keeps and tells what was met since the last time. */
	settle(): void {
		for (const pending of this.#pending.values()) this.#keep(pending);
		for (const gaps of this.#gaps.values()) this.#tellGaps(gaps);
		this.#pending.clear();
		this.#gaps.clear();
		this.#pendingBytes = 0;
	}

	#keep({ path, offset, what, parts }: Pending): void {
		const places = parts.length === 1 ? "" : `, and in ${parts.length - 1} more places,`;
		const reason = what ?? `bytes from offset ${offset} of ${path}${places} are no valid record`;
		const bytes = Buffer.concat(parts);
		if (bytes.length > 0) this.#quarantine.keepBytes("segment", bytes, reason);
		this.#errors.report({
			what: "read a segment; the damaged bytes are in quarantine/",
			error: new PylogError("PYLOG_SPOOL_DAMAGED", reason),
		});
	}

	#tellGaps({ producer, lane, places, count, sequence }: Gaps): void {
		const where =
			places === 1 ? `before record ${sequence}` : `in ${places} places, the last before record ${sequence}`;
		this.#errors.report({
			what: "read a lane without a gap",
			error: new PylogError(
				"PYLOG_SPOOL_DAMAGED",
				`${count} records of producer ${producer} are missing in its ${lane} lane ${where}.`,
			),
		});
	}

	/** Values are told, and do not make another report: whoever writes garbage writes ever new one. */
	readonly onGarbled = ({ word, producer, what, values }: GarbledWord): void => {
		const whose = producer === undefined ? "of the control file" : `in the slot of producer ${producer}`;
		this.#errors.report({
			what: "believe what other processes store; it is believed no further than it can be",
			error: new PylogError(
				"PYLOG_SPOOL_DAMAGED",
				`The word ${word} ${whose} holds what no Pylog writes: ${what}. Another program of this user writes there, or an older copy of the file was put in place.`,
			),
			message: values,
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
			what: "use the control file; there is a new one, which knows only what records and the checkpoint tell",
			error: new PylogError("PYLOG_SPOOL_DAMAGED", `The control file ${path} was ${problem}.`),
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

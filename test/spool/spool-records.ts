/** What tests of the spool append, and how they read it back. */
import { Definition } from "../../src/spool/definition.ts";
import type { Damage } from "../../src/spool/chain-reader.ts";
import type { LoggerDefinition, LogRecord } from "../../src/spool/log-record.ts";
import type { Entry } from "../../src/spool/producer.ts";
import type { SpoolReader, SpoolReaderEvents } from "../../src/spool/spool-reader.ts";

export function loggerDefinition(changes: Partial<LoggerDefinition> = {}): LoggerDefinition {
	return {
		output: "/logs/app.log",
		format: "text",
		logform: "%loglevel% - %time% - %file% | ",
		name: "app",
		hostname: "host-1",
		pid: 4711,
		thread: 0,
		fields: "",
		...changes,
	};
}

export function entryOf(definition: Definition, message: string, changes: Partial<Entry> = {}): Entry {
	const nothing = { level: 30, timeMs: 0, flags: 0, callSite: undefined, fields: "", error: "" };
	return { ...nothing, definition, message, ...changes };
}

export function newDefinition(changes: Partial<LoggerDefinition> = {}): Definition {
	return Definition.ofLogger(loggerDefinition(changes));
}

/** A record with its texts, valid for as long as one likes. */
export interface ReadRecord
	extends Omit<LogRecord, "bytes" | "view" | "messageStart" | "fieldsStart" | "errorStart" | "end"> {
	readonly message: string;
	readonly fields: string;
	readonly error: string;
}

export function copyOf(record: LogRecord): ReadRecord {
	const { bytes, view: _, messageStart, fieldsStart, errorStart, end, ...rest } = record;
	return {
		...rest,
		message: bytes.toString("utf8", messageStart, fieldsStart),
		fields: bytes.toString("utf8", fieldsStart, errorStart),
		error: bytes.toString("utf8", errorStart, end),
	};
}

/** Reads on until the reader says that there is no more. */
export function readOn(reader: SpoolReader): ReadRecord[] {
	const records: ReadRecord[] = [];
	while (
		reader.read((record) => {
			records.push(copyOf(record));
			return "on";
		})
	);
	return records;
}

export const messagesOf = (records: readonly ReadRecord[]): string[] => records.map(({ message }) => message);

/** What a reader tells beside the records. */
export class ReaderNotes implements SpoolReaderEvents {
	readonly damages: Damage[] = [];
	readonly gaps: { producer: number; lane: string; count: number; sequence: number }[] = [];
	readonly onDamage = (damage: Damage): void => void this.damages.push(damage);
	readonly onGap = (gap: { producer: number; lane: string; count: number; sequence: number }): void =>
		void this.gaps.push(gap);
}

/** Numbers that are the same with every run of a test. */
export function repeatableRandom(seed: number): (below: number) => number {
	let state = seed;
	return (below) => {
		state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
		return Math.floor((state / 2 ** 32) * below);
	};
}

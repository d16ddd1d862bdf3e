/** What a logger is to the benchmarks: the calls it can do, and a way to get its last line into the file. */

/** The kinds of call that are compared. */
export const cases = ["message", "made", "fields", "nested", "child", "error", "disabled", "site"] as const;
export type Case = (typeof cases)[number];

export const caseTitles: Readonly<Record<Case, string>> = {
	message: "a message, one of sixteen texts",
	made: "a message that is made for the call",
	fields: "a message and two fields",
	nested: "a message and ten fields, some nested",
	child: "a message by a child logger that has two fields bound",
	error: "a message and an error with its stack",
	disabled: "a message below the level: nothing is logged",
	site: "a message, and the line tells file and line of the call",
};

export interface PeerOptions {
	/** The log file; appended to. */
	readonly path: string;
	/** Queue of Pylog, on the same file system as the log file. A logman runs for it. */
	readonly cacheDir: string;
	/** Whether the lines shall tell the call site. */
	readonly site: boolean;
	/** Whether Pylog starts a logman where none runs. @default false */
	readonly startsLogman?: boolean;
}

/** Logs once; the number goes into the fields and picks the message. */
export type Call = (index: number) => void;

export interface Peer {
	/** The calls it can do. What is missing, it has no way to do. */
	readonly calls: Readonly<Partial<Record<Case, Call>>>;
	/** Asks for what it still holds back to be written, and resolves when it says that it is. */
	finish(): Promise<void>;
}

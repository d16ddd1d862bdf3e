/**
 * Every flag of every command, once: parser and help are made from this table.
 *
 * A value that `parse` answers with `undefined` is wrong; `takes` says what would be right.
 */

import { levelNames } from "../shared/level-names.ts";

/** The flags as a command gets them. A flag that was not given and has no default is left out. */
export interface Flags {
	readonly cacheDir?: string;
	readonly json?: true;
	readonly detach?: true;
	readonly wait?: true;
	readonly root?: readonly string[];
	readonly sync?: "interval" | "batch" | "never";
	readonly syncInterval?: number;
	readonly idleExit?: number;
	readonly maxParkedBytes?: number;
	/** Seconds. */
	readonly timeout?: number;
	readonly to?: string;
	readonly level?: string;
	readonly priority?: true;
	readonly exception?: string;
	readonly time?: string;
	readonly eachLine?: true;
}

/** One flag. Its name on the command line is its key, with hyphens. */
export interface FlagSpec {
	readonly help: string;
	/** The name of its value in the help; without one the flag takes none. */
	readonly value?: string;
	readonly takes?: string;
	readonly parse?: (text: string) => string | number | undefined;
	readonly default?: string | number;
	readonly isRequired?: true;
	/** Given several times, it has all values, as an array. */
	readonly isRepeatable?: true;
}

const maxIntervalMs = 3_600_000;
const minParkedBytes = 1_048_576;
const maxTimeoutSeconds = 86_400;
const syncModes: readonly string[] = ["interval", "batch", "never"];
const levels: readonly string[] = [...levelNames, "warn"];

export const flagTable: Readonly<Record<keyof Flags, FlagSpec>> = {
	cacheDir: {
		value: "DIR",
		help: "the cache directory; else PYLOG_CACHE_DIR, else pylog in the user's XDG state directory",
		takes: "the path of a directory",
		parse: notEmpty,
	},
	json: { help: "print JSON with stable keys" },
	detach: { help: "start it in the background, wait until it is ready, and print its process number" },
	wait: { help: "wait for another logman to leave instead of failing" },
	root: {
		value: "DIR",
		help: "write only to files below this directory, lines for others go to quarantine/; repeatable",
		takes: "the path of a directory",
		parse: notEmpty,
		isRepeatable: true,
	},
	sync: {
		value: "WHEN",
		help: "when lines are brought to the disk: interval, batch (after each one) or never (the kernel decides)",
		takes: syncModes.join(", "),
		parse: oneOf(syncModes),
		default: "interval",
	},
	syncInterval: {
		value: "MS",
		help: "how often with --sync interval, in milliseconds",
		takes: `a whole number from 1 to ${maxIntervalMs}`,
		parse: wholeNumber(1, maxIntervalMs),
		default: 500,
	},
	idleExit: {
		value: "MS",
		help: "leave after so many milliseconds without any process that logs and with nothing to write",
		takes: `a whole number from 0 to ${maxIntervalMs}`,
		parse: wholeNumber(0, maxIntervalMs),
	},
	maxParkedBytes: {
		value: "BYTES",
		help: "disk that lines may take which wait for files that can't be written; what finds no room is dropped and counted",
		takes: `a whole number, ${minParkedBytes} or more`,
		parse: wholeNumber(minParkedBytes, Number.MAX_SAFE_INTEGER),
		default: 1_073_741_824,
	},
	timeout: {
		value: "SECONDS",
		help: "give up waiting after so many seconds",
		takes: `a number above 0, at most ${maxTimeoutSeconds}`,
		parse: seconds,
		default: 60,
	},
	to: { value: "FILE", help: "the log file", takes: "the path of a file", parse: notEmpty, isRequired: true },
	level: {
		value: "LEVEL",
		help: "print level and time in front of the message; without it the line is the message",
		takes: levels.join(", "),
		parse: (text) => oneOf(levels)(text.toLowerCase()),
	},
	priority: { help: "write it before everything that waits in the normal lane" },
	exception: { value: "TEXT", help: "the text of an error, printed below the line" },
	time: { value: "TIME", help: "ISO 8601, or milliseconds since 1970; else now" },
	eachLine: { help: "take every line of stdin as a message of its own" },
};

function notEmpty(text: string): string | undefined {
	return text === "" || text.includes("\0") ? undefined : text;
}

function oneOf(names: readonly string[]): (text: string) => string | undefined {
	return (text) => (names.includes(text) ? text : undefined);
}

function wholeNumber(least: number, most: number): (text: string) => number | undefined {
	return (text) => {
		const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
		return value >= least && value <= most ? value : undefined;
	};
}

function seconds(text: string): number | undefined {
	const value = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
	return value > 0 && value <= maxTimeoutSeconds ? value : undefined;
}

/** Every command, once: parser and help are made from this table. A command's own file is loaded only when it runs. */

import type { ExitCode } from "./exit-code.ts";
import type { Flags } from "./flag-table.ts";

/** Does what a command is for. `operands` are the arguments that are no flags. */
export type RunCommand = (flags: Flags, operands: readonly string[]) => Promise<ExitCode>;

export interface CommandSpec {
	readonly name: string;
	readonly summary: string;
	/** What there is to know beside the flags, as paragraphs. */
	readonly about: readonly string[];
	readonly operand?: { readonly name: string; readonly help: string };
	readonly flags: readonly (keyof Flags)[];
	/** Command lines with what they are for. */
	readonly examples: readonly (readonly [line: string, what: string])[];
	readonly load: () => Promise<RunCommand>;
}

const common: readonly (keyof Flags)[] = ["cacheDir", "json"];

export const commandTable: readonly CommandSpec[] = [
	{
		name: "start",
		summary: "run the logman, which writes what all processes log",
		about: [
			"Runs until SIGTERM or SIGINT; then it writes all that was logged before and leaves. A second signal makes it leave at once: what is not written yet stays in the spool.",
		],
		flags: ["detach", "wait", "root", "sync", "syncInterval", "idleExit", "maxParkedBytes", ...common],
		examples: [
			["pylog start", "in the foreground, as under a service manager"],
			["pylog start --detach", "in the background"],
			["pylog start --wait", "take over when another logman leaves"],
			["pylog start --root /var/log/app", "and write nowhere else, whatever a record asks for"],
		],
		load: async () => (await import("./start.ts")).start,
	},
	{
		name: "stop",
		summary: "make the logman write all that was logged, and leave",
		about: ["Works over container borders: no process number is involved."],
		flags: ["timeout", ...common],
		examples: [["pylog stop --timeout 10", "and fail when it needs longer than that"]],
		load: async () => (await import("./stop.ts")).stop,
	},
	{
		name: "status",
		summary: "tell what runs, what waits and what is wrong",
		about: ["Reads only. Exits with 3 when no logman runs, and prints all the same."],
		flags: common,
		examples: [
			["pylog status", ""],
			["pylog status --json | jq .waiting", "records whose lines are not in their files"],
		],
		load: async () => (await import("./status.ts")).status,
	},
	{
		name: "drain",
		summary: "wait until all that was logged up to now is in its file and on disk",
		about: [
			"Where no logman runs it writes what waits itself, and leaves. Prints how many records waited. A logman that runs keeps to its own roots.",
		],
		flags: ["timeout", "root", ...common],
		examples: [["pylog drain && logrotate app.conf", "with all lines in the file"]],
		load: async () => (await import("./drain.ts")).drain,
	},
	{
		name: "verify",
		summary: "check every byte of the spool",
		about: [
			"Reads only, also while processes log. Exits with 1 when there is a problem, and names each with its remedy.",
		],
		flags: common,
		examples: [["pylog verify --json | jq '.problems[].path'", "the files that have one"]],
		load: async () => (await import("./verify.ts")).verify,
	},
	{
		name: "send",
		summary: "log a message from a shell",
		about: [
			"The message goes to the inbox, from where the logman takes it; without a running logman it waits there. Without MESSAGE, or with -, it is read from stdin as a whole.",
		],
		operand: { name: "MESSAGE", help: "the message, words joined by blanks; - reads stdin" },
		flags: ["to", "level", "priority", "exception", "time", "eachLine", ...common],
		examples: [
			["pylog send --to app.log --level info backup done", "a line with level and time"],
			["make 2>&1 | pylog send --to build.log --each-line", "every line as it comes"],
			["pylog send --to app.log -- --not-a-flag", "a message that begins with a hyphen"],
		],
		load: async () => (await import("./send.ts")).send,
	},
];

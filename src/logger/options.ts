/**
 * The options of `pylog()`: their documentation, their defaults, and the one place where they are checked.
 *
 * Invariant: whatever is given, either every option is right, or one error names each that is not, what it got and what
 * it takes.
 */

import { hostname } from "node:os";
import { resolve } from "node:path";
import * as v from "valibot";
import { defaultFilename, expandFilename } from "../line/filename.ts";
import type { LevelName, Threshold } from "../line/level.ts";
import { compileLogform, defaultLogform } from "../line/logform.ts";
import { PylogError } from "../shared/errors.ts";
import { localOffsetMinutes } from "../shared/local-offset.ts";
import { resolveCacheDir } from "../spool/cache-dir.ts";
import type { Format } from "../spool/log-record.ts";
import { defaultMaxSpoolBytes } from "../spool/producer.ts";
import { throwsMark } from "./json-text.ts";
import { OptionProblems, shownValue } from "./option-problems.ts";
import { type OptionName, optionRules, type OptionRule, type ResolvedLoggerOptions } from "./option-rules.ts";

export type { ResolvedLoggerOptions } from "./option-rules.ts";

/** What `pylog()` takes. All are checked when the logger is made. */
export interface LoggerOptions {
	/**
	 * File the lines go to; relative to the working directory. May hold `%TIMENOW%` or `%date%` (the local date when the
	 * logger is made), `%pid%`, `%hostname%`, `%name%`, and `%%`.
	 * @default "logs/%TIMENOW%.log"
	 */
	readonly filename?: string;
	/**
	 * Template of a text line's prefix: `%loglevel% %time% %file% %date% %pid% %hostname% %name% %queue%`, and `%%`.
	 * @default "%loglevel% - %time% - %file% | "
	 */
	readonly logform?: string;
	/** Lines of text, or JSON lines. @default "text" */
	readonly format?: Format;
	/** The lowest level that is logged, in any case. @default environment variable `PYLOG_LEVEL`, else "trace" */
	readonly level?: Threshold;
	/** Levels whose lines are written before the others that wait. @default ["debug"] */
	readonly priority?: readonly (LevelName | "warn")[];
	/** Directory of the queue. @default environment variable `PYLOG_CACHE_DIR`, else `pylog` in the XDG state directory */
	readonly cacheDir?: string;
	/** Whether a logger starts a logman where none runs, or leaves that to the user. @default "auto" */
	readonly logman?: "auto" | "external";
	/** Name of the logger, for `%name%` and the key `name`. At most 255 characters. @default "" */
	readonly name?: string;
	/** Fields that all lines of the logger have. @default {} */
	readonly fields?: object;
	/**
	 * Whether the file and line of each call are looked up, which costs about 2 µs a call.
	 * @default whether the logform has `%file%`; true with `format: "json"`
	 */
	readonly callSite?: boolean;
	/** Frames between a logging method and the place to report: 1 for a function that wraps it. 0 to 32. @default 0 */
	readonly callerSkip?: number;
	/** What happens to a record that finds the spool full: it is dropped, counted, and a line says so. @default "drop-new" */
	readonly onFull?: "drop-new";
	/** Disk space all records that wait may take together, in bytes. At least 262,144. @default 1073741824 (1 GiB) */
	readonly maxSpoolBytes?: number;
}

type CheckedOptions = { readonly [Name in OptionName]?: ResolvedLoggerOptions[Name] };

const optionNames = Object.keys(optionRules) as OptionName[];

/**
 * Checks and completes the options of `pylog()`. Reads the environment and the working directory.
 *
 * @throws PylogError PYLOG_OPTION_INVALID, or PYLOG_PLACEHOLDER_UNKNOWN if that is the only problem
 */
export function validateOptions(raw: unknown): ResolvedLoggerOptions {
	const problems = new OptionProblems("pylog()");
	const given = checkOptions(readOptions(raw, problems), problems);
	const { name = "", format = "text" } = given;
	const logform = given.logform ?? defaultLogform;
	const usesFile = attempt("logform", problems, () => compileLogform(logform).uses.file) ?? false;
	const filename = attempt("filename", problems, () => absoluteFilename(given.filename ?? defaultFilename, name));
	const cacheDir = attempt("cacheDir", problems, () => resolveCacheDir(given.cacheDir));
	const level = given.level ?? levelFromEnvironment(problems);
	problems.throwIfAny();
	return {
		filename: filename ?? "",
		logform,
		format,
		level,
		priority: [...new Set<LevelName>(given.priority ?? ["debug"])],
		cacheDir: cacheDir ?? "",
		logman: given.logman ?? "auto",
		name,
		fields: given.fields ?? {},
		callSite: given.callSite ?? (format === "json" || usesFile),
		callerSkip: given.callerSkip ?? 0,
		onFull: given.onFull ?? "drop-new",
		maxSpoolBytes: given.maxSpoolBytes ?? defaultMaxSpoolBytes,
	};
}

/** A level in its one spelling: `WARN` is `warning`. @throws PylogError PYLOG_OPTION_INVALID */
export function validateLevel(raw: unknown): LevelName | "silent" {
	const problems = new OptionProblems("pylog");
	const level = check("level", "level", raw, optionRules.level, problems);
	problems.throwIfAny();
	return level ?? "silent";
}

/** The options that are there, each read once. */
function readOptions(raw: unknown, problems: OptionProblems): ReadonlyMap<string, unknown> {
	const given = new Map<string, unknown>();
	if (raw === undefined) return given;
	if (typeof raw !== "object" || raw === null || isList(raw)) {
		problems.add("options", `got ${shownValue(raw)}; it takes an object of options.`);
		return given;
	}
	try {
		for (const name in raw) given.set(name, (raw as Readonly<Record<string, unknown>>)[name]);
	} catch (thrown) {
		problems.add("options", `the options can't be read: ${throwsMark(thrown)}`);
	}
	return given;
}

function checkOptions(given: ReadonlyMap<string, unknown>, problems: OptionProblems): CheckedOptions {
	const checked: Record<string, unknown> = {};
	for (const [name, value] of given) {
		if (!isOptionName(name)) problems.addUnknownName(name, optionNames);
		else if (value !== undefined)
			checked[name] = check<unknown>(name, `option "${name}"`, value, optionRules[name], problems);
	}
	return checked;
}

function isOptionName(name: string): name is OptionName {
	return Object.hasOwn(optionRules, name);
}

function check<Output>(
	option: string,
	subject: string,
	value: unknown,
	{ schema, takes, known }: OptionRule<Output>,
	problems: OptionProblems,
): Output | undefined {
	try {
		const result = v.safeParse(schema, value);
		if (result.success) return result.output;
	} catch {
		// A value that can't even be looked at is as wrong as any other.
	}
	problems.addWrongValue(option, subject, value, takes, known);
	return undefined;
}

/** What `work` gives; what it throws becomes a problem of `option`. */
function attempt<Result>(option: OptionName, problems: OptionProblems, work: () => Result): Result | undefined {
	try {
		return work();
	} catch (error) {
		if (error instanceof PylogError) problems.addCause(option, error);
		else problems.add(option, `option "${option}" must be given, for its default can't be found: ${throwsMark(error)}`);
		return undefined;
	}
}

function absoluteFilename(template: string, name: string): string {
	const now = Date.now();
	const utcOffsetMinutes = localOffsetMinutes(now);
	return resolve(expandFilename(template, { now, utcOffsetMinutes, pid: process.pid, hostname: hostname(), name }));
}

function levelFromEnvironment(problems: OptionProblems): LevelName | "silent" {
	const text = process.env["PYLOG_LEVEL"];
	if (text === undefined || text === "") return "trace";
	return check("level", "environment variable PYLOG_LEVEL", text, optionRules.level, problems) ?? "trace";
}

function isList(value: object): boolean {
	try {
		return Array.isArray(value);
	} catch {
		return false;
	}
}

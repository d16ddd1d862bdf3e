/**
 * The options of `pylog()`: their documentation, their defaults, and the one place where they are checked.
 *
 * Invariant: whatever is given, either every option is right, or one error names each that is not, what it got and what
 * it takes.
 */

import { hostname } from "node:os";
import { resolve } from "node:path";
import { defaultFilename, expandFilename } from "../line/filename.ts";
import type { LevelName, Threshold } from "../line/level.ts";
import { compileLogform, defaultLogform } from "../line/logform.ts";
import { PylogError } from "../shared/errors.ts";
import { environmentVariable } from "../shared/environment.ts";
import { localOffsetMinutes } from "../shared/local-offset.ts";
import { OptionProblems } from "../shared/option-problems.ts";
import { resolveCacheDir } from "../spool/cache-dir.ts";
import { dropNew, type FullPolicy } from "../spool/full-policy.ts";
import type { Format } from "../spool/log-record.ts";
import { defaultMaxSpoolBytes } from "../spool/producer.ts";
import { throwsMark } from "./json-text.ts";
import { type OptionName, optionRules, type ResolvedLoggerOptions } from "./option-rules.ts";

export type { ResolvedLoggerOptions } from "./option-rules.ts";

/** The loggers of a thread share a spool, but each may have its own. */
export type FullPolicyOption = FullPolicy["policy"] | { readonly policy: "drop-new" } | BlockOption | DropLowestOption;

/**
 * Each call that finds no room waits until there is some, `deadlineMs` at most; it sleeps meanwhile, and nothing else of its
 * thread runs, timers and signal handlers neither. It does not wait at all for a lane that is closed, a record larger than the
 * whole spool, and a cache directory that was removed; and once the process ends, all calls together wait for a second at most.
 * With `logman: "auto"` it starts a logman where none runs, which may add some milliseconds. A thread that runs `logman()`
 * itself must not log so: nobody would make room.
 */
export interface BlockOption {
	readonly policy: "block";
	/** Milliseconds, 1 to 600,000. @default 1000 */
	readonly deadlineMs?: number | undefined;
}

export interface DropLowestOption {
	readonly policy: "drop-lowest";
	/** Records of lower levels are dropped first. @default "warning" */
	readonly below?: LevelName | "warn" | undefined;
	/**
	 * The part of the room from which on they are: of `maxSpoolBytes`, or of what the disk has for the spool when that is
	 * less. 0.05 to 0.95. @default 0.8
	 */
	readonly share?: number | undefined;
}

/** What `pylog()` takes. All are checked when the logger is made. */
export interface LoggerOptions {
	/**
	 * File the lines go to; relative to the working directory. May hold `%TIMENOW%` or `%date%` (the local date when the
	 * logger is made), `%pid%`, `%hostname%`, `%name%`, and `%%`.
	 * @default "logs/%TIMENOW%.log"
	 */
	readonly filename?: string | undefined;
	/**
	 * Template of a text line's prefix: `%loglevel% %time% %file% %date% %pid% %hostname% %name% %queue%`, and `%%`.
	 * @default "%loglevel% - %time% - %file% | "
	 */
	readonly logform?: string | undefined;
	/** Lines of text, or JSON lines. @default "text" */
	readonly format?: Format | undefined;
	/** The lowest level that is logged, in any case. @default environment variable `PYLOG_LEVEL`, else "trace" */
	readonly level?: Threshold | undefined;
	/** Levels whose lines are written before the others that wait. @default ["debug"] */
	readonly priority?: readonly (LevelName | "warn")[] | undefined;
	/** Directory of the queue. @default environment variable `PYLOG_CACHE_DIR`, else `pylog` in the XDG state directory */
	readonly cacheDir?: string | undefined;
	/** Whether a logger starts a logman where none runs, or leaves that to the user. @default "auto" */
	readonly logman?: "auto" | "external" | undefined;
	/** Name of the logger, for `%name%` and the key `name`. At most 255 characters. @default "" */
	readonly name?: string | undefined;
	/** Fields that all lines of the logger have. @default {} */
	readonly fields?: object | undefined;
	/**
	 * Whether the file and line of each call are looked up, which costs about 2 µs a call.
	 * @default whether the logform has `%file%`; true with `format: "json"`
	 */
	readonly callSite?: boolean | undefined;
	/** Frames between a logging method and the place to report: 1 for a function that wraps it. 0 to 32. @default 0 */
	readonly callerSkip?: number | undefined;
	/**
	 * What happens to a record that finds the spool full. Whatever is dropped is counted, and a line tells where it is missing.
	 *
	 * - `"drop-new"`: it is dropped. The call never waits.
	 * - `"block"`: the call waits for room, a second at most or up to `deadlineMs`; only then it is dropped.
	 * - `"drop-lowest"`: what is below `"warning"` is dropped once 80 % of the room is taken, so that the rest is left for
	 *   what matters; what finds no room at all is dropped as well. The call never waits.
	 * @default "drop-new"
	 */
	readonly onFull?: FullPolicyOption | undefined;
	/** Disk space all records that wait may take together, in bytes. At least 262,144. @default 1073741824 (1 GiB) */
	readonly maxSpoolBytes?: number | undefined;
}

/**
 * Checks and completes the options of `pylog()`. Reads the environment and the working directory.
 *
 * @throws PylogError PYLOG_OPTION_INVALID, or PYLOG_PLACEHOLDER_UNKNOWN if that is the only problem
 */
export function validateOptions(raw: unknown): ResolvedLoggerOptions {
	const problems = new OptionProblems("pylog()");
	const given = problems.checkAll<ResolvedLoggerOptions>(problems.read(raw), optionRules);
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
		onFull: given.onFull ?? dropNew,
		maxSpoolBytes: given.maxSpoolBytes ?? defaultMaxSpoolBytes,
	};
}

/** A level in its one spelling: `WARN` is `warning`. @throws PylogError PYLOG_OPTION_INVALID */
export function validateLevel(raw: unknown): LevelName | "silent" {
	const problems = new OptionProblems("pylog");
	const level = problems.check("level", "level", raw, optionRules.level);
	problems.throwIfAny();
	return level ?? "silent";
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
	const text = environmentVariable("PYLOG_LEVEL");
	if (text === undefined) return "trace";
	return problems.check("level", "environment variable PYLOG_LEVEL", text, optionRules.level) ?? "trace";
}

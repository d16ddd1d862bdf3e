/**
 * The logger: what an application calls. It decides whether a call counts, takes the arguments apart and appends the
 * record; nothing else. Rendering, writing and waiting for disks are the logman's.
 *
 * Invariants: no logging method throws or waits for a disk, a pipe or a socket (with `onFull: "block"` it waits for room in
 * the spool, up to its deadline); on return the record survives the death of this process. Loggers of a thread share one
 * producer per cache directory.
 */

import { hostname } from "node:os";
import { levelName, levelNumber, levels, type LevelName, type Threshold } from "../line/level.ts";
import { type CompiledLogform, compileLogform, renderPrefix } from "../line/logform.ts";
import { threadId } from "../platform/thread.ts";
import { type LaneIndex, laneIndex } from "../shared/lane.ts";
import { localOffsetMinutes } from "../shared/local-offset.ts";
import { Definition } from "../spool/definition.ts";
import { type Draft, giveBackDraft, takeDraft } from "../spool/draft.ts";
import { recordFlags } from "../spool/log-record.ts";
import { isPlainFields, parseArguments } from "./arguments.ts";
import { callSite } from "./call-site.ts";
import { errorMessage, writeError } from "./error-record.ts";
import { type BoundFields, bindFields, writeFields } from "./fields.ts";
import { flushLines } from "./flush.ts";
import { type LoggerOptions, type ResolvedLoggerOptions, validateLevel, validateOptions } from "./options.ts";
import { SharedProducer } from "./shared-producer.ts";

/** How a level's method may be called; no argument is ever dropped. */
export interface LogMethod {
	/** A message, with fields, an error, or printf values for `%s %d %j …`. */
	(message: string, ...rest: readonly unknown[]): void;
	/** An error: its message is the line's, unless another one follows. */
	(error: Error, ...rest: readonly unknown[]): void;
	/** pino's order: fields first. `{ err: error }` is the line's error. */
	(fields: object, message?: string, ...rest: readonly unknown[]): void;
	/** Anything else is logged as its text. */
	(value: unknown, ...rest: readonly unknown[]): void;
}

export interface QueueInOptions {
	/** Whether the line goes before what waits in the normal lane. @default false */
	readonly priority?: boolean;
}

export interface FlushOptions {
	/** Ends the waiting; `flush` rejects with its reason then. The lines are safe in the spool. @default waits on */
	readonly signal?: AbortSignal;
}

/** What all loggers that descend from one `pylog()` have in common. */
interface Family {
	readonly options: ResolvedLoggerOptions;
	readonly logform: CompiledLogform;
	readonly shared: SharedProducer;
	/** Lane of each level, by its number: an array, because every call looks into it. */
	readonly lanes: Uint8Array;
	/** Once it is being closed: the one closing that all wait for. */
	closing: Promise<void> | undefined;
	hasWarned: boolean;
}

/** How long closing waits for lines to be written. */
const closeWaitMs = 5000;

/** A logger; `pylog(options)` makes one. Its methods can be passed on without `this`. */
export class Pylog {
	readonly trace: LogMethod = this.#method(levels.trace);
	readonly debug: LogMethod = this.#method(levels.debug);
	readonly info: LogMethod = this.#method(levels.info);
	readonly warning: LogMethod = this.#method(levels.warning);
	/** The same as `warning`. */
	readonly warn: LogMethod = this.warning;
	readonly error: LogMethod = this.#method(levels.error);
	readonly fatal: LogMethod = this.#method(levels.fatal);
	/** The prefix as a line of that level logged here would have it now; `%queue%` has no value yet. */
	readonly parseLogform: (level: LevelName | "warn" | Uppercase<LevelName | "warn">) => string = this.#prefixMaker();
	readonly #family: Family;
	readonly #bound: BoundFields | undefined;
	readonly #definition: Definition;
	#threshold: number;

	/**
	 * Makes a logger: opens the spool, and starts a logman if none runs (`logman: "auto"`). Blocks for some file system
	 * calls.
	 *
	 * @throws PylogError PYLOG_OPTION_INVALID, PYLOG_PLACEHOLDER_UNKNOWN, and whatever opening the spool says.
	 */
	constructor(options: LoggerOptions = {}) {
		const inherited = inheritance.get(options);
		this.#family = inherited?.family ?? found(validateOptions(options));
		const { fields, level } = this.#family.options;
		this.#bound =
			inherited === undefined ? bindFields(undefined, fields, this.#family.options.format) : inherited.bound;
		this.#threshold = inherited?.threshold ?? levelNumber(level);
		this.#definition = define(this.#family, this.#bound);
	}

	/** The lowest level that is logged. Setting it concerns this logger and children made later. */
	get level(): LevelName | "silent" {
		return Number.isFinite(this.#threshold) ? (levelName(this.#threshold) as LevelName) : "silent";
	}

	set level(level: Threshold) {
		this.#threshold = levelNumber(validateLevel(level));
	}

	/** Whether a call at `level` would be logged. */
	isLevelEnabled(level: LevelName | "warn"): boolean {
		return levelNumber(validateLevel(level)) >= this.#threshold;
	}

	/** A logger whose lines all have these fields besides those of this one. Cheap; needs no `close` of its own. */
	child(fields: object): Pylog {
		const options: LoggerOptions = {};
		const bound = bindFields(this.#bound, fields, this.#family.options.format);
		inheritance.set(options, { family: this.#family, bound, threshold: this.#threshold });
		return new Pylog(options);
	}

	/**
	 * Logs a finished line: no prefix, no fields, whatever the format and level. One newline at its end is taken off;
	 * others in it are escaped, so that it stays one line.
	 */
	queueIn(line: unknown, options: QueueInOptions = {}): void {
		try {
			const lane = options.priority === true ? laneIndex.priority : laneIndex.normal;
			const message = String(line).replace(/\r?\n$/, "");
			const draft = takeDraft();
			try {
				draft.message(message);
				draft.flags |= recordFlags.finished;
				draft.callSite = undefined;
				this.#append(lane, levels.info, draft);
			} finally {
				giveBackDraft(draft);
			}
		} catch (error) {
			tryToWarn(this.#family, error);
		}
	}

	/**
	 * Resolves when everything logged so far by this thread is in its file and on disk.
	 *
	 * @throws PylogError PYLOG_NO_LOGMAN when none runs (with `logman: "external"`) or comes up, PYLOG_OUTPUT_PARKED when
	 *   this logger's file can't be written: the lines are safe in the spool in both cases. PYLOG_SPOOL_FULL when records
	 *   of this thread were dropped since the last flush, PYLOG_SPOOL_GONE when the cache directory was removed.
	 */
	flush(options: FlushOptions = {}): Promise<void> {
		return flushLines(this.#family.shared, this.#family.options.filename, options.signal);
	}

	/**
	 * Waits for everything logged so far to be written, as {@link Pylog.flush}, and leaves the spool. Where nobody writes
	 * now, or not within five seconds, the lines wait in the spool: closing never fails for that. Closes parent and
	 * children alike. Idempotent.
	 */
	close(): Promise<void> {
		this.#family.closing ??= this.#close();
		return this.#family.closing;
	}

	async #close(): Promise<void> {
		const family = this.#family;
		try {
			await flushLines(family.shared, family.options.filename, AbortSignal.timeout(closeWaitMs));
		} catch {
			// What flush() would tell; nothing is lost by it.
		}
		family.shared.release();
	}

	[Symbol.asyncDispose](): Promise<void> {
		return this.close();
	}

	#prefixMaker(): Pylog["parseLogform"] {
		const parseLogform: Pylog["parseLogform"] = (level) => {
			const { logform, options } = this.#family;
			const timeMs = Date.now();
			return renderPrefix(logform, {
				loglevel: levelName(levelNumber(validateLevel(level))).toUpperCase(),
				timeMs,
				utcOffsetMinutes: localOffsetMinutes(timeMs),
				callSite: logform.uses.file ? callSite(parseLogform, options.callerSkip) : "",
				pid: process.pid,
				hostname: hostname(),
				name: options.name,
				queue: undefined,
			});
		};
		return parseLogform;
	}

	#method(level: number): LogMethod {
		const method = (first: unknown, ...rest: readonly unknown[]): void => {
			if (level < this.#threshold) return;
			try {
				const draft = takeDraft();
				try {
					if (typeof first !== "string" || rest.length > 0) this.#writeArguments(draft, first, rest);
					else draft.message(first);
					const { options, lanes } = this.#family;
					// Here and not further down: each frame in between costs a tenth more.
					draft.callSite = options.callSite ? callSiteDefinition(callSite(method, options.callerSkip)) : undefined;
					this.#append(lanes[level] as LaneIndex, level, draft);
				} finally {
					giveBackDraft(draft);
				}
			} catch (error) {
				tryToWarn(this.#family, error);
			}
		};
		return method;
	}

	#writeArguments(draft: Draft, first: unknown, rest: readonly unknown[]): void {
		const only = rest[0];
		if (typeof first === "string" && rest.length === 1 && isPlainFields(only)) {
			// The usual call, without the lists of what may be left over.
			draft.message(first);
			if (!draft.hasPercent(first)) {
				const error = writeFields(draft, only, this.#bound, this.#family.options.format, false);
				if (error !== undefined) this.#writeErrorOfFields(draft, first, error);
				return;
			}
		}
		const parsed = parseArguments(first, rest);
		const { error, hasError } = parsed;
		draft.message(parsed.message === "" && hasError ? errorMessage(error) : parsed.message);
		if (parsed.fields !== undefined) {
			const inFields = writeFields(draft, parsed.fields, this.#bound, this.#family.options.format, hasError);
			if (inFields !== undefined) {
				this.#writeErrorOfFields(draft, parsed.message, inFields);
				return;
			}
		}
		if (hasError) writeError(draft, error);
	}

	/** `{ err }` without a message: the error's own, as for an error alone. */
	#writeErrorOfFields(draft: Draft, message: string, error: object): void {
		if (message === "") draft.insertMessage(errorMessage(error));
		writeError(draft, error);
	}

	/** The common end of all calls. */
	#append(lane: LaneIndex, level: number, draft: Draft): void {
		const { options, shared } = this.#family;
		draft.level = level;
		draft.definition = this.#definition;
		shared.append(lane, draft, options.onFull);
	}
}

/** Makes a logger. See {@link Pylog} and {@link LoggerOptions}. */
export function pylog(options: LoggerOptions = {}): Pylog {
	return new Pylog(options);
}

/** What a child takes over, handed to its constructor behind the options' back. */
interface Inheritance {
	readonly family: Family;
	readonly bound: BoundFields;
	readonly threshold: number;
}

const inheritance = new WeakMap<LoggerOptions, Inheritance>();

function found(options: ResolvedLoggerOptions): Family {
	const lanes = new Uint8Array(levels.fatal + 1).fill(laneIndex.normal);
	for (const name of options.priority) lanes[levels[name]] = laneIndex.priority;
	return {
		options,
		logform: compileLogform(options.logform),
		shared: SharedProducer.acquire(options),
		lanes,
		closing: undefined,
		hasWarned: false,
	};
}

function define({ options }: Family, bound: BoundFields | undefined): Definition {
	return Definition.ofLogger({
		output: options.filename,
		format: options.format,
		logform: options.format === "text" ? options.logform : "",
		name: options.name,
		hostname: hostname(),
		pid: process.pid,
		thread: threadId,
		fields: bound?.members ?? "",
	});
}

/** A logging call never throws: what goes wrong although it can't is told once, if there is stack left to tell it. */
function tryToWarn(family: Family, error: unknown): void {
	try {
		if (family.hasWarned) return;
		const text = error instanceof Error ? error.message : "an error that is none";
		process.emitWarning(`A record was not taken: ${text}`, "PylogWarning");
		family.hasWarned = true;
	} catch {
		// The next one may be told.
	}
}

const maxCallSites = 10_000;
const callSites = new Map<string, Definition>();

function callSiteDefinition(text: string): Definition | undefined {
	if (text === "") return undefined;
	let definition = callSites.get(text);
	if (definition === undefined) {
		if (callSites.size >= maxCallSites) callSites.clear();
		definition = Definition.ofCallSite(text);
		callSites.set(text, definition);
	}
	return definition;
}

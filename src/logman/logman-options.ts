/** What the logman can be told, checked once. */

import {
	cacheDirRule,
	idleExitRule,
	maxParkedRule,
	rootsRule,
	syncIntervalRule,
	type SyncMode,
	syncRule,
} from "../launch/logman-rules.ts";
import { OptionProblems } from "../shared/option-problems.ts";
import { rule, yesOrNo } from "../shared/option-rule.ts";
import { resolveCacheDir } from "../spool/cache-dir.ts";

const defaultMaxParkedBytes: number = 1024 * 1024 * 1024;

export interface LogmanOptions {
	/** Directory of the queue. @default `PYLOG_CACHE_DIR`, else `pylog` in the user's XDG state directory */
	readonly cacheDir?: string | undefined;
	/** Aborting it makes the logman drain and leave. */
	readonly signal?: AbortSignal | undefined;
	/**
	 * Write only to files below these directories: no link on the way, no file with a second name. Lines for others go to
	 * `quarantine/`. @default any file
	 */
	readonly roots?: readonly string[] | undefined;
	/** When files are brought to the disk. `flush()` always is at once. @default "interval" */
	readonly sync?: SyncMode | undefined;
	/** Milliseconds, from 1 to 3,600,000. @default 500 */
	readonly syncIntervalMs?: number | undefined;
	/** Leave after so many milliseconds without producers and with an empty queue. @default never */
	readonly idleExitMs?: number | undefined;
	/** Wait for another logman to leave instead of failing. @default false */
	readonly wait?: boolean | undefined;
	/** Bytes that lines may take that wait for outputs which can't be written. At least 1,048,576. @default 1073741824 (1 GiB) */
	readonly maxParkedBytes?: number | undefined;
	/** Called once the lease is held. */
	readonly onReady?: (() => void) | undefined;
	/**
	 * Called when all is done but for writes to files that do not answer. The lease is kept until they do, lest another
	 * logman writes the same; to end the process frees it as well. @default nothing is called
	 */
	readonly onStuck?: (() => void) | undefined;
}

export interface ResolvedLogmanOptions {
	readonly cacheDir: string;
	readonly signal: AbortSignal;
	/** Absolute paths; `undefined` for no limit. */
	readonly roots: readonly string[] | undefined;
	readonly sync: SyncMode;
	readonly syncIntervalMs: number;
	readonly idleExitMs: number | undefined;
	readonly wait: boolean;
	readonly maxParkedBytes: number;
	readonly onReady: () => void;
	readonly onStuck: () => void;
}

const callback = rule((value) => (typeof value === "function" ? (value as () => void) : undefined), "a function");

const rules = {
	cacheDir: cacheDirRule,
	signal: rule((value) => (value instanceof AbortSignal ? value : undefined), "an AbortSignal"),
	roots: rootsRule,
	sync: syncRule,
	syncIntervalMs: syncIntervalRule,
	idleExitMs: idleExitRule,
	wait: yesOrNo,
	maxParkedBytes: maxParkedRule,
	onReady: callback,
	onStuck: callback,
};

/** @throws PylogError PYLOG_OPTION_INVALID naming each wrong option, what it got and what it takes. */
export function validateLogmanOptions(raw: LogmanOptions): ResolvedLogmanOptions {
	const problems = new OptionProblems("logman()");
	const options = problems.checkAll<LogmanOptions>(problems.read(raw), rules);
	problems.throwIfAny();
	return {
		cacheDir: resolveCacheDir(options.cacheDir),
		signal: options.signal ?? new AbortController().signal,
		roots: options.roots,
		sync: options.sync ?? "interval",
		syncIntervalMs: options.syncIntervalMs ?? 500,
		idleExitMs: options.idleExitMs,
		wait: options.wait ?? false,
		maxParkedBytes: options.maxParkedBytes ?? defaultMaxParkedBytes,
		onReady: options.onReady ?? ((): void => undefined),
		onStuck: options.onStuck ?? ((): void => undefined),
	};
}

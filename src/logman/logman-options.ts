/** What the logman can be told, checked once. */

import * as v from "valibot";
import { invalidOptions, optionProblems, type OptionRules, wholeNumber } from "../shared/option-rules.ts";
import { resolveCacheDir } from "../spool/cache-dir.ts";

/** When files are brought to the disk: by `syncIntervalMs`, after every batch, or by the kernel alone. */
const syncModes = ["interval", "batch", "never"] as const;

export interface LogmanOptions {
	/** Directory of the queue. @default `PYLOG_CACHE_DIR`, else `pylog` in the user's XDG state directory */
	readonly cacheDir?: string;
	/** Aborting it makes the logman drain and leave. */
	readonly signal?: AbortSignal;
	/** When files are brought to the disk. `flush()` always is at once. @default "interval" */
	readonly sync?: (typeof syncModes)[number];
	/** Milliseconds, from 1 to 3,600,000. @default 500 */
	readonly syncIntervalMs?: number;
	/** Leave after so many milliseconds without producers and with an empty queue. @default never */
	readonly idleExitMs?: number;
	/** Wait for another logman to leave instead of failing. @default false */
	readonly wait?: boolean;
	/** Called once the lease is held. */
	readonly onReady?: () => void;
}

export interface ResolvedLogmanOptions {
	readonly cacheDir: string;
	readonly signal: AbortSignal;
	readonly sync: (typeof syncModes)[number];
	readonly syncIntervalMs: number;
	readonly idleExitMs: number | undefined;
	readonly wait: boolean;
	readonly onReady: () => void;
}

const maxMs = 3_600_000;

const rules: OptionRules<LogmanOptions> = {
	cacheDir: { schema: v.string(), takes: "the path of a directory" },
	signal: { schema: v.instance(AbortSignal), takes: "an AbortSignal" },
	sync: { schema: v.picklist(syncModes), takes: `one of ${syncModes.join(", ")}`, names: syncModes },
	syncIntervalMs: { schema: wholeNumber(1, maxMs), takes: `a whole number of milliseconds from 1 to ${maxMs}` },
	idleExitMs: { schema: wholeNumber(0, maxMs), takes: `a whole number of milliseconds from 0 to ${maxMs}` },
	wait: { schema: v.boolean(), takes: "true or false" },
	onReady: { schema: v.function(), takes: "a function" },
};

/** @throws PylogError PYLOG_OPTION_INVALID naming each wrong option, what it got and what it takes. */
export function validateLogmanOptions(options: LogmanOptions): ResolvedLogmanOptions {
	const problems = optionProblems(rules, options);
	if (problems.length > 0) throw invalidOptions("logman()", problems);
	return {
		cacheDir: resolveCacheDir(options.cacheDir),
		signal: options.signal ?? new AbortController().signal,
		sync: options.sync ?? "interval",
		syncIntervalMs: options.syncIntervalMs ?? 500,
		idleExitMs: options.idleExitMs,
		wait: options.wait ?? false,
		onReady: options.onReady ?? ((): void => undefined),
	};
}

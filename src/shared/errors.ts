/**
 * Every error Pylog raises on purpose: one class, one stable code each.
 *
 * `docs/errors.md` lists the same codes; a test compares the two. A message names who failed, at what, the numbers
 * involved and the remedy. What a caller may reasonably try again is decided in one place, {@link isRetryable}.
 */

/** Code → may the same call succeed later without a change by the caller? */
export const errorCodes = {
	/** An option or argument has a wrong value. */
	PYLOG_OPTION_INVALID: false,
	/** A logform or file name holds a `%word%` that does not exist. */
	PYLOG_PLACEHOLDER_UNKNOWN: false,
	/** The operating system or processor is not one Pylog runs on. */
	PYLOG_PLATFORM_UNSUPPORTED: false,
	/** A system call failed; `details.errno` names why. */
	PYLOG_SYSTEM_CALL: true,
	/** The cache directory belongs to somebody else, is open to others, or holds a planted link. */
	PYLOG_SPOOL_UNSAFE: false,
	/** The cache directory is on a network file system, where mapped memory is not coherent. */
	PYLOG_SPOOL_NETWORK: false,
	/** The cache directory can't be made or used; `cause` is the file system's own error. */
	PYLOG_SPOOL_UNUSABLE: true,
	/** The cache directory was removed or moved while it was in use. */
	PYLOG_SPOOL_GONE: true,
	/** The spool was written in another version of the format. */
	PYLOG_SPOOL_VERSION: false,
	/** A file of the spool can't be understood. */
	PYLOG_SPOOL_DAMAGED: false,
	/** The spool has reached its limit, or its disk is full. */
	PYLOG_SPOOL_FULL: true,
	/** All producer slots of the control file are taken by living producers. */
	PYLOG_SLOTS_EXHAUSTED: true,
	/** The lane was closed with `LogQueue.close`. */
	PYLOG_LANE_CLOSED: true,
	/** Another logman, or another reader, holds the lease. */
	PYLOG_LEASE_HELD: true,
	/** A logman died while it wrote a batch; a logman must finish it before anybody else reads the queue. */
	PYLOG_RECOVERY_NEEDED: true,
	/** No logman runs, and none could be waited for. */
	PYLOG_NO_LOGMAN: true,
	/** A logman process was started and did not take the lease. */
	PYLOG_LOGMAN_START_FAILED: true,
	/** A record names a file that the logman must not write to. */
	PYLOG_OUTPUT_REFUSED: false,
	/** Lines wait in `parked/` because their file can't be written. */
	PYLOG_OUTPUT_PARKED: true,
	/** An inbox message is not of the documented form. */
	PYLOG_INBOX_MESSAGE_INVALID: false,
	/** The logger, queue or producer was closed. */
	PYLOG_CLOSED: false,
} as const;

export type ErrorCode = keyof typeof errorCodes;

export interface PylogErrorOptions {
	readonly cause?: unknown;
	/** The numbers and names of the message, for programs. */
	readonly details?: Readonly<Record<string, unknown>>;
}

/** The one error class of Pylog. `code` is stable over minor versions; `message` is not. */
export class PylogError extends Error {
	override readonly name: string = "PylogError";
	readonly code: ErrorCode;
	readonly details: Readonly<Record<string, unknown>>;

	constructor(code: ErrorCode, message: string, options: PylogErrorOptions = {}) {
		super(message, options.cause === undefined ? undefined : { cause: options.cause });
		this.code = code;
		this.details = options.details ?? {};
	}
}

/** Something that cannot happen did: a fault in Pylog. Prints the state it was found in. */
export class InvariantError extends Error {
	override readonly name = "InvariantError";

	constructor(what: string, state: Readonly<Record<string, unknown>> = {}) {
		super(`Pylog broke an invariant: ${what}; state ${JSON.stringify(state)}. Please report this.`);
	}
}

/** Whether the same call may succeed later without a change by the caller. */
export function isRetryable(error: unknown): boolean {
	return error instanceof PylogError && errorCodes[error.code];
}

/** The `code` of a Node system error (`ENOENT` …), or `undefined` for anything else. */
export function systemCode(error: unknown): string | undefined {
	if (error === null || typeof error !== "object" || !("code" in error)) return undefined;
	return typeof error.code === "string" ? error.code : undefined;
}

/** What the command's exit status says. Stable over minor versions. */

export const exitCodes = {
	ok: 0,
	failed: 1,
	/** An unknown command or option, or a wrong value. */
	usage: 2,
	noLogman: 3,
} as const;

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

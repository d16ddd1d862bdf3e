/** The signals that end a logman process. */

/** A signal that aborts on the first SIGTERM or SIGINT; the second one ends the process at once. */
export function stopSignals(): AbortSignal {
	const controller = new AbortController();
	const onSignal = (signal: NodeJS.Signals): void => {
		if (controller.signal.aborted) process.exit(signal === "SIGINT" ? 130 : 143);
		controller.abort();
	};
	process.on("SIGTERM", onSignal);
	process.on("SIGINT", onSignal);
	return controller.signal;
}

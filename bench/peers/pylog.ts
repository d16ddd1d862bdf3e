/** Pylog: JSON lines, as most peers write. `finish` does not leave the queue, so that more can be logged. */
import { type LoggerOptions, pylog } from "pylog";
import { bindings, error, madeMessage, message, tenFields, twoFields } from "../run/work.ts";
import type { Peer, PeerOptions } from "./peer.ts";

/** `options` are those that a question wants to be other than usual. */
export function openPylog({ path, cacheDir, site, startsLogman }: PeerOptions, options: LoggerOptions = {}): Peer {
	const logger = pylog({
		filename: path,
		cacheDir,
		format: "json",
		callSite: site,
		level: "info",
		logman: startsLogman === true ? "auto" : "external",
		...options,
	});
	const child = logger.child(bindings);
	return {
		calls: {
			message: (index) => logger.info(message(index)),
			made: (index) => logger.info(madeMessage(index)),
			fields: (index) => logger.info(message(index), twoFields(index)),
			nested: (index) => logger.info(message(index), tenFields(index)),
			child: (index) => child.info(message(index)),
			error: (index) => logger.error(message(index), error(index)),
			disabled: (index) => logger.debug(message(index)),
			site: (index) => logger.info(message(index)),
		},
		finish: () => logger.flush(),
	};
}

/**
 * log4js: its file appender, which writes asynchronously. Call sites by `enableCallStack` and a pattern with `%f:%l`. Its
 * lines are text: errors and nested fields take several.
 */
import log4js from "log4js";
import { bindings, error, madeMessage, message, tenFields, twoFields } from "../run/work.ts";
import type { Peer, PeerOptions } from "./peer.ts";

export function openLog4js({ path, site }: PeerOptions): Peer {
	const pattern = site ? "%d %p %h %z %f:%l %m" : "%d %p %h %z %m";
	const context = `${pattern} %X{service} %X{requestId}`;
	log4js.configure({
		appenders: {
			file: { type: "file", filename: path, layout: { type: "pattern", pattern } },
			child: { type: "file", filename: path, layout: { type: "pattern", pattern: context } },
		},
		categories: {
			default: { appenders: ["file"], level: "info", enableCallStack: site },
			child: { appenders: ["child"], level: "info", enableCallStack: site },
		},
	});
	const logger = log4js.getLogger();
	const child = log4js.getLogger("child");
	for (const [key, value] of Object.entries(bindings)) child.addContext(key, value);
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
		finish: () =>
			new Promise((resolve, reject) => {
				log4js.shutdown((problem) => (problem instanceof Error ? reject(problem) : resolve()));
			}),
	};
}

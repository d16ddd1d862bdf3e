/**
 * tslog: its file transport, "type: hidden" so that nothing goes to stdout as well, and stack capture off but where the
 * line shall tell the call site: "the biggest lever" of its README's chapter on performance.
 */
import { Logger } from "tslog";
import { fileTransport } from "tslog/transports/file";
import { bindings, error, madeMessage, message, tenFields, twoFields } from "../run/work.ts";
import type { Peer, PeerOptions } from "./peer.ts";

export function openTslog({ path, site }: PeerOptions): Peer {
	const logger = new Logger({ type: "hidden", minLevel: "INFO", stack: { capture: site ? "auto" : "off" } });
	logger.attachTransport(fileTransport({ path, append: true, format: "json" }));
	const child = logger.child({ bindings });
	return {
		calls: {
			message: (index) => logger.info(message(index)),
			made: (index) => logger.info(madeMessage(index)),
			fields: (index) => logger.info(twoFields(index), message(index)),
			nested: (index) => logger.info(tenFields(index), message(index)),
			child: (index) => child.info(message(index)),
			error: (index) => logger.error(message(index), error(index)),
			disabled: (index) => logger.debug(message(index)),
			site: (index) => logger.info(message(index)),
		},
		finish: () => logger.flush(),
	};
}

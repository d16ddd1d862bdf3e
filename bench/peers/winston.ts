/** winston: its file transport with the JSON format and the timestamp, as its README sets it up. It prints no call site. */
import winston from "winston";
import { bindings, error, madeMessage, message, tenFields, twoFields } from "../run/work.ts";
import type { Peer, PeerOptions } from "./peer.ts";

export function openWinston({ path }: PeerOptions): Peer {
	const { format } = winston;
	const file = new winston.transports.File({ filename: path });
	const logger = winston.createLogger({
		level: "info",
		format: format.combine(format.errors({ stack: true }), format.timestamp(), format.json()),
		transports: [file],
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
		},
		// It holds nothing back; and to end it while lines wait in its streams is an error, "write after end".
		finish: () => Promise.resolve(),
	};
}

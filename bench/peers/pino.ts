/**
 * pino, in its three ways to a file:
 *
 * - async: a buffer of 4 KiB and asynchronous writes, "the minimum overhead of Pino" (its docs/asynchronous.md);
 * - sync: one write(2) with O_APPEND in each call, the one that loses no line when the process is killed;
 * - transport: `pino/file` in a worker thread, which its docs/transports.md recommend for what costs time.
 *
 * It prints no call site by itself.
 */
import { once } from "node:events";
import pino from "pino";
import { bindings, error, madeMessage, message, tenFields, twoFields } from "../run/work.ts";
import type { Peer, PeerOptions } from "./peer.ts";

type Way = "async" | "sync" | "transport";
type Destination = ReturnType<typeof pino.destination> | ReturnType<typeof pino.transport>;

export async function openPino({ path }: PeerOptions, way: Way): Promise<Peer> {
	const destination = destinationOf(path, way);
	await once(destination, "ready");
	const logger = pino({ level: "info" }, destination);
	const child = logger.child(bindings);
	return {
		calls: {
			message: (index) => logger.info(message(index)),
			made: (index) => logger.info(madeMessage(index)),
			fields: (index) => logger.info(twoFields(index), message(index)),
			nested: (index) => logger.info(tenFields(index), message(index)),
			child: (index) => child.info(message(index)),
			error: (index) => logger.error(error(index), message(index)),
			disabled: (index) => logger.debug(message(index)),
		},
		// `flush` may leave what is shorter than the buffer where a write is under way; `end` leaves nothing.
		finish: async () => {
			const closed = once(destination, "close");
			destination.end();
			await closed;
		},
	};
}

function destinationOf(path: string, way: Way): Destination {
	switch (way) {
		case "async":
			return pino.destination({ dest: path, sync: false, minLength: 4096 });
		case "sync":
			return pino.destination({ dest: path, sync: true });
		case "transport":
			return pino.transport({ target: "pino/file", options: { destination: path } });
		default:
			return way satisfies never;
	}
}

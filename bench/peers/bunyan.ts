/** bunyan: a stream with a path, as its README sets it up. Call sites by `src`, of which it warns that it is slow. */
import { once } from "node:events";
import { createWriteStream } from "node:fs";
import bunyan from "bunyan";
import { bindings, error, madeMessage, message, tenFields, twoFields } from "../run/work.ts";
import type { Peer, PeerOptions } from "./peer.ts";

export async function openBunyan({ path, site }: PeerOptions): Promise<Peer> {
	// What bunyan makes of a path; made here because it gives no way to wait for its end.
	const stream = createWriteStream(path, { flags: "a", encoding: "utf8" });
	await once(stream, "open");
	const logger = bunyan.createLogger({ name: "bench", level: "info", src: site, streams: [{ stream }] });
	const child = logger.child(bindings, true);
	return {
		calls: {
			message: (index) => logger.info(message(index)),
			made: (index) => logger.info(madeMessage(index)),
			fields: (index) => logger.info(twoFields(index), message(index)),
			nested: (index) => logger.info(tenFields(index), message(index)),
			child: (index) => child.info(message(index)),
			error: (index) => logger.error(error(index), message(index)),
			disabled: (index) => logger.debug(message(index)),
			...(site && findsCallSites() ? { site: (index: number) => logger.info(message(index)) } : {}),
		},
		finish: () => new Promise((resolve) => stream.end(resolve)),
	};
}

/** On some versions of Node, 20 among them, `src` finds nothing. */
function findsCallSites(): boolean {
	let line = "";
	const stream = { write: (text: string) => (line += text) } as unknown as NodeJS.WritableStream;
	bunyan.createLogger({ name: "probe", src: true, streams: [{ stream }] }).info("found?");
	return JSON.parse(line).src?.file !== undefined;
}

/**
 * roarr: switched on by its variable of the environment (bench/run/program.ts), its lines written by a stream to the file instead of stdout. It knows no level at
 * run time and prints no call site; an error has to be taken apart by the caller.
 */
import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { Roarr as logger, ROARR } from "roarr";
import { bindings, error, madeMessage, message, tenFields, twoFields } from "../run/work.ts";
import type { Peer, PeerOptions } from "./peer.ts";

export async function openRoarr({ path }: PeerOptions): Promise<Peer> {
	const stream = createWriteStream(path, { flags: "a" });
	await once(stream, "open");
	ROARR.write = (line) => {
		stream.write(`${line}\n`);
	};
	const child = logger.child(bindings);
	return {
		calls: {
			message: (index) => logger.info(message(index)),
			made: (index) => logger.info(madeMessage(index)),
			fields: (index) => logger.info(twoFields(index), message(index)),
			nested: (index) => logger.info({ ...tenFields(index) }, message(index)),
			child: (index) => child.info(message(index)),
			error: (index) => {
				const { name, message: text, stack = "" } = error(index);
				logger.error({ error: { name, message: text, stack } }, message(index));
			},
		},
		finish: () => new Promise((resolve) => stream.end(resolve)),
	};
}

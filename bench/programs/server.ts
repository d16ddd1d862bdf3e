/** A Fastify server that logs two lines for each request. Says how many requests it served, once all their lines are written. */
import fastify from "fastify";
import { openPeer } from "../peers/open-peer.ts";
import { LineCount, untilCounted } from "../run/line-count.ts";
import { say, stay, told, word } from "../run/told.ts";

export interface ServerOptions {
	/** Missing for a server that does not log. */
	readonly peer?: string;
	readonly path: string;
	readonly cacheDir: string;
}

export interface ServerFound {
	readonly requests: number;
}

const linesPerRequest = 2;

stay();
const { peer: name, path, cacheDir } = told<ServerOptions>();
const peer = name === undefined ? undefined : await openPeer(name, { path, cacheDir, site: false });
const log = peer?.calls.fields;
let requests = 0;

const server = fastify({ logger: false, forceCloseConnections: true });
server.get("/", () => {
	requests += 1;
	for (let line = 0; line < linesPerRequest; line++) log?.(requests);
	return { served: requests };
});
const address = await server.listen({ port: 0, host: "127.0.0.1" });
say({ address });
await word();
await server.close();
if (peer !== undefined && name !== undefined) {
	const finished = peer.finish();
	using count = new LineCount(path);
	await untilCounted([count], requests * linesPerRequest, name);
	await finished;
}
const found: ServerFound = { requests };
say(found);
process.exit();

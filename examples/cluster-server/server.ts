/** One process of the server: `node server.js <log file> <cache directory>`, started by main.ts through node:cluster. */

import { randomUUID } from "node:crypto";
import fastify from "fastify";
import { pylog } from "pylog";

const [filename = "", cacheDir = ""] = process.argv.slice(2);

// "external": this process need not start a logman, since main.ts does.
const logger = pylog({ filename, format: "json", level: "info", name: "shop", cacheDir, logman: "external" });
const server = fastify({ logger: false, genReqId: () => randomUUID() });

server.addHook("onRequest", (request, reply, done) => {
	reply.header("x-request-id", request.id);
	done();
});
server.addHook("onResponse", (request, reply, done) => {
	logger.info("request", {
		method: request.method,
		url: request.url,
		status: reply.statusCode,
		durationMs: Math.round(reply.elapsedTime * 1000) / 1000,
		requestId: request.id,
	});
	done();
});

server.get<{ Params: { id: string } }>("/orders/:id", (request) => ({ order: request.params.id, state: "paid" }));

process.once("message", () => void finish());
// Without its primary there is nothing left to do.
process.once("disconnect", () => process.exit(1));

await server.listen({ host: "127.0.0.1", port: 0 });

/** Answers what has been asked, waits until all lines are in the file, and ends. */
async function finish(): Promise<void> {
	await server.close();
	await logger.close();
	process.exit();
}

// @ts-check
// One preparation of a checkout at a time.
//
// The lock is a listening socket with an abstract name (Linux): the kernel frees the name when its process dies, however
// it dies, so there is never a stale lock to clear.

import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

const retryIntervalMs = 50;

/**
 * Runs `work` while no other process runs work for the same directory; waits for its turn as long as it takes.
 *
 * @template T
 * @param {string} directory absolute path that names the lock
 * @param {() => Promise<T>} work
 * @returns {Promise<T>}
 */
export async function withLock(directory, work) {
	const server = await acquire(`\0pylog-${createHash("sha256").update(directory).digest("hex").slice(0, 32)}`);
	try {
		return await work();
	} finally {
		server.close();
	}
}

/** @param {string} name */
async function acquire(name) {
	for (;;) {
		const server = createServer();
		try {
			server.listen(name);
			await once(server, "listening");
			return server;
		} catch (error) {
			if (!(error instanceof Error && "code" in error && error.code === "EADDRINUSE")) throw error;
			await sleep(retryIntervalMs);
		}
	}
}

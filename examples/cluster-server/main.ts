/**
 * A web server with two processes (node:cluster) that logs every request to one JSON file.
 *
 * No request waits for the file, and the two processes can't clash over it: each puts its records into the queue, and the
 * logman, started here in the primary, writes the lines. To prove it, autocannon sends 20,000 requests; then the file must
 * hold one line for each response.
 *
 * Exit status: 0 when it does, 1 when it does not.
 */

import cluster, { type Worker } from "node:cluster";
import { once } from "node:events";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { startLogman } from "pylog";
import { compare } from "./compare.ts";
import { sendRequests } from "./send-requests.ts";

const workerCount = 2;
const requestCount = 20_000;
const maxRunMs = 120_000;

const directory = mkdtempSync(join(tmpdir(), "pylog-cluster-server-"));
const logFile = join(directory, "requests.log");
const cacheDir = join(directory, "cache");
const interrupt = new AbortController();
const signal = AbortSignal.any([interrupt.signal, AbortSignal.timeout(maxRunMs)]);
process.once("SIGINT", () => interrupt.abort(new Error("Interrupted.")));
process.once("SIGTERM", () => interrupt.abort(new Error("Terminated.")));

// Should this process be killed, the logman leaves by itself ten seconds after the last one that logs.
const logman = await startLogman({ cacheDir, idleExitMs: 10_000 });
try {
	await run();
} catch (error) {
	print(`stopped: ${String(signal.aborted ? signal.reason : error)}`);
	process.exitCode = 1;
} finally {
	for (const worker of Object.values(cluster.workers ?? {})) worker?.process.kill("SIGKILL");
	await logman.stop();
	print(`\nThe files stay where they are. To remove them: rm -r '${directory}'`);
}

async function run(): Promise<void> {
	cluster.setupPrimary({ exec: fileURLToPath(new URL("./server.js", import.meta.url)), args: [logFile, cacheDir] });
	const workers = Array.from({ length: workerCount }, () => cluster.fork());
	const [port] = await Promise.all(workers.map(listening));
	print(`${workerCount} processes listen at http://127.0.0.1:${port}; logman ${logman.pid} writes what they log.`);

	const responses = await sendRequests(`http://127.0.0.1:${port}`, requestCount, signal);
	signal.throwIfAborted();
	print(`${responses.requestIds.length} responses in ${responses.seconds.toFixed(1)} s.`);

	// First the processes, then the logman: when stop() resolves, everything logged before is in the file.
	await Promise.all(workers.map(finish));
	await logman.stop();
	report(compare(responses, logFile));
}

/** The port a worker listens at; cluster lets all of them share one. */
async function listening(worker: Worker): Promise<number> {
	const [address] = (await once(worker, "listening", { signal })) as [{ port: number }];
	return address.port;
}

async function finish(worker: Worker): Promise<void> {
	const exit = once(worker, "exit", { signal });
	worker.send("finish");
	await exit;
}

function report({ summary, problems }: ReturnType<typeof compare>): void {
	print(`\n${logFile}\n\n${summary}\n`);
	for (const problem of problems) print(`FAILED: ${problem}`);
	if (problems.length === 0) print("Each response has its one line.");
	else process.exitCode = 1;
}

function print(text: string): void {
	process.stdout.write(`${text}\n`);
}

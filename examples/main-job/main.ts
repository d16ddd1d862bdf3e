/**
 * Pylog's main job, in about ten seconds.
 *
 * Four processes, one of them with two worker threads, log through one logman to one file. Meanwhile a producer is killed
 * with SIGKILL, and so is the logman, again and again; it comes back by itself. In the end the file must hold every line
 * whose logging call had returned: once, whole, and in order.
 *
 * Exit status: 0 when it does, 1 when it does not.
 */

import { mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { audit, isClean } from "./audit.ts";
import { jobIn } from "./job.ts";
import { readLedgers } from "./ledger.ts";
import { logmanAfter, stopLogman } from "./logman-process.ts";
import { ProducerProcess } from "./producer-process.ts";
import { excerpt, table, tell } from "./report.ts";

const directory = mkdtempSync(join(tmpdir(), "pylog-main-job-"));
const job = jobIn(directory);
const interrupt = new AbortController();
const { signal } = interrupt;
const producers: ProducerProcess[] = [];

process.once("SIGINT", () => interrupt.abort(new Error("Interrupted.")));
process.once("SIGTERM", () => interrupt.abort(new Error("Terminated.")));

try {
	await run();
} catch (error) {
	// An abort has its reason with it; the error is only what it broke off.
	tell(`stopped: ${String(signal.aborted ? signal.reason : error)}`);
	process.exitCode = 1;
} finally {
	// However it ended: no process stays behind.
	await Promise.all(producers.map((producer) => producer.kill()));
	await stopLogman(job.cacheDir);
}

async function run(): Promise<void> {
	const alpha = startProducer("alpha");
	const beta = startProducer("beta");
	const gamma = startProducer("gamma");
	const delta = startProducer("delta", 2);
	tell(`started ${producers.map(({ name, pid }) => `${name} (${pid})`).join(", ")}; delta has two worker threads`);
	let logman = await logmanAfter(undefined, job.cacheDir, signal);
	tell(`logman ${logman} writes what they log to ${job.logFile}`);

	await sleep(2000, undefined, { signal });
	logman = await killLogman(logman);
	// This one has just begun to write what has piled up meanwhile.
	logman = await killLogman(logman);

	await sleep(1500, undefined, { signal });
	await beta.kill();
	tell(`SIGKILL for beta (${beta.pid}); the others go on`);

	for (const pauseMs of [1000, 3, 30, 300]) {
		await sleep(pauseMs, undefined, { signal });
		logman = await killLogman(logman);
	}

	await sleep(1500, undefined, { signal });
	await Promise.all([alpha, gamma, delta].map((producer) => producer.finish()));
	signal.throwIfAborted();
	tell("alpha, gamma and delta have finished");
	await stopLogman(job.cacheDir);
	tell(`logman ${logman} has left`);
	report(["beta"]);
}

function startProducer(name: string, workerCount = 0): ProducerProcess {
	const producer = new ProducerProcess(directory, name, workerCount, (error) => interrupt.abort(error));
	producers.push(producer);
	return producer;
}

/** Kills a logman and waits for the next one, which some logger starts by itself. */
async function killLogman(pid: number): Promise<number> {
	process.kill(pid, "SIGKILL");
	tell(`SIGKILL for logman ${pid}`);
	const next = await logmanAfter(pid, job.cacheDir, signal);
	tell(`logman ${next} has taken over`);
	return next;
}

function report(killed: readonly string[]): void {
	const text = readFileSync(job.logFile, "utf8");
	const result = audit(readLedgers(job.ledgers), text, killed);
	process.stdout.write(`\n${job.logFile}\n\n    …\n${excerpt(text)}\n    …\n\n${table(result)}\n\n`);
	process.stdout.write(`The file stays where it is. To remove it and all that belongs to it: rm -r '${directory}'\n`);
	if (!isClean(result)) process.exitCode = 1;
}

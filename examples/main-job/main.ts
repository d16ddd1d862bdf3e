/**
 * Pylog's main job, in about ten seconds.
 *
 * Four processes, one of them with two worker threads, log through one logman to one file. Meanwhile a producer is killed
 * with SIGKILL, and so is the logman, again and again; it comes back by itself. In the end the file must hold every line
 * whose logging call had returned: once, whole, and in order.
 *
 * Exit status: 0 when it does, 1 when it does not.
 */

import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { audit, isClean } from "./audit.ts";
import { jobIn } from "./job.ts";
import { readLedgers } from "./ledger.ts";
import { logmanAfter, stopLogman } from "./logman-process.ts";
import { ProducerProcess } from "./producer-process.ts";
import { excerpt, table, tell } from "./report.ts";

const maxRunMs = 120_000;

const directory = mkdtempSync(join(tmpdir(), "pylog-main-job-"));
const job = jobIn(directory);
const interrupt = new AbortController();
const signal = AbortSignal.any([interrupt.signal, AbortSignal.timeout(maxRunMs)]);
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
	process.stdout.write(`\nThe files stay where they are. To remove them: rm -r '${directory}'\n`);
}

async function run(): Promise<void> {
	const alpha = startProducer("alpha");
	const beta = startProducer("beta");
	const gamma = startProducer("gamma");
	const delta = startProducer("delta", 2);
	tell(`started ${producers.map(({ name, pid }) => `${name} (${pid})`).join(", ")}; delta has two worker threads`);
	let logman = await logmanAfter(undefined, job.cacheDir, signal);
	tell(`logman ${logman} writes what they log to ${job.logFile}`);

	await sleep(1500, undefined, { signal });
	logman = await killLogman(logman);
	logman = await killLogmanAtWork(logman);

	await sleep(1500, undefined, { signal });
	logman = await killLogmanAtWork(logman, beta);
	logman = await killLogman(logman);

	await sleep(1500, undefined, { signal });
	await Promise.all([alpha, gamma, delta].map((producer) => producer.finish(signal)));
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

/**
 * Lets very much pile up while there is no logman, and kills the next one in the middle of writing it. A producer that is
 * a `victim` is killed in the middle of logging it.
 */
async function killLogmanAtWork(pid: number, victim?: ProducerProcess): Promise<number> {
	process.kill(pid, "SIGKILL");
	tell(`SIGKILL for logman ${pid}; meanwhile everybody logs very much`);
	for (const producer of producers) producer.rush();
	if (victim !== undefined) {
		await sleep(50, undefined, { signal });
		await victim.kill();
		tell(`SIGKILL for ${victim.name} (${victim.pid}); the others go on`);
	}
	const next = await logmanAfter(pid, job.cacheDir, signal);
	tell(`logman ${next} has taken over`);
	const sizeBytes = logFileBytes();
	while (logFileBytes() === sizeBytes) await sleep(1, undefined, { signal });
	return killLogman(next);
}

function logFileBytes(): number {
	return statSync(job.logFile, { throwIfNoEntry: false })?.size ?? 0;
}

function report(killed: readonly string[]): void {
	const text = readFileSync(job.logFile, "utf8");
	const result = audit(readLedgers(job.ledgers), text, killed);
	process.stdout.write(`\n${job.logFile}\n\n    …\n${excerpt(text)}\n    …\n\n${table(result)}\n`);
	// An empty queue is of no more use; one that something is wrong with should be looked at.
	if (isClean(result)) rmSync(job.cacheDir, { recursive: true });
	else process.exitCode = 1;
}

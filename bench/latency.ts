/** How long do single calls take at worst, while the event loop has other work to do? */
import { existsSync } from "node:fs";
import { Agent, get } from "node:http";
import { tmpdir } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import type { LatencyFound } from "./programs/latency.ts";
import type { Pace, Question } from "./report/question.ts";
import { Tally } from "./report/tally.ts";
import { startProgram } from "./run/program.ts";
import { interleaved } from "./run/rounds.ts";
import { fileSystemOf, memoryFolder, Scratch } from "./run/scratch.ts";

export const latency: Question = {
	name: "latency",
	title: "How long do single calls take, at worst?",
	about:
		"A process logs ten lines each millisecond, and two for each HTTP request that it serves meanwhile, some hundred a " +
		"second. Each call is timed by itself, with a clock that takes about 50 ns. The figures are quantiles of all calls of a " +
		"round; log file and queue are on the named file system.",
	ask: askLatency,
};

const peers = ["pylog", "pino async", "pino sync", "pino transport", "winston", "bunyan"];
const full = { rounds: 3, seconds: 3 };
const quick = { rounds: 1, seconds: 1 };
/** The warm-up of the program. */
const warmUpMs = 500;
const clients = 2;
const requestPauseMs = 5;

async function askLatency(pace: Pace): Promise<Tally> {
	const tally = new Tally();
	const { rounds, seconds } = pace.isQuick ? quick : full;
	const folders = [tmpdir(), ...(existsSync(memoryFolder) ? [memoryFolder] : [])];
	const systems = folders.map((folder) => ({ system: fileSystemOf(folder), folder }));
	for (const { system, folder } of systems) {
		await using scratch = new Scratch(folder);
		await scratch.startLogman();
		for (const [round, peer] of interleaved(peers, rounds)) {
			pace.tell(`latency: ${system}, round ${round + 1} of ${rounds}, ${peer}`);
			const found = await serve(peer, scratch, seconds * 1000 + warmUpMs);
			scratch.removeFiles();
			tally.add(round, system, peer, "p50", "ns", found.p50Ns);
			tally.add(round, system, peer, "p99", "ns", found.p99Ns);
			tally.add(round, system, peer, "p99.9", "ns", found.p999Ns);
			tally.add(round, system, peer, "max", "ns", found.maxNs);
		}
		for (const peer of peers.slice(1)) {
			for (const measure of ["p50", "p99", "p99.9", "max"]) {
				tally.compare(`latency.${system}.${measure}`, system, measure, "pylog", peer);
			}
		}
		tally.compareMeasures(`latency.${system}.p99.9-to-p50`, system, ["pylog", "p99.9"], ["pino sync", "p50"]);
		tally.compareMeasures(`latency.${system}.p99.9-to-p50`, system, ["pylog", "p99.9"], ["pino async", "p50"]);
	}
	return tally;
}

async function serve(peer: string, scratch: Scratch, ms: number): Promise<LatencyFound> {
	const options = { peer, path: scratch.newFile(), cacheDir: scratch.cacheDir };
	await using program = startProgram("latency", options);
	const { port } = await program.hear<{ port: number }>();
	const stop = new AbortController();
	const agent = new Agent({ keepAlive: true });
	const loads = Array.from({ length: clients }, () => load(port, agent, stop.signal));
	await sleep(ms);
	stop.abort();
	await Promise.all(loads);
	agent.destroy();
	program.tell("end");
	return await program.hear<LatencyFound>();
}

/** One request after the other, with a short pause, until the signal. */
async function load(port: number, agent: Agent, signal: AbortSignal): Promise<void> {
	while (!signal.aborted) {
		await new Promise<void>((resolve, reject) => {
			get({ port, host: "127.0.0.1", agent }, (response) => response.resume().once("end", resolve)).once(
				"error",
				reject,
			);
		});
		await sleep(requestPauseMs);
	}
}

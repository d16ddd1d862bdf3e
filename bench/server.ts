/** How many requests a second does a server serve that logs? */
import autocannon from "autocannon";
import { peerNames } from "./peers/open-peer.ts";
import type { ServerFound, ServerOptions } from "./programs/server.ts";
import type { Pace, Question } from "./report/question.ts";
import { Tally } from "./report/tally.ts";
import { startProgram } from "./run/program.ts";
import { interleaved } from "./run/rounds.ts";
import { Scratch } from "./run/scratch.ts";

export const server: Question = {
	name: "server",
	title: "How many requests a second does a server serve that logs?",
	about:
		"A Fastify server answers as fast as it can over ten connections and logs a message and two fields twice for each " +
		"request; then the lines are counted. Its client and, for Pylog, the logman run on the same cores and take their share. The " +
		"logman, which serves processes that come and go, has had a load before.",
	ask: askServer,
};

const none = "no logger";
const full = { rounds: 3, seconds: 2 };
const quick = { rounds: 1, seconds: 1 };
const connections = 10;
const warmUpSeconds = 1;
/** A logman compiles its own code in its first seconds: measured at 6 µs of its time for a request then, and 2.5 µs later. */
const logmanWarmUpSeconds = 3;
const group = "two lines for each request";

async function askServer(pace: Pace): Promise<Tally> {
	const tally = new Tally();
	const { rounds, seconds } = pace.isQuick ? quick : full;
	await using scratch = new Scratch();
	await scratch.startLogman();
	await load("pylog", logmanWarmUpSeconds, scratch);
	for (const [round, peer] of interleaved([none, ...peerNames], rounds)) {
		pace.tell(`server: round ${round + 1} of ${rounds}, ${peer}`);
		const { requestsPerSecond, p99Ms } = await load(peer, seconds, scratch);
		tally.add(round, group, peer, "requests", "requests/s", requestsPerSecond);
		tally.add(round, group, peer, "p99 of a request", "ms", p99Ms);
		scratch.removeFiles();
	}
	for (const peer of [none, ...peerNames].filter((name) => name !== "pylog")) {
		tally.compare("server", group, "requests", "pylog", peer);
	}
	return tally;
}

async function load(
	peer: string,
	seconds: number,
	scratch: Scratch,
): Promise<{ readonly requestsPerSecond: number; readonly p99Ms: number }> {
	const { cacheDir } = scratch;
	const options: ServerOptions = { ...(peer === none ? {} : { peer }), path: scratch.newFile(), cacheDir };
	await using program = startProgram("server", options);
	const { address } = await program.hear<{ address: string }>();
	await autocannon({ url: address, connections, duration: warmUpSeconds });
	const { requests, latency, non2xx, errors } = await autocannon({ url: address, connections, duration: seconds });
	if (non2xx + errors > 0) throw new Error(`the server with ${peer} failed ${non2xx + errors} requests`);
	program.tell("end");
	await program.hear<ServerFound>();
	return { requestsPerSecond: requests.average, p99Ms: latency.p99 };
}

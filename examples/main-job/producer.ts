/**
 * A process that logs: `node producer.js <directory> <name> <number of worker threads>`.
 *
 * Started by main.ts, which sends commands. Without its parent it ends at once.
 */

import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { type Command, Commands } from "./commands.ts";
import { logOrders } from "./log-orders.ts";

const [directory = "", name = "", workerCount = "0"] = process.argv.slice(2);
const commands = new Commands();

const workers = Array.from({ length: Number(workerCount) }, (_, index) => {
	const workerData = { directory, thread: `${name}-${index + 1}` };
	return new Worker(new URL("./worker.js", import.meta.url), { workerData });
});

process.on("disconnect", () => process.exit(1));
process.on("message", (command: Command) => {
	commands.obey(command);
	for (const worker of workers) worker.postMessage(command, []);
});

await Promise.all([logOrders(directory, `${name}-0`, commands), ...workers.map((worker) => once(worker, "exit"))]);
process.exit();

/**
 * A process that logs: `node producer.js <directory> <name> <number of worker threads>`.
 *
 * Started by main.ts, which sends "finish" when it is enough. Without its parent it ends at once.
 */

import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { logOrders } from "./log-orders.ts";

const [directory = "", name = "", workerCount = "0"] = process.argv.slice(2);
let isOver = false;

const workers = Array.from({ length: Number(workerCount) }, (_, index) => {
	const workerData = { directory, thread: `${name}-${index + 1}` };
	return new Worker(new URL("./worker.js", import.meta.url), { workerData });
});

process.on("disconnect", () => process.exit(1));
process.once("message", () => {
	isOver = true;
	for (const worker of workers) worker.postMessage("finish");
});

await Promise.all([logOrders(directory, `${name}-0`, () => isOver), ...workers.map((worker) => once(worker, "exit"))]);
process.exit();

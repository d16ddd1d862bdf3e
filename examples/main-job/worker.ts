/** A worker thread of a producer. It logs like any other thread: no messages to the main thread are needed for it. */

import { parentPort, workerData } from "node:worker_threads";
import { logOrders } from "./log-orders.ts";

const { directory, thread } = workerData as { directory: string; thread: string };
let isOver = false;

parentPort?.once("message", () => {
	isOver = true;
});

await logOrders(directory, thread, () => isOver);

/** A worker thread of a producer. It logs like any other thread: no messages to the main thread are needed for it. */

import { parentPort, workerData } from "node:worker_threads";
import { type Command, Commands } from "./commands.ts";
import { logOrders } from "./log-orders.ts";

const { directory, thread } = workerData as { directory: string; thread: string };
const commands = new Commands();

parentPort?.on("message", (command: Command) => commands.obey(command));
await logOrders(directory, thread, commands);
parentPort?.close();

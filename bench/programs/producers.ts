/**
 * Many producers in one process: what so many processes or threads would be to the logman, without their memory. Each has its
 * own folder, slot and segments. Logs its lines when told to, by one producer after the other.
 */
import { hostname } from "node:os";
import { setImmediate as nextTurn } from "node:timers/promises";
import { Definition } from "../../src/spool/definition.ts";
import { Producer } from "../../src/spool/producer.ts";
import { say, told, word } from "../run/told.ts";
import { message } from "../run/work.ts";

export interface ProducersOptions {
	readonly path: string;
	readonly cacheDir: string;
	readonly producers: number;
	readonly warmUpLines: number;
	readonly lines: number;
}

export interface ProducersFound {
	readonly processorMs: number;
}

const normalLane = 1;
const info = 30;
const linesPerTurn = 100;

const { path, cacheDir, producers: count, warmUpLines, lines } = told<ProducersOptions>();
const producers = Array.from({ length: count }, () => Producer.open({ cacheDir }));
const definitions = producers.map((_, thread) =>
	Definition.ofLogger({
		output: path,
		format: "json",
		logform: "",
		name: "",
		hostname: hostname(),
		pid: process.pid,
		thread,
		fields: "",
	}),
);
await burst(warmUpLines);
say({});
await word();
const before = process.cpuUsage();
await burst(lines);
const { user, system } = process.cpuUsage(before);
const found: ProducersFound = { processorMs: (user + system) / 1000 };
say(found);
await word();
process.exit();

async function burst(toLog: number): Promise<void> {
	for (let index = 0; index < toLog; index++) {
		const at = index % count;
		const isTaken = (producers[at] as Producer).append(normalLane, {
			level: info,
			timeMs: 0,
			flags: 0,
			definition: definitions[at] as Definition,
			callSite: undefined,
			message: message(index),
			fields: "",
			error: "",
		});
		if (!isTaken) throw new Error("a record was dropped");
		if (index % linesPerTurn === 0) await nextTurn();
	}
}

/**
 * The queue itself, with the methods of the Python original: for programs that put finished lines into it, or take
 * records out of it in the place of a logman.
 */

import { hostname } from "node:os";
import { resolve } from "node:path";
import { levels } from "../line/level.ts";
import { threadId } from "../platform/thread.ts";
import { PylogError } from "../shared/errors.ts";
import { type Lane, laneIndex, lanes } from "../shared/lane.ts";
import { shownValue } from "../shared/option-problems.ts";
import { resolveCacheDir } from "../spool/cache-dir.ts";
import { ControlFile } from "../spool/control-file.ts";
import { Definition } from "../spool/definition.ts";
import { recordFlags } from "../spool/log-record.ts";
import { Producer } from "../spool/producer.ts";
import { encodeError } from "./error-record.ts";
import { openContents, type QueueContents } from "./queue-contents.ts";
import type { QueueItem } from "./queue-item.ts";

export interface PutOptions {
	/** File the message goes to; relative to the current directory. */
	readonly logTo: string;
	/** Printed below the message, causes included. */
	readonly exception?: unknown;
	/** Whether it goes before what waits in the normal lane. @default false */
	readonly priority?: boolean;
}

export class LogQueue {
	readonly cacheDir: string;
	readonly #control: ControlFile;
	readonly #contents: QueueContents;
	#producer: Producer | undefined;
	#isDisposed = false;

	/** Opens the queue at `cacheDir`, making it where it is missing. @throws PylogError as `pylog()` does */
	constructor(cacheDir?: string) {
		this.cacheDir = resolveCacheDir(cacheDir);
		this.#control = ControlFile.open(this.cacheDir);
		this.#contents = openContents(this.#control);
	}

	/** Whether nothing waits in a lane, in the inbox neither. Reads what waits: not for every second. */
	isEmpty(lane: Lane): boolean {
		this.#check(lane);
		return this.#contents.isEmpty(lane);
	}

	/** Lets a lane take records again. */
	open(lane: Lane): void {
		this.#check(lane);
		this.#control.setClosed(lane, false);
	}

	/** From now on a lane refuses what comes: `put` throws, loggers drop and count. What waits in it is still written. */
	close(lane: Lane): void {
		this.#check(lane);
		this.#control.setClosed(lane, true);
	}

	/**
	 * Puts a finished line into the queue. On return it survives the death of this process. Blocks for microseconds.
	 *
	 * @throws PylogError PYLOG_LANE_CLOSED, PYLOG_SPOOL_FULL, PYLOG_OPTION_INVALID; the message was not taken then.
	 */
	put(message: string, options: PutOptions): void {
		checkPut(message, options);
		const lane: Lane = options.priority === true ? "priority" : "normal";
		this.#check(lane);
		if (this.#control.isClosed(lane)) {
			throw new PylogError(
				"PYLOG_LANE_CLOSED",
				`The ${lane} lane of ${this.cacheDir} is closed. Open it: queue.open("${lane}").`,
			);
		}
		this.#producer ??= Producer.open({ cacheDir: this.cacheDir });
		const taken = this.#producer.offer(laneIndex[lane], {
			level: levels.info,
			timeMs: 0,
			flags: recordFlags.finished,
			definition: finishedLinesTo(resolve(options.logTo)),
			callSite: undefined,
			message: message.replace(/\r?\n$/, ""),
			fields: "",
			error: options.exception === undefined ? "" : encodeError(options.exception),
		});
		if (!taken)
			throw new PylogError("PYLOG_SPOOL_FULL", `The spool ${this.cacheDir} is full; the message was not taken.`);
	}

	/**
	 * Takes the next record out of a lane; `undefined` when there is none. The first call takes the lease, which is held
	 * until the queue is disposed of. On return the record is out of the queue: it is the caller's now.
	 *
	 * @throws PylogError PYLOG_LEASE_HELD while a logman runs; PYLOG_RECOVERY_NEEDED after one died in a batch.
	 */
	get(lane: Lane): QueueItem | undefined {
		this.#check(lane);
		return this.#contents.take(lane);
	}

	/** A path for a new message in the inbox, which nothing has yet: write the file elsewhere and rename it to this. */
	getFilename(): string {
		return this.#contents.newMessagePath();
	}

	/** An item's place in the one order of the queue. */
	getQueueNumber(item: QueueItem): number {
		return item.queue;
	}

	/** Leaves the queue; what waits stays. Idempotent. */
	dispose(): void {
		if (this.#isDisposed) return;
		this.#isDisposed = true;
		this.#producer?.close();
		this.#producer = undefined;
		this.#contents.close();
		this.#control.close();
	}

	[Symbol.dispose](): void {
		this.dispose();
	}

	#check(lane: Lane): void {
		if (this.#isDisposed) {
			throw new PylogError("PYLOG_CLOSED", `LogQueue: the queue ${this.cacheDir} was disposed of. Make a new one.`);
		}
		if (lanes.includes(lane)) return;
		throw new PylogError(
			"PYLOG_OPTION_INVALID",
			`LogQueue: lane got ${shownValue(lane)}; it takes ${lanes.join(" or ")}.`,
		);
	}
}

const maxDefinitions = 1000;
const definitions = new Map<string, Definition>();

function finishedLinesTo(output: string): Definition {
	let definition = definitions.get(output);
	if (definition === undefined) {
		if (definitions.size >= maxDefinitions) definitions.clear();
		definition = Definition.ofLogger({
			output,
			format: "text",
			logform: "",
			name: "",
			hostname: hostname(),
			pid: process.pid,
			thread: threadId,
			fields: "",
		});
		definitions.set(output, definition);
	}
	return definition;
}

function checkPut(message: unknown, options: PutOptions | undefined): void {
	const { logTo, priority } = options ?? ({} as Partial<PutOptions>);
	const problems: string[] = [];
	if (typeof message !== "string") problems.push(`message got ${typeof message}; it takes a string`);
	if (typeof logTo !== "string" || logTo === "" || logTo.includes("\0")) {
		problems.push(`option "logTo" got ${JSON.stringify(logTo)}; it takes the path of a file`);
	}
	if (priority !== undefined && typeof priority !== "boolean") {
		problems.push(`option "priority" got ${JSON.stringify(priority)}; it takes true or false`);
	}
	if (problems.length > 0) throw new PylogError("PYLOG_OPTION_INVALID", `LogQueue.put(): ${problems.join("; ")}.`);
}

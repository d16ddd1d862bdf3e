/**
 * The ledger of a thread: the ids of the lines whose logging call has returned. Nothing in it comes from Pylog.
 *
 * Each id is written with a plain write() right after the call. So it survives SIGKILL too, and the ledger can lag behind
 * the log by one line at most: the one whose thread died between the call and the write().
 */

import { closeSync, mkdirSync, openSync, readdirSync, readFileSync, writeSync } from "node:fs";
import { basename, join } from "node:path";

const ending = ".ledger";

export class Ledger {
	readonly #fd: number;

	/** A new ledger for a thread such as `beta-0`. */
	constructor(directory: string, thread: string) {
		mkdirSync(directory, { recursive: true });
		this.#fd = openSync(join(directory, thread + ending), "ax");
	}

	/** Notes that the line with this id is logged. */
	acknowledge(id: string): void {
		writeSync(this.#fd, `${id}\n`);
	}

	close(): void {
		closeSync(this.#fd);
	}
}

/** All ledgers of a directory: the acknowledged ids by thread, in the order of the calls. */
export function readLedgers(directory: string): ReadonlyMap<string, readonly string[]> {
	const ledgers = new Map<string, readonly string[]>();
	for (const name of readdirSync(directory).sort()) {
		const ids = readFileSync(join(directory, name), "utf8").split("\n");
		// What stands after the last newline is nothing, or an id that its thread died in the middle of.
		ids.pop();
		ledgers.set(basename(name, ending), ids);
	}
	return ledgers;
}

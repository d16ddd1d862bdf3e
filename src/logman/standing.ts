/**
 * Where everything stands, and the only place that stores it: what is delivered, what is being written, what is parked, in
 * doubt, not synced. Whoever changes one of them stores it here before the next thing is done that relies on it.
 */

import type { FileSink } from "../sinks/file/file-sink.ts";
import type { FoundAppend } from "../sinks/file/find-append.ts";
import { AppendError } from "../sinks/file/output-file.ts";
import { UnsettledError } from "../sinks/file/packing.ts";
import type { CheckpointFile, OutputState } from "../spool/checkpoint.ts";
import type { SpoolReader } from "../spool/spool-reader.ts";
import type { Refusals } from "./refusals.ts";
import type { ErrorLog, ErrorReport } from "./error-log.ts";
import type { ParkedOutputs } from "./parked-outputs.ts";

/** A write of which is not known whether it happened; `parked` is where its bytes are as well. */
export type Doubt = OutputState & { readonly parked: { readonly from: number; readonly to: number } };

export interface StandingParts {
	readonly checkpoint: CheckpointFile;
	readonly reader: SpoolReader;
	readonly parked: ParkedOutputs;
	readonly errors: ErrorLog;
	readonly refusals: Refusals;
	/** The log files. */
	readonly outputs: FileSink;
	/** The parked files, on the spool's own disk. */
	readonly aside: FileSink;
}

export class Standing {
	readonly reader: SpoolReader;
	readonly parked: ParkedOutputs;
	readonly outputs: FileSink;
	readonly aside: FileSink;
	/** Keeps lines whose output is refused. */
	readonly refusals: Refusals;
	/** By path of the output. */
	readonly doubts: Map<string, Doubt> = new Map();
	/** What of the batch is still to be written, and where to: all that is stored says so until the batch is delivered. */
	announced: readonly OutputState[] = [];
	readonly #checkpoint: CheckpointFile;
	readonly #errors: ErrorLog;
	#hasUnconfirmed = false;

	constructor({ checkpoint, reader, parked, errors, refusals, outputs, aside }: StandingParts) {
		this.#checkpoint = checkpoint;
		this.#errors = errors;
		this.refusals = refusals;
		this.reader = reader;
		this.parked = parked;
		this.outputs = outputs;
		this.aside = aside;
	}

	/**
	 * Stores it; what was delivered before is confirmed by it. While a batch is being written only when {@link announced} is
	 * exact: nobody has written since.
	 */
	store(): void {
		const unsynced = new Map(
			[...this.outputs.unsynced, ...this.aside.unsynced].map((file) => [`${file.inode} ${file.path}`, file]),
		);
		for (const { target: path, device, inode } of this.announced) {
			// Of a file that could not be opened nothing is known, and nothing is in it.
			if (inode !== 0) unsynced.set(`${inode} ${path}`, { path, device, inode });
		}
		this.#checkpoint.write({
			horizon: this.reader.horizon,
			delivered: this.reader.delivered,
			chains: this.reader.states(),
			outputs: [...this.announced, ...this.doubts.values()],
			parked: this.parked.broughtBack(),
			unsynced: [...unsynced.values()],
			dropped: this.parked.dropped(),
		});
		this.#hasUnconfirmed = false;
		this.reader.publish();
	}

	/** Notes that a batch is delivered, which the next checkpoint says. */
	noteDelivered(): void {
		this.reader.markDelivered();
		this.announced = [];
		this.#hasUnconfirmed = true;
	}

	/** Stores that the last batch is done, and tells the producers. Not while a batch is being written. */
	confirm(): void {
		if (this.#hasUnconfirmed) this.store();
	}

	/** Brings the newest checkpoint to the disk. Blocks. */
	sync(): void {
		this.#checkpoint.sync();
	}

	/**
	 * How many of the bytes that were to go to a file are in it, or in the file that it has become; `path` is where.
	 *
	 * @param others Files that lines go to, beside those that are open or parked.
	 * @throws StalledError when the file does not answer; what the file system says when it can't be read
	 */
	async countWritten(state: OutputState, bytes: Buffer, others: Iterable<string> = []): Promise<FoundAppend> {
		const { path, target } = state;
		const sink = path === target ? this.outputs : this.aside;
		const outputs = new Set([...others, ...this.outputs.openPaths(), ...this.parked.paths()]);
		const whole = await sink.find(target, state, bytes, outputs);
		const { writtenBytes, path: found } = whole;
		if (found === target || writtenBytes === bytes.length) return whole;
		// Half a batch in a file that was renamed since: the other half belongs there, too.
		try {
			await sink.append(found, bytes.subarray(writtenBytes));
			return { ...whole, writtenBytes: bytes.length };
		} catch (error) {
			if (!(error instanceof AppendError)) throw error;
			return { ...whole, writtenBytes: writtenBytes + error.writtenBytes };
		}
	}

	report(report: ErrorReport): void {
		this.#errors.report(report);
	}

	reportUnwritable(output: string, error: unknown, message?: string): void {
		// Somebody is compressing it: nothing is wrong.
		if (error instanceof UnsettledError) return;
		this.report({
			what: "write lines to their file; they wait in parked/",
			error: error instanceof AppendError ? error.cause : error,
			output,
			...(message === undefined ? {} : { message }),
		});
	}
}

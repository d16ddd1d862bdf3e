/**
 * Brings the lines of a batch into their files, exactly once.
 *
 * In this order: the checkpoint gets the batch (where it ends in the spool, what each file is before it); each file gets
 * its lines with one write; only the next checkpoint says that the batch is done. A death in between leaves enough to
 * find out, file by file, what was written (`findAppend`).
 *
 * An output that fails is parked: what is left of its lines goes to its parked file, and the checkpoint is told first.
 */

import { FileSink } from "../sinks/file/file-sink.ts";
import { findAppend } from "../sinks/file/find-append.ts";
import { AppendError, readRange } from "../sinks/file/output-file.ts";
import { systemCode } from "../shared/errors.ts";
import type { CheckpointFile, OutputState } from "../spool/checkpoint.ts";
import type { SpoolReader } from "../spool/spool-reader.ts";
import type { Batch } from "./batch.ts";
import type { ErrorLog } from "./error-log.ts";
import type { ParkedOutput, ParkedOutputs } from "./parked-outputs.ts";

/** Bytes brought back from a parked file at a time. */
const bringBackBytes = 1024 * 1024;

/** Lines on their way into one file. */
interface Shipment {
	readonly path: string;
	readonly bytes: Buffer;
	/** Bytes that are in a file. */
	writtenBytes: number;
	/** What the file that gets the rest was before it; `undefined` before the batch is announced. */
	state: OutputState | undefined;
}

export class Delivery {
	readonly sink: FileSink = new FileSink();
	readonly #checkpoint: CheckpointFile;
	readonly #reader: SpoolReader;
	readonly #parked: ParkedOutputs;
	readonly #errors: ErrorLog;
	/** What of a batch is still to be written; kept while even the spool's own disk takes nothing. */
	#shipments: Shipment[] = [];
	#isPending = false;
	/** Whether the checkpoint holds the batch as it is now: nothing is written before it does. */
	#isAnnounced = false;
	#hasUnconfirmed = false;

	constructor(checkpoint: CheckpointFile, reader: SpoolReader, parked: ParkedOutputs, errors: ErrorLog) {
		this.#checkpoint = checkpoint;
		this.#reader = reader;
		this.#parked = parked;
		this.#errors = errors;
	}

	/** Whether a batch was begun that is not wholly delivered. Its lines must stay as they are until it is. */
	get isPending(): boolean {
		return this.#isPending;
	}

	/** Delivers what the reader has read since the last delivery. @throws what the spool's own disk says. */
	deliver(batch: Batch): void {
		this.#shipments = [...batch.lines].map(([path, { bytes }]) => ({ path, bytes, writtenBytes: 0, state: undefined }));
		this.#isPending = true;
		this.#isAnnounced = false;
		this.finish();
	}

	/** Writes what is still to be written of the batch. @throws what the spool's own disk says. */
	finish(): void {
		if (!this.#isAnnounced) this.#announce();
		for (const shipment of this.#shipments) this.#write(shipment);
		this.#shipments = [];
		this.#isPending = false;
		this.#reader.markDelivered();
		this.#hasUnconfirmed = true;
	}

	/** Stores that the last batch is done, and tells the producers. */
	confirm(): void {
		if (this.#hasUnconfirmed) this.#writeCheckpoint([]);
	}

	/** After a start: finds out what of the batch that a death interrupted is written. The rest is pending then. */
	recover(batch: Batch, outputs: readonly OutputState[]): void {
		for (const state of outputs) {
			if (state.parked !== undefined) {
				this.#recoverBroughtBack(state, state.parked);
				continue;
			}
			const bytes = batch.lines.get(state.path)?.bytes;
			if (bytes === undefined) continue;
			if (state.target !== state.path) this.#parked.park(state.path);
			const writtenBytes = state.skippedBytes + this.#countWritten(state, bytes.subarray(state.skippedBytes));
			this.#shipments.push({ path: state.path, bytes, writtenBytes, state });
		}
		this.#isPending = true;
		this.#isAnnounced = false;
	}

	/** Tries to bring lines back from the parked file of an output that is due. Returns whether it worked. */
	bringBack(parked: ParkedOutput, nowMs: number): boolean {
		try {
			const waiting = readWaiting(parked, parked.broughtBack + bringBackBytes);
			if (waiting.length > 0) this.#bringBackBytes(parked, waiting);
			else this.#releaseParked(parked);
			return true;
		} catch (error) {
			this.#parked.postpone(parked, nowMs);
			this.#report(parked.path, error, undefined);
			return false;
		}
	}

	/** Brings all files to the disk, and tells the producers. Blocks. Returns whether it worked. */
	sync(): boolean {
		this.sink.sync((path, error) => this.#errors.report({ what: "sync a file to the disk", error, output: path }));
		if (!this.sink.isSynced) return false;
		// The checkpoint first: after a power failure a line that was on disk must not be written again.
		this.confirm();
		this.#checkpoint.sync();
		this.#reader.publishDurable();
		return true;
	}

	/** Stores what is to be written, and what each file is before it. */
	#announce(): void {
		this.#isAnnounced = false;
		this.#shipments = this.#shipments.filter(({ writtenBytes, bytes }) => writtenBytes < bytes.length);
		const states = this.#shipments.map((shipment) => (shipment.state = this.#stateOf(shipment)));
		this.#writeCheckpoint(states);
		this.#isAnnounced = true;
	}

	/** What the file is that the rest goes to: the output itself, or its parked file. */
	#stateOf({ path, bytes, writtenBytes: skippedBytes }: Shipment): OutputState {
		if (this.#parked.get(path) === undefined) {
			try {
				return { path, target: path, ...this.sink.file(path).state, skippedBytes };
			} catch (error) {
				this.#park(path, error, lineAt(bytes, skippedBytes));
			}
		}
		const { file } = this.#parked.park(path);
		return { path, target: file, ...this.sink.file(file).state, skippedBytes };
	}

	#write(shipment: Shipment): void {
		const { path, bytes } = shipment;
		while (shipment.writtenBytes < bytes.length) {
			const { target } = shipment.state as OutputState;
			try {
				this.#append(target, bytes, shipment.writtenBytes);
				shipment.writtenBytes = bytes.length;
			} catch (error) {
				if (error instanceof AppendError) shipment.writtenBytes += error.writtenBytes;
				// The parked file itself can't be written: the spool's disk is full. Nothing is lost, it is tried again.
				if (target !== path) throw error;
				this.#park(path, error, lineAt(bytes, shipment.writtenBytes));
				this.#announce();
			}
		}
	}

	/** Appends what follows `from`; where that is the start of a line, also to a file that ends in half a line. */
	#append(target: string, bytes: Buffer, from: number): void {
		const isLineStart = from === 0 || bytes[from - 1] === 0x0a;
		if (isLineStart) this.sink.appendLines(target, bytes.subarray(from));
		else this.sink.append(target, bytes.subarray(from));
	}

	#park(path: string, error: unknown, message: string): void {
		this.#report(path, error, message);
		this.#parked.postpone(this.#parked.park(path), performance.now());
	}

	/** How many of the bytes that were to go to a file are in it, or in the file that it has become. */
	#countWritten(state: OutputState, bytes: Buffer): number {
		let writtenBytes = 0;
		try {
			const found = findAppend(state.target, state, bytes);
			writtenBytes = found.writtenBytes;
			if (found.path === state.target || writtenBytes === bytes.length) return writtenBytes;
			// Half a batch in a file that was renamed since: the other half belongs there, too.
			this.sink.append(found.path, bytes.subarray(writtenBytes));
			return bytes.length;
		} catch (error) {
			this.#errors.report({ what: "find out which lines are in their file", error, output: state.path });
			return writtenBytes + (error instanceof AppendError ? error.writtenBytes : 0);
		}
	}

	#recoverBroughtBack(state: OutputState, { from, to }: { readonly from: number; readonly to: number }): void {
		const parked = this.#parked.get(state.path);
		if (parked === undefined) return;
		parked.broughtBack = from;
		// No more than is ever brought back at a time, whatever the checkpoint says.
		const waiting = readWaiting(parked, Math.min(to, from + bringBackBytes));
		parked.broughtBack += this.#countWritten(state, waiting);
	}

	#bringBackBytes(parked: ParkedOutput, bytes: Buffer): void {
		const { path } = parked;
		const range = { from: parked.broughtBack, to: parked.broughtBack + bytes.length };
		const state = { path, target: path, ...this.sink.file(path).state, skippedBytes: 0, parked: range };
		this.#writeCheckpoint([state]);
		this.#hasUnconfirmed = true;
		try {
			this.sink.append(path, bytes);
			parked.broughtBack = range.to;
		} catch (error) {
			parked.broughtBack += error instanceof AppendError ? error.writtenBytes : 0;
			throw error;
		} finally {
			this.confirm();
		}
	}

	#releaseParked(parked: ParkedOutput): void {
		this.sink.file(parked.path).sync();
		this.sink.forget(parked.file);
		this.#parked.release(parked);
		this.#writeCheckpoint([]);
	}

	/** Stores where everything stands; what was delivered before is confirmed by it. */
	#writeCheckpoint(outputs: readonly OutputState[]): void {
		this.#checkpoint.write({
			horizon: this.#reader.horizon,
			delivered: this.#reader.delivered,
			chains: this.#reader.states(),
			outputs,
			parked: this.#parked.broughtBack(),
			unsynced: [...new Set([...this.sink.unsynced, ...outputs.map(({ target }) => target)])],
		});
		this.#hasUnconfirmed = false;
		this.#reader.publish();
	}

	#report(path: string, error: unknown, message: string | undefined): void {
		const cause = error instanceof AppendError ? error.cause : error;
		this.#errors.report({
			what: "write lines to their file; they wait in parked/",
			error: cause,
			output: path,
			...(message === undefined ? {} : { message }),
		});
	}
}

/** The parked bytes up to `to` that are not brought back. A file that somebody took away has none. */
function readWaiting({ file, broughtBack }: ParkedOutput, to: number): Buffer {
	try {
		return readRange(file, broughtBack, to);
	} catch (error) {
		if (systemCode(error) === "ENOENT") return Buffer.alloc(0);
		throw error;
	}
}

/** The line that the byte at `at` belongs to. */
function lineAt(bytes: Buffer, at: number): string {
	const start = at === 0 ? 0 : bytes.lastIndexOf(0x0a, at - 1) + 1;
	const end = bytes.indexOf(0x0a, start);
	return bytes.toString("utf8", start, Math.min(end === -1 ? bytes.length : end, start + 4096));
}

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
	state: OutputState;
	isDone: boolean;
}

/** What of a batch is still to be written; kept while even the spool's own disk takes nothing. */
export class Delivery {
	readonly sink: FileSink = new FileSink();
	readonly #checkpoint: CheckpointFile;
	readonly #reader: SpoolReader;
	readonly #parked: ParkedOutputs;
	readonly #errors: ErrorLog;
	#shipments: Shipment[] = [];
	#hasUnconfirmed = false;

	constructor(checkpoint: CheckpointFile, reader: SpoolReader, parked: ParkedOutputs, errors: ErrorLog) {
		this.#checkpoint = checkpoint;
		this.#reader = reader;
		this.#parked = parked;
		this.#errors = errors;
	}

	/** Whether a batch was begun that is not wholly delivered. */
	get isPending(): boolean {
		return this.#shipments.length > 0;
	}

	/** Delivers what the reader has read since the last delivery. @throws what the spool's own disk says. */
	deliver(batch: Batch): void {
		this.#shipments = [...batch.lines].map(([path, lines]) => this.#ship(path, lines.bytes));
		this.#writeCheckpoint();
		this.finish();
	}

	/** Writes what is still to be written of the batch. @throws what the spool's own disk says. */
	finish(): void {
		for (const shipment of this.#shipments) if (!shipment.isDone) this.#write(shipment);
		this.#shipments = [];
		this.#reader.markDelivered();
		this.#hasUnconfirmed = true;
	}

	/** Stores that the last batch is done, and tells the producers. */
	confirm(): void {
		if (!this.#hasUnconfirmed) return;
		this.#writeCheckpoint();
	}

	/** After a start: finds out what of the batch that a death interrupted is written, and writes the rest. */
	recover(batch: Batch, outputs: readonly OutputState[]): void {
		for (const state of outputs) {
			const lines = state.parked === undefined ? batch.lines.get(state.path)?.bytes : readParked(state, this.#parked);
			if (lines === undefined) continue;
			const bytes = lines.subarray(state.skippedBytes);
			const found = findAppend(state.target, state, bytes);
			const rest = bytes.subarray(found.writtenBytes);
			const target = found.writtenBytes > 0 ? found.path : state.target;
			if (rest.length > 0)
				this.#write({ path: state.path, bytes: rest, state: { ...state, target, skippedBytes: 0 }, isDone: false });
			const parked = this.#parked.get(state.path);
			if (parked !== undefined && state.parked !== undefined) parked.broughtBack = state.parked.to;
		}
		this.#reader.markDelivered();
		this.#hasUnconfirmed = true;
		this.confirm();
	}

	/** Tries to bring lines back from the parked file of an output that is due. Returns whether it worked. */
	bringBack(parked: ParkedOutput, nowMs: number): boolean {
		const waiting = readRange(parked.file, parked.broughtBack, parked.broughtBack + bringBackBytes);
		try {
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
		let isWell = true;
		this.sink.sync((path, error) => {
			isWell = false;
			this.#errors.report({ what: "sync a file to the disk", error, output: path });
		});
		if (isWell) this.#reader.publishDurable();
		return isWell;
	}

	#ship(path: string, bytes: Buffer): Shipment {
		return { path, bytes, state: this.#stateOf(path, 0, bytes), isDone: false };
	}

	/** What the file is that the lines go to: the output itself, or its parked file. */
	#stateOf(path: string, skippedBytes: number, bytes: Buffer): OutputState {
		const known = this.#parked.get(path);
		if (known === undefined) {
			try {
				return { path, target: path, ...this.sink.file(path).state, skippedBytes };
			} catch (error) {
				this.#report(path, error, firstLine(bytes.subarray(skippedBytes)));
				this.#parked.postpone(this.#parked.park(path), performance.now());
			}
		}
		const { file } = this.#parked.park(path);
		return { path, target: file, ...this.sink.file(file).state, skippedBytes };
	}

	#write(shipment: Shipment): void {
		const { path, bytes, state } = shipment;
		try {
			this.sink.append(state.target, bytes.subarray(state.skippedBytes));
		} catch (error) {
			const skippedBytes = state.skippedBytes + (error instanceof AppendError ? error.writtenBytes : 0);
			shipment.state = { ...state, skippedBytes };
			// The parked file itself can't be written: the spool's disk is full. Nothing is lost, it is tried again.
			if (state.target !== path) throw error;
			this.#report(path, error, firstLine(bytes.subarray(skippedBytes)));
			this.#parked.postpone(this.#parked.park(path), performance.now());
			shipment.state = this.#stateOf(path, skippedBytes, bytes);
			this.#writeCheckpoint();
			this.#write(shipment);
			return;
		}
		shipment.isDone = true;
	}

	#bringBackBytes(parked: ParkedOutput, bytes: Buffer): void {
		const { path } = parked;
		const range = { from: parked.broughtBack, to: parked.broughtBack + bytes.length };
		const state = { path, target: path, ...this.sink.file(path).state, skippedBytes: 0, parked: range };
		this.#writeCheckpoint([state]);
		try {
			this.sink.append(path, bytes);
			parked.broughtBack = range.to;
		} catch (error) {
			parked.broughtBack += error instanceof AppendError ? error.writtenBytes : 0;
			throw error;
		} finally {
			this.#hasUnconfirmed = true;
			this.confirm();
		}
	}

	#releaseParked(parked: ParkedOutput): void {
		this.sink.file(parked.path).sync();
		this.sink.forget(parked.file);
		this.#parked.release(parked);
		this.#hasUnconfirmed = true;
		this.confirm();
	}

	/** Stores where everything stands; what was delivered before is confirmed by it. */
	#writeCheckpoint(outputs: readonly OutputState[] = this.#shipments.map(({ state }) => state)): void {
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

function readParked(state: OutputState, parked: ParkedOutputs): Buffer | undefined {
	const output = parked.get(state.path);
	if (output === undefined || state.parked === undefined) return undefined;
	return readRange(output.file, state.parked.from, state.parked.to);
}

function firstLine(bytes: Buffer): string {
	const end = bytes.indexOf(0x0a);
	return bytes.toString("utf8", 0, Math.min(end === -1 ? bytes.length : end, 4096));
}

/**
 * Brings the lines of a batch into their files, exactly once.
 *
 * In this order: the checkpoint gets the batch (where it ends in the spool, what each file is before it); each file gets
 * its lines with one write; only the next checkpoint says that the batch is done. A death in between leaves enough to
 * find out, file by file, what was written (`findAppend`).
 *
 * An output that is refused (a logman with roots) gets nothing: what is left of its lines goes to quarantine, and is done.
 *
 * An output that fails is parked: what is left of its lines goes to its parked file, and the checkpoint is told first. So
 * is one that does not answer; whether its write has happened is in doubt then, and found out when it answers again
 * (`return-home.ts`).
 */

import { type FileSink, OtherFileError } from "../sinks/file/file-sink.ts";
import { AppendError } from "../sinks/file/output-file.ts";
import { isRefused } from "../sinks/file/output-paths.ts";
import { StalledError } from "../sinks/file/slow-calls.ts";
import type { PylogError } from "../shared/errors.ts";
import type { OutputState } from "../spool/checkpoint.ts";
import type { Batch } from "./batch.ts";
import { dropLine } from "./drop-line.ts";
import type { ParkedOutput } from "./parked-outputs.ts";
import { isWritten, leadWith, nextLine, type Shipment } from "./shipment.ts";
import type { Standing } from "./standing.ts";

const newline = 0x0a;
const lineBreak: Buffer = Buffer.from("\n");

export class Delivery {
	readonly #standing: Standing;
	readonly #outputs: FileSink;
	readonly #aside: FileSink;
	/** What of a batch is still to be written; kept while even the spool's own disk takes nothing. */
	#shipments: Shipment[] = [];
	#isPending = false;
	/** Whether the checkpoint holds the batch as it is now: nothing is written before it does. */
	#isAnnounced = false;

	constructor(standing: Standing) {
		this.#standing = standing;
		this.#outputs = standing.outputs;
		this.#aside = standing.aside;
	}

	/** Whether a batch was begun that is not wholly delivered. Its lines must stay as they are until it is. */
	get isPending(): boolean {
		return this.#isPending;
	}

	/** Delivers what the reader has read since the last delivery. @throws what the spool's own disk says. */
	async deliver(batch: Batch): Promise<void> {
		const shipments: Shipment[] = [];
		for (const [path, { lines, records, definition }] of batch.outputs) {
			shipments.push({ path, lead: "", bytes: lines.bytes, writtenBytes: 0, records, definition, state: undefined });
		}
		await this.#begin(shipments);
	}

	/** Puts the line that tells of dropped ones behind what is parked. @throws as {@link deliver} */
	async tellDrops(parked: ParkedOutput, notice: string): Promise<void> {
		const bytes = Buffer.from(notice);
		parked.dropped = undefined;
		await this.#begin([
			{ path: parked.path, lead: notice, bytes, writtenBytes: 0, records: 0, definition: undefined, state: undefined },
		]);
	}

	/** Writes what is still to be written of the batch. @throws what the spool's own disk says. */
	async finish(): Promise<void> {
		if (!this.#isAnnounced) await this.#announce();
		for (const shipment of this.#shipments) await this.#write(shipment);
		this.#shipments = [];
		this.#isPending = false;
		this.#standing.noteDelivered();
	}

	/** After a start: finds out what of the batch that a death interrupted is written. The rest is pending then. */
	async recover(batch: Batch, outputs: readonly OutputState[]): Promise<void> {
		const others = new Set([...batch.outputs.keys(), ...outputs.map(({ path }) => path)]);
		for (const state of outputs) {
			if (state.parked === undefined) this.#shipments.push(await this.#recover(batch, state, others));
			// Of one that is not parked nothing is in doubt, whatever the checkpoint says.
			else if (this.#standing.parked.get(state.path) !== undefined)
				this.#standing.doubts.set(state.path, { ...state, parked: state.parked });
		}
		this.#isPending = true;
		this.#isAnnounced = false;
	}

	async #recover(batch: Batch, state: OutputState, others: ReadonlySet<string>): Promise<Shipment> {
		const { path, target, skippedBytes, lead = "" } = state;
		const { lines, records = 0, definition } = batch.outputs.get(path) ?? {};
		const bytes = Buffer.concat([Buffer.from(lead), lines?.bytes ?? Buffer.alloc(0)]);
		const shipment: Shipment = { path, lead, bytes, writtenBytes: skippedBytes, records, definition, state };
		if (target !== path) this.#standing.parked.park(path);
		try {
			const rest = bytes.subarray(skippedBytes);
			shipment.writtenBytes += (await this.#standing.countWritten(state, rest, others)).writtenBytes;
		} catch (error) {
			if (isRefused(error)) this.#refuse(shipment, error);
			else if (target === path) this.#putInDoubt(shipment, error);
			else this.#standing.report({ what: "find out which lines are in their parked file", error, output: path });
		}
		return shipment;
	}

	async #begin(shipments: Shipment[]): Promise<void> {
		this.#shipments = shipments;
		this.#isPending = true;
		this.#isAnnounced = false;
		await this.finish();
	}

	/** Stores what is to be written, and what each file is before it. */
	async #announce(): Promise<void> {
		this.#isAnnounced = false;
		const states: OutputState[] = [];
		for (const shipment of this.#shipments) {
			if (isWritten(shipment)) continue;
			shipment.state = await this.#stateOf(shipment);
			if (shipment.state !== undefined) states.push(shipment.state);
		}
		this.#shipments = this.#shipments.filter((shipment) => !isWritten(shipment));
		this.#standing.store(states);
		this.#isAnnounced = true;
	}

	/** What the file is that the rest goes to: the output itself, or its parked file. `undefined`: there is no room, or it is refused. */
	async #stateOf(shipment: Shipment): Promise<OutputState | undefined> {
		const { path } = shipment;
		if (this.#standing.parked.get(path) === undefined) {
			try {
				const file = await this.#outputs.file(path);
				if (file.endsInLine) await this.#breakLine(shipment);
				return stateFor(shipment, path, file.state);
			} catch (error) {
				if (isRefused(error)) {
					this.#refuse(shipment, error);
					return undefined;
				}
				this.#park(shipment, error);
			}
		}
		const parked = this.#standing.parked.park(path);
		if (this.#isDropped(shipment, parked)) return undefined;
		if (parked.dropped !== undefined && shipment.writtenBytes === 0) {
			leadWith(shipment, parked.dropped.notice);
			parked.dropped = undefined;
		}
		return stateFor(shipment, parked.file, (await this.#aside.file(parked.file)).state);
	}

	/** Somebody's line without an end, or one that a power failure has cut: ours must not go on in it. */
	async #breakLine(shipment: Shipment): Promise<void> {
		const { path, bytes, writtenBytes } = shipment;
		if (writtenBytes === 0) leadWith(shipment, "\n");
		// Half a line of this batch, whose record was damaged since: the break is no part of what is made again.
		else if (bytes[writtenBytes - 1] === newline) await this.#outputs.append(path, lineBreak);
	}

	/** Drops the lines for a parked output where there is no room for them; half a batch goes on to its end. */
	#isDropped(shipment: Shipment, parked: ParkedOutput): boolean {
		const { bytes, writtenBytes, records, definition } = shipment;
		if (definition === undefined || writtenBytes > 0 || this.#standing.parked.hasRoom(bytes.length)) return false;
		const count = (parked.dropped?.count ?? 0) + records;
		parked.dropped = { count, notice: dropLine(count, definition, this.#standing.reader.horizon) };
		shipment.writtenBytes = bytes.length;
		this.#standing.report({
			what: "keep lines for an output that can't be written; they are dropped, and a line will say so",
			error: "parked/ has reached its limit (option maxParkedBytes)",
			output: shipment.path,
		});
		return true;
	}

	async #write(shipment: Shipment): Promise<void> {
		const { path, bytes } = shipment;
		while (!isWritten(shipment)) {
			const { target } = shipment.state as OutputState;
			const before = shipment.writtenBytes;
			try {
				const { state } = shipment;
				await (target === path ? this.#outputs : this.#aside).append(target, bytes.subarray(before), state);
				shipment.writtenBytes = bytes.length;
			} catch (error) {
				if (error instanceof AppendError) shipment.writtenBytes += error.writtenBytes;
				if (isRefused(error)) {
					this.#refuse(shipment, error);
					continue;
				}
				if (error instanceof OtherFileError) {
					await this.#announce();
					continue;
				}
				// The parked file itself can't be written: the spool's disk is full. Nothing is lost, it is tried again.
				if (target !== path) throw error;
				if (error instanceof StalledError && error.isUnderWay) this.#putInDoubt(shipment, error);
				else this.#park(shipment, error);
				await this.#announce();
			} finally {
				if (target !== path) this.#standing.parked.park(path).sizeBytes += shipment.writtenBytes - before;
			}
		}
	}

	/** Parks an output of which is not known how much of the shipment it has. The next checkpoint has to say so. */
	#putInDoubt(shipment: Shipment, error: unknown): void {
		const state = shipment.state as OutputState;
		this.#park(shipment, error);
		const from = this.#standing.parked.park(state.path).sizeBytes;
		const to = from + shipment.bytes.length - shipment.writtenBytes;
		this.#standing.doubts.set(state.path, { ...state, skippedBytes: 0, parked: { from, to } });
	}

	/** Keeps in quarantine what is left: for an output that may not be written nothing waits. It counts as done. */
	#refuse(shipment: Shipment, refusal: PylogError): void {
		const rest = shipment.bytes.subarray(shipment.writtenBytes);
		// An end for somebody's line is none of ours.
		if (rest.length > 1) this.#standing.refusals.refuse(shipment.path, rest, refusal);
		shipment.writtenBytes = shipment.bytes.length;
	}

	#park(shipment: Shipment, error: unknown): void {
		this.#standing.reportUnwritable(shipment.path, error, nextLine(shipment));
		const { retry } = this.#standing.parked.park(shipment.path);
		retry.postpone(performance.now());
	}
}

function stateFor(
	{ path, writtenBytes, lead }: Shipment,
	target: string,
	file: Omit<OutputState, "path" | "target" | "skippedBytes">,
): OutputState {
	return { path, target, ...file, atMs: Date.now(), skippedBytes: writtenBytes, ...(lead === "" ? {} : { lead }) };
}

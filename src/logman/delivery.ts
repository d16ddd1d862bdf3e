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
 *
 * Where even the spool's own disk takes nothing, the batch is held up. Where its rest goes is decided anew with each try:
 * to the output, unless something is parked for it or it has failed a short while ago, else beside it. Meanwhile parked
 * lines may be brought back, and then the rest follows them. That holds by these rules:
 *
 * - Nothing is written that is not announced: the newest checkpoint names the file, and what it was before.
 * - While a batch is held up, its announcement is exact: since then nobody has written anything of it. So a parked file
 *   may be removed once all of it is in its output; the rest that was bound for it is in no file.
 * - A write that may still happen is never tried again before it is known whether it has.
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
import { Retry } from "./retry.ts";
import { isWritten, leadWith, nextLine, type Shipment, shipmentTo, tellsOfDrops } from "./shipment.ts";
import type { Doubt, Standing } from "./standing.ts";

const newline = 0x0a;
const lineBreak: Buffer = Buffer.from("\n");

export class Delivery {
	readonly #standing: Standing;
	readonly #outputs: FileSink;
	readonly #aside: FileSink;
	/** What of a batch is still to be written; kept while even the spool's own disk takes nothing. */
	#shipments: Shipment[] = [];
	/** Outputs of the batch, those that have all their lines as well. */
	#others: ReadonlySet<string> = new Set();
	/** When the outputs of the batch that failed are tried again, by path; also while they are not parked. */
	readonly #retries = new Map<string, Retry>();
	#isPending = false;
	#isHeldUp = false;
	/** Not called yet. */
	#whileWriting: (() => void) | undefined;

	constructor(standing: Standing) {
		this.#standing = standing;
		this.#outputs = standing.outputs;
		this.#aside = standing.aside;
	}

	/** Whether a batch was begun that is not wholly delivered. Its lines must stay as they are until it is. */
	get isPending(): boolean {
		return this.#isPending;
	}

	/** Whether a batch waits of which the checkpoint tells exactly what is written: parked lines may be brought back meanwhile. */
	get isHeldUp(): boolean {
		return this.#isHeldUp;
	}

	/**
	 * Delivers what the reader has read since the last delivery.
	 *
	 * @param whileWriting Called once, when the first lines are on their way: there is time until they are in their file.
	 * @throws what the spool's own disk says.
	 */
	async deliver(batch: Batch, whileWriting?: () => void): Promise<void> {
		const shipments = [...batch.outputs].map(([path, { lines, records, definition }]) =>
			shipmentTo(path, lines.bytes, { records, definition }),
		);
		this.#others = new Set(batch.outputs.keys());
		this.#whileWriting = whileWriting;
		await this.#begin(shipments);
	}

	/** Puts the line that tells of dropped ones behind what is parked. Not while a batch is pending. @throws as {@link deliver} */
	async tellDrops(parked: ParkedOutput, notice: string): Promise<void> {
		parked.dropped = undefined;
		await this.#begin([shipmentTo(parked.path, Buffer.from(notice), { lead: notice })]);
	}

	/** Writes what is still to be written of the batch. @throws what the spool's own disk says. */
	async finish(): Promise<void> {
		for (const shipment of this.#shipments) shipment.obstacle = undefined;
		await this.#announce();
		// One that is held up holds up no other of the batch.
		for (const shipment of this.#shipments) await this.#write(shipment);
		const held = this.#shipments.find((shipment) => !isWritten(shipment));
		if (held !== undefined) await this.#announce();
		if (held?.obstacle !== undefined && this.#shipments.length > 0) {
			this.#isHeldUp = true;
			throw held.obstacle;
		}
		this.#shipments = [];
		this.#retries.clear();
		this.#whileWriting = undefined;
		this.#isPending = false;
		this.#standing.noteDelivered();
	}

	/** After a start: takes up a batch that a death has interrupted. What of it is written is found out when it is finished. */
	recover(batch: Batch, outputs: readonly OutputState[]): void {
		this.#others = new Set([...batch.outputs.keys(), ...outputs.map(({ path }) => path)]);
		for (const state of outputs) {
			const { path, parked } = state;
			if (parked === undefined) this.#shipments.push(interrupted(batch, state));
			// Without its parked file, all that was in doubt is settled.
			else if (this.#standing.parked.get(path) !== undefined) this.#standing.doubts.set(path, { ...state, parked });
		}
		this.#isPending = true;
	}

	/** The bytes of a doubt that are not all parked yet: the rest of them is held up. */
	bytesInDoubt({ path, parked: { from, to } }: Doubt): Buffer | undefined {
		if (to <= (this.#standing.parked.get(path)?.sizeBytes ?? 0)) return undefined;
		return this.#shipments.find((shipment) => shipment.path === path)?.bytes.subarray(from - to);
	}

	/** Notes that bytes are in the output which were on their way to its parked file. The next checkpoint says so. */
	noteWritten(path: string, bytes: number): void {
		if (bytes <= 0) return;
		for (const shipment of this.#shipments) {
			const { state } = shipment;
			if (shipment.path !== path || state === undefined) continue;
			shipment.writtenBytes = Math.min(shipment.bytes.length, shipment.writtenBytes + bytes);
			shipment.state = { ...state, skippedBytes: shipment.writtenBytes };
		}
		this.#standing.announced = this.#shipments.flatMap(({ state }) => state ?? []);
	}

	async #begin(shipments: Shipment[]): Promise<void> {
		this.#shipments = shipments;
		this.#isPending = true;
		await this.finish();
	}

	/** Stores what is to be written, and what each file is before it. */
	async #announce(): Promise<void> {
		this.#isHeldUp = false;
		for (const shipment of this.#shipments) shipment.state = await this.#stateOf(shipment);
		this.#shipments = this.#shipments.filter((shipment) => !isWritten(shipment));
		this.#standing.announced = this.#shipments.flatMap(({ state }) => state ?? []);
		this.#standing.store();
	}

	/** What the file is that the rest goes to: the output itself, or its parked file. `undefined`: there is no rest. */
	async #stateOf(shipment: Shipment): Promise<OutputState | undefined> {
		const { path } = shipment;
		if (shipment.isInDoubt && shipment.obstacle === undefined) await this.#compare(shipment);
		if (isWritten(shipment)) return undefined;
		const isFree = shipment.obstacle === undefined && this.#standing.parked.get(path) === undefined;
		const state = isFree ? await this.#outputState(shipment) : undefined;
		return isWritten(shipment) ? undefined : (state ?? this.#parkedState(shipment));
	}

	/** `undefined`: the output fails, or did a short while ago, or is refused. */
	async #outputState(shipment: Shipment): Promise<OutputState | undefined> {
		if (this.#retries.get(shipment.path)?.isDue(performance.now()) === false) {
			// There may be room beside it now.
			this.#setAside(shipment);
			return undefined;
		}
		try {
			const file = await this.#outputs.file(shipment.path);
			if (file.endsInLine) await this.#breakLine(shipment);
			return stateFor(shipment, shipment.path, file.state);
		} catch (error) {
			if (isRefused(error)) this.#refuse(shipment, error);
			else this.#park(shipment, error);
			return undefined;
		}
	}

	async #parkedState(shipment: Shipment): Promise<OutputState | undefined> {
		const parked = this.#standing.parked.get(shipment.path);
		// It can't even be parked. What was announced still holds: nothing is written since but to that file.
		if (parked === undefined) return shipment.state ?? stateFor(shipment, shipment.path, unknownFile);
		if (this.#isDropped(shipment, parked)) return undefined;
		const { state } = await this.#aside.file(parked.file);
		if (parked.dropped !== undefined && shipment.writtenBytes === 0) {
			leadWith(shipment, parked.dropped.notice);
			parked.dropped = undefined;
		}
		return stateFor(shipment, parked.file, state);
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
		const { bytes, writtenBytes, records, definition, state } = shipment;
		if (definition === undefined || writtenBytes > 0 || this.#standing.parked.hasRoom(bytes.length)) return false;
		// There was room for it when it was announced.
		if (state?.target === parked.file || tellsOfDrops(shipment)) return false;
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

	/** Writes the rest, unless nothing takes it. */
	async #write(shipment: Shipment): Promise<void> {
		const { path, bytes } = shipment;
		while (!isWritten(shipment) && shipment.obstacle === undefined) {
			const { target } = shipment.state as OutputState;
			const before = shipment.writtenBytes;
			try {
				const { state } = shipment;
				const sink = target === path ? this.#outputs : this.#aside;
				const work = sink.append(target, bytes.subarray(before), state);
				this.#useTime();
				await work;
				shipment.writtenBytes = bytes.length;
			} catch (error) {
				if (error instanceof AppendError) shipment.writtenBytes += error.writtenBytes;
				if (isRefused(error)) this.#refuse(shipment, error);
				else if (error instanceof OtherFileError) await this.#announce();
				// The parked file itself can't be written: the spool's disk is full. Nothing is lost, it is tried again.
				else if (target !== path) shipment.obstacle = asError(error);
				else await this.#turnAside(shipment, error);
			} finally {
				const parked = this.#standing.parked.get(path);
				if (target !== path && parked !== undefined) parked.sizeBytes += shipment.writtenBytes - before;
			}
		}
	}

	#useTime(): void {
		const whileWriting = this.#whileWriting;
		this.#whileWriting = undefined;
		whileWriting?.();
	}

	async #turnAside(shipment: Shipment, error: unknown): Promise<void> {
		if (error instanceof StalledError && error.isUnderWay) this.#putInDoubt(shipment, error);
		else this.#park(shipment, error);
		await this.#announce();
	}

	/** Finds out how much of the rest is in the file that it was to go to. What does not answer is parked. */
	async #compare(shipment: Shipment): Promise<void> {
		const { path, bytes } = shipment;
		const state = shipment.state as OutputState;
		const rest = bytes.subarray(state.skippedBytes);
		shipment.writtenBytes = state.skippedBytes;
		shipment.isInDoubt = false;
		try {
			const { writtenBytes, path: found, offset } = await this.#standing.countWritten(state, rest, this.#others);
			// It answers again.
			this.#retries.delete(path);
			shipment.writtenBytes += writtenBytes;
			// In a copy of the file it is the business of whoever made that.
			if (state.target !== path || offset === undefined) return;
			this.#outputs.noteAppended(found, state, offset, rest.subarray(0, writtenBytes));
		} catch (error) {
			if (isRefused(error)) this.#refuse(shipment, error);
			else if (state.target === path) this.#putInDoubt(shipment, error);
			else this.#standing.report({ what: "find out which lines are in their parked file", error, output: path });
		}
	}

	/** Parks an output of which is not known how much of the shipment it has. The next checkpoint has to say so. */
	#putInDoubt(shipment: Shipment, error: unknown): void {
		const state = shipment.state as OutputState;
		const parked = this.#park(shipment, error);
		shipment.isInDoubt = parked === undefined;
		if (parked === undefined) return;
		const from = parked.sizeBytes;
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

	/** After growing pauses the output is tried again. `undefined` where there is no room beside it. */
	#park(shipment: Shipment, error: unknown): ParkedOutput | undefined {
		const { path } = shipment;
		this.#standing.reportUnwritable(path, error, nextLine(shipment));
		// One that was parked in vain goes on with its pauses.
		const retry = this.#standing.parked.get(path)?.retry ?? this.#retries.get(path) ?? new Retry();
		retry.postpone(performance.now());
		this.#retries.set(path, retry);
		return this.#setAside(shipment);
	}

	/** `undefined` where there is no room for that. */
	#setAside(shipment: Shipment): ParkedOutput | undefined {
		const { path } = shipment;
		try {
			return this.#standing.parked.park(path, this.#retries.get(path));
		} catch (problem) {
			shipment.obstacle = asError(problem);
			return undefined;
		}
	}
}

/** What of a batch was to go to a file when a death came. */
function interrupted(batch: Batch, state: OutputState): Shipment {
	const { path, skippedBytes, lead = "" } = state;
	const { lines, records = 0, definition } = batch.outputs.get(path) ?? {};
	const bytes = Buffer.concat([Buffer.from(lead), lines?.bytes ?? Buffer.alloc(0)]);
	const shipment = shipmentTo(path, bytes, { lead, records, definition });
	return { ...shipment, writtenBytes: skippedBytes, state, isInDoubt: true };
}

/** A file that can't be opened has nothing of a batch. */
const unknownFile = { device: 0, inode: 0, sizeBytes: 0, tail: 0 };

function stateFor(
	{ path, writtenBytes, lead }: Shipment,
	target: string,
	file: Omit<OutputState, "path" | "target" | "skippedBytes">,
): OutputState {
	return { path, target, ...file, atMs: Date.now(), skippedBytes: writtenBytes, ...(lead === "" ? {} : { lead }) };
}

function asError(error: unknown): Error {
	return error instanceof Error ? error : new Error(String(error));
}

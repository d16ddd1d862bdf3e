/**
 * The checkpoint: how far the reader of the spool has got, and the batch it is about to deliver.
 *
 * Two slots are written in turn, each with a generation and a checksum; the newest valid one counts, so a write torn by
 * a kill costs nothing but itself. A slot holds, per lane of each producer, where the last delivered record ended
 * (`from`) and where the batch being delivered ends (`to`), and per output of that batch what the file was before it.
 * The next slot, whose `from` is the former `to`, is what says that the batch is done. So the same batch, to the byte,
 * can be made again after a death at any moment.
 *
 *     0                  slotBytes            2 × slotBytes
 *     header chains JSON | header chains JSON |
 *
 * `slotBytes` is in the header; a state that does not fit makes a new file with larger slots, renamed into place.
 */

import { closeSync } from "node:fs";
import { removeIfThere, rename, syncData, writeWhole } from "../platform/durable-file.ts";
import { openOwnedFile, openPlainFile } from "../platform/owned-files.ts";
import { reserve } from "../platform/reserve.ts";
import { PylogError } from "../shared/errors.ts";
import { checkpointHeaderBytes, firstSlotBytes } from "./checkpoint-layout.ts";
import { type Checkpoint, encodeSlot, readExactly, readNewest, readSlot, type Slot } from "./checkpoint-slot.ts";

export type { ChainPosition, ChainState, Checkpoint, OutputState } from "./checkpoint-slot.ts";

/** The newest valid checkpoint of a file; `undefined` where there is none. Reads only. */
export function readCheckpoint(path: string): Checkpoint | undefined {
	let fd: number | undefined;
	try {
		fd = openPlainFile(path);
	} catch {
		return undefined;
	}
	if (fd === undefined) return undefined;
	try {
		return readNewest(fd)?.checkpoint;
	} finally {
		closeSync(fd);
	}
}

/** What stands in one of the two slots. Without a generation it is empty, or `isDamaged`. */
export interface CheckpointSlot {
	readonly offset: number;
	readonly generation: number | undefined;
	readonly isDamaged: boolean;
}

/** Both slots of a checkpoint file, for those who only look; none where there is no file. */
export function checkpointSlots(path: string): readonly CheckpointSlot[] {
	const fd = openPlainFile(path);
	if (fd === undefined) return [];
	try {
		const slotBytes = readNewest(fd)?.slotBytes ?? firstSlotBytes;
		return [0, slotBytes].map((offset) => {
			const generation = readSlot(fd, offset)?.generation;
			const isEmpty = readExactly(fd, offset, checkpointHeaderBytes)?.every((byte) => byte === 0) ?? true;
			return { offset, generation, isDamaged: generation === undefined && !isEmpty };
		});
	} finally {
		closeSync(fd);
	}
}

export class CheckpointFile {
	readonly #path: string;
	#fd: number;
	#slotBytes: number;
	#generation: number;
	/** The newest checkpoint; `undefined` in a new file. */
	#latest: Checkpoint | undefined;

	private constructor(path: string, fd: number, slotBytes: number, newest: Slot | undefined) {
		this.#path = path;
		this.#fd = fd;
		this.#slotBytes = slotBytes;
		this.#generation = newest?.generation ?? 0;
		this.#latest = newest?.checkpoint;
	}

	/** Opens the checkpoint of a spool, making it where it is missing. Only the holder of the lease may. */
	static open(path: string): CheckpointFile {
		const fd = openOwnedFile("checkpoint.create", path, "missing");
		const newest = readNewest(fd);
		const slotBytes = newest?.slotBytes ?? firstSlotBytes;
		try {
			reserveSlots(fd, path, slotBytes);
		} catch (error) {
			closeSync(fd);
			throw error;
		}
		return new CheckpointFile(path, fd, slotBytes, newest);
	}

	get latest(): Checkpoint | undefined {
		return this.#latest;
	}

	/** Stores a state over the older slot. On return it survives the death of this process. */
	write(checkpoint: Checkpoint): void {
		const bytes = encodeSlot(checkpoint, this.#generation + 1, this.#slotBytes);
		if (bytes.length > this.#slotBytes) {
			this.#grow(bytes.length);
			this.write(checkpoint);
			return;
		}
		this.#generation += 1;
		writeWhole("checkpoint.store", this.#fd, bytes, (this.#generation % 2) * this.#slotBytes);
		this.#latest = checkpoint;
	}

	/** Brings the newest state to the disk. Blocks. */
	sync(): void {
		syncData("checkpoint.sync", this.#fd);
	}

	close(): void {
		closeSync(this.#fd);
	}

	/** Moves to a file with larger slots; the rename makes it count, with the latest state in it. */
	#grow(atLeastBytes: number): void {
		const slotBytes = 2 ** Math.ceil(Math.log2(atLeastBytes * 2));
		const draft = `${this.#path}.new`;
		// What a killed logman left of such a move has slots of its own.
		removeIfThere("checkpoint.clear-larger", draft);
		const fd = openOwnedFile("checkpoint.create-larger", draft, "exclusive");
		try {
			reserveSlots(fd, draft, slotBytes);
			if (this.#latest !== undefined) {
				this.#generation += 1;
				const latest = encodeSlot(this.#latest, this.#generation, slotBytes);
				writeWhole("checkpoint.store-larger", fd, latest, (this.#generation % 2) * slotBytes);
			}
			// After a power failure an empty file must not stand in the place of a whole one.
			syncData("checkpoint.sync-larger", fd);
			rename("checkpoint.replace", draft, this.#path);
		} catch (error) {
			closeSync(fd);
			removeIfThere("checkpoint.give-up-larger", draft);
			throw error;
		}
		closeSync(this.#fd);
		this.#fd = fd;
		this.#slotBytes = slotBytes;
	}
}

function reserveSlots(fd: number, path: string, slotBytes: number): void {
	if (reserve("checkpoint.reserve", fd, slotBytes * 2)) return;
	throw new PylogError("PYLOG_SPOOL_FULL", `The disk has no room for the checkpoint ${path} (${slotBytes * 2} bytes).`);
}

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
 *
 * A power failure may tear both slots, since neither was synced. So what is to be on disk goes to a second file of the same
 * form, `checkpoint.synced`, where each slot is synced before the other one is written. It counts only after a reboot, and
 * only where it is newer than what is left of the first: while the machine runs, the first one is never behind.
 */

import { closeSync } from "node:fs";
import { dirname, join } from "node:path";
import { removeIfThere, rename, syncData, syncFolder, writeWhole } from "../platform/durable-file.ts";
import { openOwnedFile } from "../platform/owned-files.ts";
import { reserve } from "../platform/reserve.ts";
import { PylogError } from "../shared/errors.ts";
import { lanes } from "../shared/lane.ts";
import { type DamagedSlot, lookAtSlots, type SlotLook } from "./checkpoint-damage.ts";
import { checkpointHeaderBytes, firstSlotBytes } from "./checkpoint-layout.ts";
import { encodeSlot, readNewest, readSlot, type Slot } from "./checkpoint-slot.ts";
import type { Checkpoint } from "./checkpoint-state.ts";
import { spoolPaths } from "./paths.ts";
import { openRegularFile } from "./regular-file.ts";
import { Removals } from "./removals.ts";

export type {
	ChainPosition,
	ChainState,
	Checkpoint,
	OutputState,
	ParkedDrops,
	UnsyncedFile,
} from "./checkpoint-state.ts";

/** The newest valid checkpoint of a file; `undefined` where there is none. Reads only, and never waits. */
export function readCheckpoint(path: string): Checkpoint | undefined {
	const look = openRegularFile(path);
	if (look.kind !== "file") return undefined;
	try {
		return readNewest(look.fd)?.checkpoint;
	} finally {
		closeSync(look.fd);
	}
}

export class CheckpointFile {
	readonly #slots: SlotPair;
	readonly #synced: SlotPair;
	readonly #removals: Removals;
	#generation: number;
	/** The newest checkpoint; `undefined` in a new file. */
	#latest: Checkpoint | undefined;
	/** Slots that hold bytes which are no checkpoint, nor what a death in the middle of a write leaves. */
	readonly damaged: readonly DamagedSlot[];
	/** Whether there may have been a newer checkpoint than {@link latest}: the other slot has none. */
	readonly isUncertain: boolean;

	private constructor(slots: SlotPair, synced: SlotPair, removals: Removals) {
		const looks = slots.look();
		this.damaged = looks.flatMap(({ damage }) => damage ?? []);
		this.isUncertain = looks.some(({ generation }) => generation === undefined);
		this.#slots = slots;
		this.#synced = synced;
		this.#removals = removals;
		this.#generation = slots.newest?.generation ?? 0;
		this.#latest = slots.newest?.checkpoint;
	}

	/** Opens the checkpoint of a spool, making it where it is missing. Only the holder of the lease may. */
	static open(path: string): CheckpointFile {
		const slots = SlotPair.open(path);
		try {
			const { inbox, syncedCheckpoint } = spoolPaths(dirname(path));
			const removals = new Removals(lanes.map((lane) => join(inbox, lane)));
			return new CheckpointFile(slots, SlotPair.open(syncedCheckpoint), removals);
		} catch (error) {
			slots.close();
			throw error;
		}
	}

	/** After a reboot: makes the newest state that is left count. Makes the files where they are missing. */
	static restore(path: string): void {
		const checkpoint = CheckpointFile.open(path);
		try {
			const synced = checkpoint.#synced.newest;
			if (synced === undefined || synced.generation <= checkpoint.#generation) return;
			checkpoint.#generation = synced.generation;
			checkpoint.#slots.write(synced.checkpoint, synced.generation);
		} finally {
			checkpoint.close();
		}
	}

	get latest(): Checkpoint | undefined {
		return this.#latest;
	}

	/** Stores a state over the older slot. On return it survives the death of this process. */
	write(checkpoint: Checkpoint): void {
		this.#slots.write(checkpoint, this.#generation + 1);
		this.#generation += 1;
		this.#latest = checkpoint;
	}

	/** Puts a state, if there is one, in the place of {@link damaged} slots, so that nobody is told of them again. */
	replaceDamaged(checkpoint: Checkpoint | undefined): void {
		if (this.damaged.length === 0) return;
		// It goes to the slot that does not count, which is the damaged one.
		if (checkpoint !== undefined) this.write(checkpoint);
		else for (const { offset } of this.damaged) this.#slots.clear(offset);
	}

	/** Brings the newest state to the disk, after what must not come back once it counts. Blocks. */
	sync(): void {
		this.#removals.sync();
		if (this.#latest === undefined || this.#synced.newest?.generation === this.#generation) return;
		this.#synced.write(this.#latest, this.#generation);
		this.#synced.sync();
	}

	close(): void {
		this.#slots.close();
		this.#synced.close();
	}
}

/** A file of two slots, of which the one that was written longer ago is written next. */
class SlotPair {
	readonly #path: string;
	#fd: number;
	#slotBytes: number;
	#newest: Slot | undefined;
	/** The slot of the newest state: 0 or 1. */
	#place: number;

	private constructor(path: string, fd: number, slotBytes: number) {
		this.#path = path;
		this.#fd = fd;
		this.#slotBytes = slotBytes;
		this.#newest = readNewest(fd);
		this.#place = readSlot(fd, 0)?.generation === this.#newest?.generation ? 0 : 1;
	}

	static open(path: string): SlotPair {
		const fd = openOwnedFile("checkpoint.create", path, "missing");
		const slotBytes = readNewest(fd)?.slotBytes ?? firstSlotBytes;
		try {
			reserveSlots(fd, path, slotBytes);
			return new SlotPair(path, fd, slotBytes);
		} catch (error) {
			closeSync(fd);
			throw error;
		}
	}

	/** What was written last. */
	get newest(): Slot | undefined {
		return this.#newest;
	}

	/** Both slots as they are now. */
	look(): readonly SlotLook[] {
		return lookAtSlots(this.#fd, this.#newest);
	}

	write(checkpoint: Checkpoint, generation: number): void {
		let bytes = encodeSlot(checkpoint, generation, this.#slotBytes);
		if (bytes.length > this.#slotBytes) {
			this.#grow(bytes.length);
			bytes = encodeSlot(checkpoint, generation, this.#slotBytes);
		}
		writeWhole("checkpoint.store", this.#fd, bytes, (1 - this.#place) * this.#slotBytes);
		this.#place = 1 - this.#place;
		this.#newest = { generation, slotBytes: this.#slotBytes, checkpoint };
	}

	sync(): void {
		syncData("checkpoint.sync", this.#fd);
	}

	close(): void {
		closeSync(this.#fd);
	}

	/** Empties the slot at an offset. */
	clear(offset: number): void {
		writeWhole("checkpoint.clear-damaged", this.#fd, Buffer.alloc(checkpointHeaderBytes), offset);
	}

	/** Moves to a file with larger slots; the rename makes it count, with the newest state in it. */
	#grow(atLeastBytes: number): void {
		const slotBytes = 2 ** Math.ceil(Math.log2(atLeastBytes * 2));
		const draft = `${this.#path}.new`;
		// What a killed logman left of such a move has slots of its own.
		removeIfThere("checkpoint.clear-larger", draft);
		const fd = openOwnedFile("checkpoint.create-larger", draft, "exclusive");
		try {
			reserveSlots(fd, draft, slotBytes);
			if (this.#newest !== undefined) {
				const { checkpoint, generation } = this.#newest;
				const bytes = encodeSlot(checkpoint, generation, slotBytes);
				writeWhole("checkpoint.store-larger", fd, bytes, this.#place * slotBytes);
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
		// Nor the former one in the place of what is synced into this one from here on.
		syncFolder("checkpoint.sync-name", dirname(this.#path));
	}
}

function reserveSlots(fd: number, path: string, slotBytes: number): void {
	if (reserve("checkpoint.reserve", fd, slotBytes * 2)) return;
	throw new PylogError(
		"PYLOG_SPOOL_FULL",
		`The disk has no room for the checkpoint ${path} (${slotBytes * 2} bytes). Make room, or set cacheDir to another disk.`,
	);
}

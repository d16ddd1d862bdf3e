/**
 * How much `quarantine/` holds, and what has to go when that is too much.
 *
 * Invariants: what has been here longest goes first, and each drop is counted; the newest entry stays. A folder with
 * content is never removed, for it may hold what somebody moved here by mistake.
 */

import { lstatSync, readdirSync, type Stats } from "node:fs";
import { join } from "node:path";
import { remove, removeFolder } from "../platform/durable-file.ts";
import { systemCode } from "../shared/errors.ts";
import { fileError } from "./new-file.ts";

/** The file beside an entry that says why it is here. */
export const reasonSuffix = ".reason.json";

/** An entry, and the size of its reason: 0 where there is none. */
export interface Kept {
	readonly name: string;
	readonly stats: Stats;
	readonly reasonBytes: number;
}

/** How far below its limits the folder is brought at once, so that not every entry costs a look at all of them. */
const roomShare = 7 / 8;

export class QuarantineRoom {
	readonly #directory: string;
	readonly #maxEntries: number;
	readonly #maxTotalBytes: number;
	/** An estimate, made exact at a limit. `undefined` until the first look. */
	#held: { entries: number; bytes: number } | undefined;
	#droppedEntries = 0;
	#droppedBytes = 0;

	constructor(directory: string, maxEntries: number, maxTotalBytes: number) {
		this.#directory = directory;
		this.#maxEntries = maxEntries;
		this.#maxTotalBytes = maxTotalBytes;
	}

	get droppedEntries(): number {
		return this.#droppedEntries;
	}

	get droppedBytes(): number {
		return this.#droppedBytes;
	}

	/** Counts one more entry, and makes room if that was too much. Returns how many entries had to go. */
	added(bytes: number): number {
		if (this.#held !== undefined) {
			this.#held.entries += 1;
			this.#held.bytes += bytes;
			if (this.#held.entries <= this.#maxEntries && this.#held.bytes <= this.#maxTotalBytes) return 0;
		}
		try {
			return this.#makeRoom();
		} catch {
			// Unreadable for now: looked at again with the next entry.
			this.#held = undefined;
			return 0;
		}
	}

	#makeRoom(): number {
		const all = this.look();
		const held = { entries: all.length, bytes: all.reduce((sum, entry) => sum + sizeOf(entry), 0) };
		this.#held = held;
		if (held.entries <= this.#maxEntries && held.bytes <= this.#maxTotalBytes) return 0;
		let dropped = 0;
		for (const entry of all.slice(0, -1)) {
			if (held.entries <= this.#maxEntries * roomShare && held.bytes <= this.#maxTotalBytes * roomShare) break;
			if (!this.#drop(entry)) continue;
			dropped += 1;
			held.entries -= 1;
			held.bytes -= sizeOf(entry);
			this.#droppedBytes += sizeOf(entry);
		}
		this.#droppedEntries += dropped;
		return dropped;
	}

	#drop({ name, stats, reasonBytes }: Kept): boolean {
		const path = join(this.#directory, name);
		try {
			if (stats.isDirectory()) removeFolder("quarantine.drop-folder", path);
			else remove("quarantine.drop", path);
		} catch {
			return false;
		}
		try {
			if (reasonBytes > 0) remove("quarantine.drop-reason", path + reasonSuffix);
		} catch {
			// Without its entry it is an entry itself, and goes the same way later.
		}
		return true;
	}

	/** All entries, the longest here first: a rename sets the time of change, and nobody can set it back. */
	look(): Kept[] {
		let names: string[];
		try {
			names = readdirSync(this.#directory);
		} catch (error) {
			if (systemCode(error) === "ENOENT" || systemCode(error) === "ENOTDIR") return [];
			throw fileError("Reading", this.#directory, error);
		}
		const found = new Map<string, Stats>();
		for (const name of names) {
			const stats = lstatSync(join(this.#directory, name), { throwIfNoEntry: false });
			if (stats !== undefined) found.set(name, stats);
		}
		return [...found]
			.filter(([name]) => !(name.endsWith(reasonSuffix) && found.has(name.slice(0, -reasonSuffix.length))))
			.map(([name, stats]) => ({ name, stats, reasonBytes: found.get(name + reasonSuffix)?.size ?? 0 }))
			.sort((one, other) => one.stats.ctimeMs - other.stats.ctimeMs || (one.name < other.name ? -1 : 1));
	}
}

function sizeOf({ stats, reasonBytes }: Kept): number {
	return stats.size + reasonBytes;
}

/**
 * The names in one folder of the inbox, the oldest first.
 *
 * A folder with a hundred thousand messages is not sorted anew for each handful of them: what was found is used up
 * first, for a time that grows with what the look cost. Memory holds at most {@link maxKnown} names; since those are
 * the oldest, nothing is passed over. A folder that was found empty is not read again before its time of change moves:
 * one that has been large stays slow to read (measured on ext4 after 60,000 files: 560 µs and more, against 5 µs).
 */

import { randomBytes } from "node:crypto";
import { lstatSync, opendirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { rename } from "../platform/durable-file.ts";
import { systemCode } from "../shared/errors.ts";
import { fileError } from "./new-file.ts";

interface Found {
	readonly name: string;
	readonly writtenNs: bigint;
}

const maxKnown = 16_384;
const minKnownForMs = 1000;
/** A look may take this share of the time at most. */
const lookShare = 1 / 10;
/** A change within one tick of the file system's clock (10 ms at most) leaves the time of change as it is. */
const settledAfterMs = 100;

export class InboxListing {
	readonly #folder: string;
	#known: readonly Found[] = [];
	#next = 0;
	#staleAtMs = 0;
	/** Whether the last look left names out. */
	#hasPassedOver = false;
	/** The folder's time of change when it was found empty, unless something may have come within the same tick. */
	#emptyAtNs: bigint | undefined;

	constructor(folder: string) {
		this.#folder = folder;
	}

	/**
	 * The oldest names, at most `limit`, each there a moment ago.
	 *
	 * @param isPassedOver Names that are left out, and do not count.
	 * @throws {PylogError} when the folder can't be read; one that does not exist is empty
	 */
	names(limit: number, isPassedOver: (name: string) => boolean = () => false): string[] {
		if (this.#emptyAtNs !== undefined && this.#emptyAtNs === this.#changedNs()) return [];
		if (performance.now() < this.#staleAtMs) {
			const names = this.#standing(limit, isPassedOver);
			if (names.length === limit) return names;
		}
		this.#look(limit, isPassedOver);
		return this.#standing(limit, isPassedOver);
	}

	#standing(limit: number, isPassedOver: (name: string) => boolean): string[] {
		const names: string[] = [];
		for (let index = this.#next; index < this.#known.length && names.length < limit; index++) {
			const { name } = this.#known[index] as Found;
			if (isPassedOver(name)) continue;
			if (lstatSync(join(this.#folder, name), { throwIfNoEntry: false }) !== undefined) names.push(name);
			else if (index === this.#next) this.#next += 1;
		}
		return names;
	}

	#look(limit: number, isPassedOver: (name: string) => boolean): void {
		const startMs = performance.now();
		const changedNs = this.#changedNs();
		const isSettled = changedNs !== undefined && Date.now() - Number(changedNs / 1_000_000n) > settledAfterMs;
		try {
			this.#known = this.#oldest(Math.max(limit, maxKnown), isPassedOver);
		} catch (error) {
			if (systemCode(error) !== "ENOENT") throw fileError("Reading the folder", this.#folder, error);
			this.#known = [];
		}
		this.#next = 0;
		const isEmpty = this.#known.length === 0 && !this.#hasPassedOver;
		this.#emptyAtNs = isSettled && isEmpty ? changedNs : undefined;
		const endMs = performance.now();
		this.#staleAtMs = endMs + Math.max(minKnownForMs, (endMs - startMs) / lookShare);
	}

	#changedNs(): bigint | undefined {
		return lstatSync(this.#folder, { bigint: true, throwIfNoEntry: false })?.ctimeNs;
	}

	#oldest(count: number, isPassedOver: (name: string) => boolean): Found[] {
		const found: Found[] = [];
		const keepOldest = (): void => {
			found.sort(byTimeAndName);
			found.length = Math.min(found.length, count);
		};
		let hasForeignNames = false;
		this.#hasPassedOver = false;
		const folder = opendirSync(this.#folder, { bufferSize: 1024 });
		try {
			for (let entry = folder.readSync(); entry !== null; entry = folder.readSync()) {
				const { name } = entry;
				hasForeignNames ||= name.includes("\ufffd");
				if (isPassedOver(name)) {
					this.#hasPassedOver = true;
					continue;
				}
				const stats = lstatSync(join(this.#folder, name), { bigint: true, throwIfNoEntry: false });
				if (stats !== undefined) found.push({ name, writtenNs: stats.mtimeNs });
				if (found.length >= 2 * count) keepOldest();
			}
		} finally {
			folder.closeSync();
		}
		keepOldest();
		if (hasForeignNames) this.#renameForeign();
		return found;
	}

	/** A name that is not UTF-8 can't be said as a string: it gets one that can, and is found at the next look. */
	#renameForeign(): void {
		for (const name of readdirSync(this.#folder, "buffer")) {
			if (Buffer.from(name.toString()).equals(name)) continue;
			const path = Buffer.concat([Buffer.from(`${this.#folder}/`), name]);
			const renamed = `renamed-${randomBytes(8).toString("hex")}-${name.toString("latin1").replaceAll(/[^\w.-]/g, "_")}`;
			try {
				rename("inbox.rename", path, join(this.#folder, renamed.slice(0, 250)));
			} catch {
				// It can't be moved, so it can't be taken: those with other names must not wait for it.
			}
		}
	}
}

function byTimeAndName(one: Found, other: Found): number {
	if (one.writtenNs !== other.writtenNs) return one.writtenNs < other.writtenNs ? -1 : 1;
	return one.name < other.name ? -1 : 1;
}

/**
 * A range of addresses that mappings of this thread are put into. Its view is made once, and those of the mappings are parts
 * of it: koffi, in the middle of making a view, ends the whole process when its thread is terminated. So that moment comes
 * when a thread opens the spool, and hardly ever again.
 *
 * Invariant: whatever is in use is mapped, the rest of the range has nothing behind it. The range goes with its last use.
 */

import { type Address, mmapNothing, mmapNothingAt, munmap } from "./libc.ts";
import { forgetMapping, noteMapping } from "./thread-mappings.ts";

/** Room for the control file and for the segments of a producer that is not in a hurry. */
const usualBytes = 16 * 1024 * 1024;
/** A multiple of the page size of every machine. */
const alignBytes = 64 * 1024;

interface Use {
	readonly start: number;
	readonly end: number;
}

const regions: Region[] = [];

export class Region {
	readonly address: Address;
	readonly buffer: ArrayBuffer;
	/** In rising order. */
	readonly #uses: Use[] = [];
	readonly #entry: number | undefined;

	private constructor(sizeBytes: number) {
		({ address: this.address, buffer: this.buffer } = mmapNothing(sizeBytes));
		this.#entry = noteMapping(this.address, sizeBytes);
	}

	/** A free range in one of this thread's regions, or in a new one. @throws PylogError PYLOG_SYSTEM_CALL */
	static take(sizeBytes: number): { readonly region: Region; readonly start: number } {
		const neededBytes = Math.max(1, Math.ceil(sizeBytes / alignBytes)) * alignBytes;
		for (const region of regions) {
			const start = region.#take(neededBytes);
			if (start !== undefined) return { region, start };
		}
		const region = new Region(Math.max(usualBytes, neededBytes));
		regions.push(region);
		return { region, start: region.#take(neededBytes) ?? 0 };
	}

	/** Gives a range back, with what is mapped there. Never throws. */
	giveBack(start: number): void {
		const place = this.#uses.findIndex((use) => use.start === start);
		const { end } = this.#uses[place] as Use;
		if (this.#uses.length > 1) {
			try {
				mmapNothingAt(this.address + BigInt(start), end - start);
				this.#uses.splice(place, 1);
			} catch {
				// The kernel has no room for one more mapping: the range stays in use as long as the others.
			}
			return;
		}
		regions.splice(regions.indexOf(this), 1);
		forgetMapping(this.#entry);
		munmap(this.address, this.buffer.byteLength);
	}

	#take(neededBytes: number): number | undefined {
		let start = 0;
		let place = 0;
		for (; place < this.#uses.length; place++) {
			const use = this.#uses[place] as Use;
			if (use.start - start >= neededBytes) break;
			start = use.end;
		}
		if (start + neededBytes > this.buffer.byteLength) return undefined;
		this.#uses.splice(place, 0, { start, end: start + neededBytes });
		return start;
	}
}

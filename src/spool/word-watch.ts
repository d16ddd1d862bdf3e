/**
 * Looks at the shared words for what nobody of ours writes: a process of the same user may be broken, or hostile, and the
 * control file is mapped into all of them. Nothing is believed further than it can be wherever it is read; here it is
 * told, and brought back where that is safe.
 *
 * A look is a few hundred loads. Only where the reserved space cannot be what it says, the segments are counted.
 */

import { lstatSync } from "node:fs";
import { announceStore } from "../platform/step.ts";
import type { ControlFile } from "./control-file.ts";
import { controlWords } from "./control-layout.ts";
import { producerNumbers, segmentFiles } from "./numbering.ts";
import { producerDirectory } from "./paths.ts";
import { type ImpossibleWord, impossibleWords } from "./word-limits.ts";

/** A shared word that holds what cannot be. */
export interface GarbledWord {
	/** Its name in `controlWords` or `slotWords`. */
	readonly word: string;
	/** The producer whose slot it is in; `undefined` for a word of all. */
	readonly producer?: number;
	/** What is wrong with it: a constant for each kind of wrong. */
	readonly what: string;
	/** The values, for people. */
	readonly values: string;
}

/** Far more numbers than a machine can take in a second. */
const maxNumbersPerSecond = 2 ** 26;
/** The reserved space is counted anew when it has changed by so much, or is below zero. */
const suspectKib = 128 * 1024;
/** So much is on its way between a segment and its count, at most. */
export const toleratedKib: number = 64 * 1024;

export class WordWatch {
	readonly #control: ControlFile;
	readonly #onGarbled: (garbled: GarbledWord) => void;
	#lastNumber: number | undefined;
	#lastLookMs = 0;
	#countedKib = 0;

	constructor(control: ControlFile, onGarbled: (garbled: GarbledWord) => void) {
		this.#control = control;
		this.#onGarbled = onGarbled;
	}

	/** Looks at the words of all. Blocks for system calls only where the reserved space is counted. */
	look(): void {
		this.#checkNumber();
		this.#checkSlotsUsed();
		for (const impossible of impossibleWords((word) => this.#raw(word))) this.#bringBack(impossible);
		this.#checkReserved();
	}

	#checkNumber(): void {
		const nowMs = performance.now();
		const number = this.#raw("nextNumber");
		const last = this.#lastNumber;
		const seconds = (nowMs - this.#lastLookMs) / 1000;
		this.#lastNumber = number;
		this.#lastLookMs = nowMs;
		if (last === undefined) return;
		const taken = (number - last) | 0;
		if (taken < 0) this.#tell("nextNumber", "the counter was set back", `${last} to ${number}`);
		else if (taken > maxNumbersPerSecond * (1 + seconds)) {
			this.#tell("nextNumber", "the counter was set far ahead", `${last} to ${number}`);
		}
	}

	#checkSlotsUsed(): void {
		const used = this.#raw("slotsUsed");
		// The most that anybody here has seen, not only this look, which is seldom.
		if (used < this.#control.load("slotsUsed")) this.#tell("slotsUsed", "it never goes back", used);
	}

	/** A sum that is wrong makes producers drop records, or takes the limit away. */
	#checkReserved(): void {
		const said = this.#raw("reservedKib") | 0;
		if (said >= 0 && Math.abs(said - this.#countedKib) < suspectKib) return;
		const before = this.#raw("reservedKib");
		this.#countedKib = this.#countReservedKib();
		if (Math.abs((before | 0) - this.#countedKib) < toleratedKib) return;
		announceStore("control.recount-space");
		const { words } = this.#control.mapping;
		// Not where a producer has changed it meanwhile: the next look counts anew.
		Atomics.compareExchange(words, controlWords.reservedKib, before | 0, this.#countedKib);
		this.#tell("reservedKib", "it is not what the segments take", `${before | 0} KiB for ${this.#countedKib} KiB`);
	}

	#countReservedKib(): number {
		const { paths } = this.#control;
		let bytes = 0;
		for (const producer of producerNumbers(paths)) {
			for (const path of segmentFiles(producerDirectory(paths, producer))) {
				bytes += lstatSync(path, { throwIfNoEntry: false })?.size ?? 0;
			}
		}
		return Math.min(Math.ceil(bytes / 1024), 0x7fff_ffff);
	}

	#bringBack({ word, found, limit, meant }: ImpossibleWord): void {
		this.#tell(word, limit, found);
		announceStore("control.bring-back");
		Atomics.compareExchange(this.#control.mapping.words, controlWords[word], found | 0, meant);
	}

	#raw(word: keyof typeof controlWords): number {
		return Atomics.load(this.#control.mapping.words, controlWords[word]) >>> 0;
	}

	#tell(word: keyof typeof controlWords, what: string, value: number | string): void {
		this.#onGarbled({ word, what, values: String(value) });
	}
}

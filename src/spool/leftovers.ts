/**
 * What deaths leave in the control file: a slot that belongs to nobody any more, and a sum of reserved space that is not
 * what the segments take. Only the holder of the lease settles it, and only what nobody can be about to change.
 */

import { lstatSync } from "node:fs";
import { announceStore } from "../platform/step.ts";
import type { ControlFile } from "./control-file.ts";
import { controlWords, slotCount, slotInBetween, slotWords } from "./control-layout.ts";
import { livingProducers, producerNumbers, segmentFiles } from "./numbering.ts";
import { producerDirectory, type SpoolPaths } from "./paths.ts";
import type { GarbledWord } from "./word-watch.ts";

const withoutFolder = "it has no folder, though by its counts not all of it is written";

/**
 * Frees slots without a producer and, while no producer lives, corrects the sum of reserved space. Blocks. Tells of a slot by
 * whose counts more was logged than written: a folder goes only when all of it is.
 */
export function settleLeftovers(control: ControlFile, onGarbled: (garbled: GarbledWord) => void): void {
	const { paths } = control;
	if (!exists(paths.producers)) return;
	const inBetween: number[] = [];
	for (let slot = 0; slot < slotCount; slot++) {
		const owner = ownerOf(control, slot);
		if (owner === slotInBetween) inBetween.push(slot);
		// A producer has its folder before it has a slot; without one it has been removed.
		else if (owner !== 0 && !exists(producerDirectory(paths, owner >>> 0))) {
			const values = unwrittenIn(control, slot);
			if (control.passSlot(slot, owner, 0) && values !== undefined) {
				onGarbled({ word: "owner", producer: owner >>> 0, what: withoutFolder, values });
			}
		}
	}
	const { words } = control.mapping;
	const reservedKib = Atomics.load(words, controlWords.reservedKib);
	if (livingProducers(paths).length > 0) return;
	// Whoever was in the middle of handing these over is dead.
	for (const slot of inBetween) control.passSlot(slot, slotInBetween, 0);
	const takenKib = segmentsKib(paths);
	if (takenKib === reservedKib || livingProducers(paths).length > 0) return;
	announceStore("control.settle-space");
	Atomics.compareExchange(words, controlWords.reservedKib, reservedKib, takenKib);
}

/** The counts of a slot, where they do not say that all of it was written. */
function unwrittenIn(control: ControlFile, slot: number): string | undefined {
	const counts = ([0, 1] as const).map((lane) => {
		const [appended, written] = [slotWords.appended + lane, slotWords.written + lane].map((word) =>
			Atomics.load(control.mapping.words, control.slotWord(slot) + word),
		) as [number, number];
		return { appended: appended >>> 0, written: written >>> 0, isWritten: isAllWritten(appended, written) };
	});
	if (counts.every(({ isWritten }) => isWritten)) return undefined;
	return `${counts.map(({ appended, written }) => `${written} of ${appended}`).join(" and ")} written, in slot ${slot}`;
}

/** A death leaves one record that is committed and not counted. */
function isAllWritten(appended: number, written: number): boolean {
	const ahead = (written - appended) | 0;
	return ahead === 0 || ahead === 1;
}

function ownerOf(control: ControlFile, slot: number): number {
	return Atomics.load(control.mapping.words, control.slotWord(slot) + slotWords.owner);
}

function segmentsKib(paths: SpoolPaths): number {
	let bytes = 0;
	for (const number of producerNumbers(paths)) {
		for (const path of segmentFiles(producerDirectory(paths, number))) {
			bytes += lstatSync(path, { throwIfNoEntry: false })?.size ?? 0;
		}
	}
	return Math.ceil(bytes / 1024) | 0;
}

function exists(path: string): boolean {
	return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}

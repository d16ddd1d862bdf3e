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

/** Frees slots without a producer and, while no producer lives, corrects the sum of reserved space. Blocks. */
export function settleLeftovers(control: ControlFile): void {
	const { paths } = control;
	if (!exists(paths.producers)) return;
	const inBetween: number[] = [];
	for (let slot = 0; slot < slotCount; slot++) {
		const owner = ownerOf(control, slot);
		if (owner === slotInBetween) inBetween.push(slot);
		// A producer has its folder before it has a slot; without one it has been removed.
		else if (owner !== 0 && !exists(producerDirectory(paths, owner >>> 0))) control.passSlot(slot, owner, 0);
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

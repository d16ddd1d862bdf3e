/**
 * What the control file knows that a checkpoint does not: producers are told what is written, each time right after a
 * checkpoint that says the same. So where they were told more, a newer checkpoint was there and is lost.
 */

import type { ChainState, Checkpoint } from "./checkpoint.ts";
import type { ControlFile } from "./control-file.ts";
import { slotWords } from "./control-layout.ts";

/**
 * A checkpoint with what was confirmed since: records up to there are passed over by their sequence. The very same one where
 * nothing was.
 */
export function confirmedSince(control: ControlFile, checkpoint: Checkpoint): Checkpoint {
	const written = writtenByProducer(control);
	let isNewer = false;
	const chains = checkpoint.chains.map((chain): ChainState => {
		const sequence = written.get(chain.producer)?.[chain.lane];
		if (sequence === undefined || ((sequence - chain.from.sequence) | 0) <= 0) return chain;
		isNewer = true;
		const isBatchDone = ((sequence - chain.to.sequence) | 0) >= 0;
		return { ...chain, from: { ...chain.from, sequence }, to: isBatchDone ? { ...chain.to, sequence } : chain.to };
	});
	return isNewer ? { ...checkpoint, chains } : checkpoint;
}

/** Sequences up to which the lines are written, by producer and lane. */
function writtenByProducer(control: ControlFile): ReadonlyMap<number, readonly [number, number]> {
	const { words } = control.mapping;
	const found = new Map<number, readonly [number, number]>();
	for (let slot = 0; slot < control.load("slotsUsed"); slot++) {
		const start = control.slotWord(slot);
		const owner = Atomics.load(words, start + slotWords.owner) >>> 0;
		const at = start + slotWords.written;
		if (owner !== 0) found.set(owner, [Atomics.load(words, at), Atomics.load(words, at + 1)]);
	}
	return found;
}

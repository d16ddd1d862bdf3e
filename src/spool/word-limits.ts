/** What the shared words of the control file can hold at all: the file is mapped into every process of the user. */

import { type controlWords, highBits, slotCount } from "./control-layout.ts";

/** A word that holds what nobody of ours writes. */
export interface ImpossibleWord {
	readonly word: keyof typeof controlWords;
	readonly found: number;
	/** What it can hold: a constant for each word. */
	readonly limit: string;
	/** What it can only mean, for whoever looks is awake, and what was asked for stays so. */
	readonly meant: number;
}

const switches = ["sleeping", "flushWanted", "stopWanted", "telling"] as const;

/** @param raw A word as it stands in the file, unsigned. */
export function impossibleWords(raw: (word: keyof typeof controlWords) => number): ImpossibleWord[] {
	const impossible: ImpossibleWord[] = [];
	for (const word of switches) {
		const found = raw(word);
		if (found > 1) impossible.push({ word, found, limit: "it is 0 or 1", meant: word === "sleeping" ? 0 : 1 });
	}
	const closed = raw("closedLanes");
	if (closed > 3) impossible.push({ word: "closedLanes", found: closed, limit: "it has two bits", meant: closed & 3 });
	const high = raw("numberHigh");
	if (high >= highBits) {
		const limit = "queue numbers have 53 bits";
		impossible.push({ word: "numberHigh", found: high, limit, meant: high % highBits });
	}
	const used = raw("slotsUsed");
	if (used > slotCount) {
		// Not the slots that have an owner: one that is being taken now may have found the word large enough.
		impossible.push({ word: "slotsUsed", found: used, limit: `there are ${slotCount} slots`, meant: slotCount });
	}
	return impossible;
}

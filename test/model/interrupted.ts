/**
 * An append that is looked at, or ended, between any two of its steps in shared memory, in this process: what another
 * process could do, or see, at that moment.
 */
import { controlWords } from "../../src/spool/control-layout.ts";
import type { Producer } from "../../src/spool/producer.ts";

/** What ends an append in its middle. */
export class Died extends Error {}

export interface Interruption {
	/** Queue numbers taken by the time of the interruption. */
	readonly numbers: number;
	/** Log records committed by then. */
	readonly commits: number;
}

const names = ["load", "store", "add"] as const;
type Original = (...given: unknown[]) => never;

/**
 * Runs `act`, and `at` before its step number `step` (the first is 1). What `at` throws ends `act`.
 *
 * @returns What had happened before that step; `undefined` where there are fewer steps.
 */
export function interrupted(
	producer: Producer,
	act: () => void,
	step: number,
	at: (before: Interruption) => void,
): Interruption | undefined {
	const control = producer.control.mapping.words;
	let count = 0;
	let numbers = 0;
	let commits = 0;
	let isInside = false;
	let found: Interruption | undefined;
	const originals = names.map((name) => [name, Atomics[name] as Original] as const);
	const takeStep = (): void => {
		count += 1;
		if (count !== step) return;
		found = { numbers, commits };
		isInside = true;
		try {
			at(found);
		} finally {
			isInside = false;
		}
	};
	for (const [name, original] of originals) {
		const replacement = (...given: unknown[]): never => {
			if (isInside) return original(...given);
			takeStep();
			const isShared = given[0] === control;
			if (name === "add" && isShared && given[1] === controlWords.nextNumber) numbers += 1;
			if (name !== "store" || isShared) return original(...given);
			// The first store to a segment after a number was taken is the commit of its record.
			if (commits < numbers) commits += 1;
			const result = original(...given);
			// The count of records, an ordinary store, comes right behind it.
			takeStep();
			return result;
		};
		Object.defineProperty(Atomics, name, { value: replacement, configurable: true, writable: true });
	}
	try {
		act();
	} catch (error) {
		if (!(error instanceof Died)) throw error;
	} finally {
		for (const [name, value] of originals)
			Object.defineProperty(Atomics, name, { value, configurable: true, writable: true });
	}
	return found;
}

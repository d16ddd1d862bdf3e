/**
 * Which name a field gets in its line, where that is not simply its key.
 *
 * Invariants: no name is one the line has of its own, none is given twice, and the same key gets the same name as long
 * as the other keys stay the same.
 */

import { reservedKeys } from "../line/reserved-keys.ts";
import type { Format } from "../spool/log-record.ts";
import { cutText } from "./json-text.ts";

const maxKeyChars = 256;

/** Made for one line, once a name is wanted that is not known from lines before. */
export class FieldNames {
	readonly #keys: readonly string[];
	readonly #bound: ReadonlyMap<string, string> | undefined;
	readonly #format: Format;
	/** Names given to keys that could not stay as they are. */
	readonly #renamed = new Set<string>();
	/** Names that are bound to another value than the line's. */
	readonly #conflicts = new Set<string>();

	/** `keys` are those of the line's own fields, `bound` those of its logger with their texts. */
	constructor(keys: readonly string[], bound: ReadonlyMap<string, string> | undefined, format: Format) {
		this.#keys = keys;
		this.#bound = bound;
		this.#format = format;
	}

	/** The name of one of `keys`: itself, or, where the line has such a key of its own, with underscores. */
	nameFor(key: string): string {
		const isLong = key.length > maxKeyChars;
		if (!isLong && !isReserved(key, this.#format)) return key;
		const name = this.#free(isLong ? cutText(key, maxKeyChars) : `${key}_`, (taken) => this.#renamed.has(taken));
		this.#renamed.add(name);
		return name;
	}

	/** A name that is neither a field of the line nor bound. */
	freeName(wanted: string): string {
		return this.#free(wanted, (taken) => this.#renamed.has(taken) || this.#bound?.has(taken) === true);
	}

	addConflict(name: string): void {
		this.#conflicts.add(name);
	}

	get hasConflicts(): boolean {
		return this.#conflicts.size > 0;
	}

	/** The bound fields in their order; those in conflict follow, under names of their own. */
	keptBound(): Map<string, string> {
		const kept = new Map<string, string>();
		for (const [name, text] of this.#bound ?? []) {
			if (!this.#conflicts.has(name)) kept.set(name, text);
		}
		for (const name of this.#conflicts) {
			const free = this.freeName(`${name}_`);
			this.#renamed.add(free);
			kept.set(free, this.#bound?.get(name) ?? "null");
		}
		return kept;
	}

	#free(wanted: string, isTaken: (name: string) => boolean): string {
		let name = wanted;
		while (isReserved(name, this.#format) || this.#keys.includes(name) || isTaken(name)) name += "_";
		return name;
	}
}

function isReserved(key: string, format: Format): boolean {
	return format === "json" ? reservedKeys.has(key) : key === "late";
}

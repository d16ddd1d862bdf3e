/** What a logman does first: it takes up the batch that a death has interrupted. */

import type { Checkpoint } from "../spool/checkpoint.ts";
import type { SpoolReader } from "../spool/spool-reader.ts";
import type { Batch } from "./batch.ts";
import type { Damages } from "./damages.ts";
import type { Delivery } from "./delivery.ts";
import type { Refusals } from "./refusals.ts";

export interface RecoveryParts {
	readonly reader: SpoolReader;
	readonly delivery: Delivery;
	readonly damages: Damages;
	readonly refusals: Refusals;
	/** An empty one; it is empty again afterwards. */
	readonly batch: Batch;
}

/** Makes the batch again; what of it is missing in its files is pending then. */
export function recover(before: Checkpoint | undefined, parts: RecoveryParts): void {
	const { reader, delivery, damages, refusals, batch } = parts;
	if (before === undefined) return;
	const begun = before.chains.filter(({ from, to }) => from.index !== to.index || from.offset !== to.offset);
	if (begun.length === 0 && before.outputs.length === 0) {
		reader.discover();
		reader.publish();
		return;
	}
	reader.replay(before.chains, (record) => {
		batch.add(record);
		return "on";
	});
	if (batch.unusable.length > 0) refusals.setAsideAgain(batch.unusable);
	damages.settle();
	delivery.recover(batch, before.outputs);
	batch.clear();
}

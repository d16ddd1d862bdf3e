/** What a logman does first: it takes up the batch that a death has interrupted. */

import type { Checkpoint } from "../spool/checkpoint.ts";
import type { SpoolReader } from "../spool/spool-reader.ts";
import { Batch } from "./batch.ts";
import type { Delivery } from "./delivery.ts";

/** Makes the batch again; what of it is missing in its files is pending then. */
export function recover(before: Checkpoint | undefined, reader: SpoolReader, delivery: Delivery): void {
	if (before === undefined) return;
	const begun = before.chains.filter(({ from, to }) => from.index !== to.index || from.offset !== to.offset);
	if (begun.length === 0 && before.outputs.length === 0) {
		reader.discover();
		reader.publish();
		return;
	}
	const batch = new Batch();
	reader.replay(before.chains, (record) => {
		batch.add(record);
		return "on";
	});
	delivery.recover(batch, before.outputs);
}

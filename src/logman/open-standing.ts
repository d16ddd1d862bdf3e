/** The standing of a logman with its two sinks, and what becomes of bytes that these can't bring to the disk. */

import { type FailedSync, FileSink } from "../sinks/file/file-sink.ts";
import type { SavedTails } from "./saved-tails.ts";
import { Standing, type StandingParts } from "./standing.ts";

export function openStanding({
	tails,
	...parts
}: Omit<StandingParts, "outputs" | "aside"> & { readonly tails: SavedTails }): Standing {
	const outputs = new FileSink({ onFailedSync: (failed) => saveFailed(failed, standing, tails) });
	// The spool's own disk: without it nothing goes on anyway.
	const aside = new FileSink({
		stallMs: Number.POSITIVE_INFINITY,
		syncStallMs: Number.POSITIVE_INFINITY,
		onFailedSync: async ({ path, error }) => {
			standing.report({ what: "sync a file to the disk; it is tried again", error, output: path });
			return false;
		},
	});
	const standing = new Standing({ ...parts, outputs, aside });
	return standing;
}

/** What becomes of bytes that a sync did not bring to the disk: they are saved. Returns whether all are. */
async function saveFailed(failed: FailedSync, standing: Standing, tails: SavedTails): Promise<boolean> {
	const { path, chunks, isWhole, error } = failed;
	standing.report({ what: "sync a file to the disk; its lines are written again", error, output: path });
	// What a logman before this one wrote and can't even be opened any more must not hold up the others for ever.
	if (chunks.length === 0) return isWhole || Reflect.get(Object(error), "syscall") === "open";
	try {
		tails.save(path, failed, await standing.outputs.readBack(path, chunks));
		return isWhole;
	} catch (problem) {
		standing.report({ what: "save lines whose sync failed", error: problem, output: path });
		return false;
	}
}

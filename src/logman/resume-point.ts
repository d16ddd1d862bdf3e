/** Where a logman goes on: at the newest checkpoint, or as near to it as what is left of it allows. */

import type { Checkpoint, CheckpointFile } from "../spool/checkpoint.ts";
import { confirmedSince } from "../spool/confirmed-since.ts";
import type { ControlFile } from "../spool/control-file.ts";
import type { Damages } from "./damages.ts";

/** Tells of damage in the checkpoint, and takes it out of the way. `undefined` where there is no checkpoint. */
export function resumePoint(control: ControlFile, file: CheckpointFile, damages: Damages): Checkpoint | undefined {
	const path = control.paths.checkpoint;
	const { latest } = file;
	// Not to be trusted as long as the checkpoint is whole: a single wrong word would pass over records.
	const resumed = latest !== undefined && file.isUncertain ? confirmedSince(control, latest) : latest;
	for (const damage of file.damaged) damages.onCheckpoint(path, damage);
	if (resumed !== latest || (latest === undefined && file.damaged.length > 0)) damages.onLostCheckpoint(path);
	file.replaceDamaged(resumed);
	return resumed;
}

/**
 * Which inbox files have their message in the spool already: a logman that died between the append and the removal of
 * the file leaves both.
 */

import { lanes } from "../shared/lane.ts";
import { readCheckpoint } from "./checkpoint.ts";
import type { ControlFile } from "./control-file.ts";
import type { Inbox } from "./inbox.ts";
import { SpoolReader } from "./spool-reader.ts";

/** Call site of a record that came from the inbox, followed by the identity of its file. */
export const inboxOrigin = "inbox:";

/** Identities of such files. Reads all that is not delivered yet, when there is anything in the inbox at all. */
export function takenFromInbox(control: ControlFile, inbox: Inbox): Set<string> {
	const taken = new Set<string>();
	if (lanes.every((lane) => inbox.list(lane, 1).length === 0)) return taken;
	const ignore = (): void => undefined;
	const reader = new SpoolReader(control, readCheckpoint(control.paths.checkpoint), {
		onDamage: ignore,
		onGap: ignore,
	});
	try {
		reader.scan(({ callSite }) => {
			if (callSite.startsWith(inboxOrigin)) taken.add(callSite.slice(inboxOrigin.length));
		});
	} finally {
		reader.close();
	}
	return taken;
}

/**
 * Which inbox files have their message in the spool already: a logman that died between the append and the removal of
 * the file leaves both, and a file that can't be removed is noted in a list.
 */

import { lanes } from "../shared/lane.ts";
import { readCheckpoint } from "./checkpoint.ts";
import type { ControlFile } from "./control-file.ts";
import type { Inbox } from "./inbox.ts";
import { SpoolReader } from "./spool-reader.ts";

/** Call site of a record that came from the inbox, followed by the identity of its file. */
export const inboxOrigin = "inbox:";

/**
 * Identities of such files. Reads all that is not delivered yet, when there is anything in the inbox at all. For the holder
 * of the lease: what the list notes of files that are gone by now is taken out of it.
 */
export function takenFromInbox(control: ControlFile, inbox: Inbox): Set<string> {
	const noted = inbox.taken.read();
	const still = noted.length === 0 ? [] : standing(inbox, new Set(noted));
	if (still.length < noted.length) inbox.taken.keep(still);
	const taken = new Set<string>(still);
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

/** Which of these files are in the inbox. */
function standing(inbox: Inbox, identities: ReadonlySet<string>): string[] {
	const names = new Set([...identities].map((identity) => identity.replace(/:\d+:-?\d+$/, "")));
	return lanes
		.flatMap((lane) => inbox.list(lane, Number.POSITIVE_INFINITY, (name) => !names.has(name)))
		.map(({ identity }) => identity)
		.filter((identity) => identities.has(identity));
}

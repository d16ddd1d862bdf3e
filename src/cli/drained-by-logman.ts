/**
 * Waiting for a running logman to have everything on disk that was logged up to now.
 *
 * First the messages that lie in the inbox must be taken, for only then they have numbers. Then, of each producer that
 * lives, what it had appended must be durable; what dead ones left is durable once the logman has synced after having
 * written it. It clears `flushWanted` and syncs right after, so a second clearing says that the first sync is over.
 */

import { readdirSync } from "node:fs";
import { join } from "node:path";
import { lanes } from "../shared/lane.ts";
import { ControlFile } from "../spool/control-file.ts";
import { readControl } from "../spool/control-snapshot.ts";
import { isLeaseHeld } from "../spool/lease.ts";
import { spoolPaths } from "../spool/paths.ts";

const lookIntervalMs = 5;
const inboxIntervalMs = 20;
const syncsNeeded = 2;

/** Returns whether all is on disk; `false` when the logman has left, or `signal` was aborted. */
export async function waitUntilDrained(cacheDir: string, signal: AbortSignal): Promise<boolean> {
	const paths = spoolPaths(cacheDir);
	const goesOn = (): boolean => !signal.aborted && isLeaseHeld(paths.lease);
	const messages = inboxMessages(paths.inbox);
	while (inboxMessages(paths.inbox).some((path) => messages.includes(path))) {
		if (!goesOn()) return false;
		await pause(inboxIntervalMs);
	}
	const control = ControlFile.open(cacheDir);
	try {
		return await untilDurable(control, goesOn);
	} finally {
		control.close();
	}
}

async function untilDurable(control: ControlFile, goesOn: () => boolean): Promise<boolean> {
	const goal = control.load("nextNumber");
	const wanted = readControl(control.paths.control)?.slots ?? [];
	const isWritten = (): boolean => ((control.load("written") - goal) | 0) >= 0;
	const isDurable = (): boolean => {
		const now = new Map(readControl(control.paths.control)?.slots.map((slot) => [slot.producer, slot]));
		return wanted.every(({ producer, appended }) => {
			const durable = now.get(producer)?.durable;
			return durable === undefined || appended.every((count, lane) => (((durable[lane] as number) - count) | 0) >= 0);
		});
	};
	let syncsBegun = 0;
	for (;;) {
		if (!goesOn()) return false;
		if (isWritten() && control.load("flushWanted") === 0) {
			if (syncsBegun === syncsNeeded && isDurable()) return true;
			syncsBegun = Math.min(syncsBegun + 1, syncsNeeded);
			control.wantFlush();
		}
		control.doorbell.ring();
		await pause(lookIntervalMs);
	}
}

function inboxMessages(inbox: string): string[] {
	return lanes.flatMap((lane) => {
		try {
			return readdirSync(join(inbox, lane)).map((name) => join(lane, name));
		} catch {
			return [];
		}
	});
}

function pause(ms: number): Promise<void> {
	return new Promise((resolve) => setTimeout(resolve, ms));
}

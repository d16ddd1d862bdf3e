/** `pylog status`: what runs, what waits and what is wrong. */

import { resolveCacheDir } from "../spool/cache-dir.ts";
import { lanes } from "../shared/lane.ts";
import { visible } from "../shared/visible-text.ts";
import {
	countInbox,
	type LogmanStatus,
	logmanStatus,
	readSpoolStatus,
	type SpoolStatus,
} from "../spool/spool-status.ts";
import { byteSize, counted } from "./byte-size.ts";
import { type ExitCode, exitCodes } from "./exit-code.ts";
import type { Flags } from "./flag-table.ts";
import { producerTable } from "./producer-table.ts";
import { notice, print, printJson, styled } from "./terminal.ts";

export async function status(flags: Flags): Promise<ExitCode> {
	const cacheDir = resolveCacheDir(flags.cacheDir);
	const spool = readSpoolStatus(cacheDir);
	if (spool === undefined) return noSpool(cacheDir, flags);
	await (flags.json === true ? printJson({ ...spool, exists: true }) : print(describe(spool)));
	return spool.logman.running ? exitCodes.ok : exitCodes.noLogman;
}

async function noSpool(cacheDir: string, flags: Flags): Promise<ExitCode> {
	const inbox = countInbox(cacheDir);
	const messages = inbox.priority + inbox.normal;
	if (flags.json === true) await printJson({ cacheDir, exists: false, logman: logmanStatus(cacheDir), inbox });
	const waiting = messages === 0 ? "" : `; ${counted(messages, "message waits", "messages wait")} in its inbox`;
	notice(`there is no spool at ${cacheDir}, and no logman${waiting}`);
	return exitCodes.noLogman;
}

function describe(spool: SpoolStatus): string {
	const { numbers, waiting, quarantine, errorLog, parked } = spool;
	const { reservedBytes, defaultLimitBytes } = spool.spool;
	const written = numbers.written === null ? "none written yet" : `all written below ${numbers.written}`;
	const closed = lanes.filter((lane) => spool.lanes[lane].closed);
	const inbox = spool.inbox.priority + spool.inbox.normal;
	const rows: readonly (readonly [string, string])[] = [
		["cache", visible(spool.cacheDir)],
		["logman", describeLogman(spool.logman)],
		[
			"queue",
			`${alarming(waiting > 0, "yellow", `${counted(waiting, "record")} waiting`)}, next number ${numbers.next}, ${written}`,
		],
		["inbox", alarming(inbox > 0, "yellow", `${counted(inbox, "message")} waiting`)],
		["lanes", closed.length === 0 ? "open" : alarming(true, "yellow", `closed: ${closed.join(", ")}`)],
		[
			"spool",
			`${byteSize(reservedBytes)} reserved; the limit is ${byteSize(defaultLimitBytes)} unless a logger sets its own`,
		],
		...parked.map(
			({ output, bytes }) =>
				["parked", alarming(true, "red", `${visible(output)}, ${byteSize(bytes)} of lines wait`)] as const,
		),
		[
			"quarantine",
			quarantine.entries === 0
				? "empty"
				: `${counted(quarantine.entries, "entry", "entries")}, ${byteSize(quarantine.bytes)}`,
		],
		["error log", errorLog.bytes === 0 ? "empty" : `${visible(errorLog.path)}, ${byteSize(errorLog.bytes)}`],
	];
	const lines = rows.map(([name, text]) => `${styled("bold", name.padEnd(12))}${text}\n`);
	return [...lines, ...producerTable(spool.producers)].join("");
}

function describeLogman({ running, pid, since }: LogmanStatus): string {
	if (!running) return styled("red", "none runs");
	return `${styled("green", "runs")} as process ${pid ?? "?"} since ${visible(since ?? "?")}`;
}

function alarming(isSo: boolean, style: "red" | "yellow", text: string): string {
	return isSo ? styled(style, text) : text;
}

/** `pylog send`: messages for the inbox, from a shell. */

import { resolve } from "node:path";
import { PylogError } from "../shared/errors.ts";
import { resolveCacheDir } from "../spool/cache-dir.ts";
import { Inbox } from "../spool/inbox.ts";
import { isLeaseHeld } from "../spool/lease.ts";
import { spoolPaths } from "../spool/paths.ts";
import { counted } from "./byte-size.ts";
import { type ExitCode, exitCodes } from "./exit-code.ts";
import type { Flags } from "./flag-table.ts";
import { readLines, readWhole } from "./standard-input.ts";
import { notice, printJson } from "./terminal.ts";

export async function send(flags: Flags, operands: readonly string[]): Promise<ExitCode> {
	const cacheDir = resolveCacheDir(flags.cacheDir);
	const inbox = new Inbox(cacheDir);
	let sent = 0;
	try {
		for await (const message of messages(flags, operands)) {
			deliver(inbox, flags, message);
			sent += 1;
		}
	} catch (error) {
		if (sent > 0) notice(`${counted(sent, "message was", "messages were")} sent before this:`);
		throw error;
	}
	const running = isLeaseHeld(spoolPaths(cacheDir).lease);
	if (flags.json === true) await printJson({ cacheDir, sent, running });
	if (!running && sent > 0) {
		notice(`no logman runs for ${cacheDir}: ${counted(sent, "message waits", "messages wait")} for one (pylog start)`);
	}
	return exitCodes.ok;
}

async function* messages(flags: Flags, operands: readonly string[]): AsyncGenerator<string, void, undefined> {
	const isFromStdin = operands.length === 0 || (operands.length === 1 && operands[0] === "-");
	if (!isFromStdin) {
		if (flags.eachLine === true) {
			throw new PylogError(
				"PYLOG_OPTION_INVALID",
				"--each-line reads stdin: it can't be given together with a MESSAGE.",
			);
		}
		yield operands.join(" ");
		return;
	}
	if (process.stdin.isTTY) notice("reads from the terminal; Ctrl-D ends it");
	if (flags.eachLine === true) yield* readLines();
	else yield await readWhole();
}

function deliver(inbox: Inbox, { to = "", level, exception, time, priority }: Flags, msg: string): void {
	if (/(?:^|\/)\.{0,2}$/.test(to)) {
		throw new PylogError("PYLOG_OPTION_INVALID", `--to got ${JSON.stringify(to)}; it takes the path of a file.`);
	}
	inbox.deliver(
		{
			msg,
			logTo: resolve(to),
			...(level === undefined ? {} : { level }),
			...(exception === undefined ? {} : { exception }),
			...(time === undefined ? {} : { time: /^\d+$/.test(time) ? Number(time) : time }),
		},
		priority === true ? "priority" : "normal",
	);
}

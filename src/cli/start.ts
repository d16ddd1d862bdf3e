/** `pylog start`: a logman, here or in a process of its own. */

import { startLogman } from "../launch/start-logman.ts";
import { logman } from "../logman/logman.ts";
import { stopSignals } from "../logman/stop-signals.ts";
import { PylogError } from "../shared/errors.ts";
import { resolveCacheDir } from "../spool/cache-dir.ts";
import { logmanStatus } from "../spool/spool-status.ts";
import { type ExitCode, exitCodes } from "./exit-code.ts";
import type { Flags } from "./flag-table.ts";
import { notice, print, printJson } from "./terminal.ts";

const retryIntervalMs = 100;

export async function start(flags: Flags): Promise<ExitCode> {
	const cacheDir = resolveCacheDir(flags.cacheDir);
	if (flags.wait === true) noticeHolder(cacheDir);
	await (flags.detach === true ? startDetached(cacheDir, flags) : runHere(cacheDir, flags));
	return exitCodes.ok;
}

async function runHere(cacheDir: string, flags: Flags): Promise<void> {
	const signal = stopSignals();
	let isReady = false;
	let told: Promise<void> | undefined;
	const onReady = (): void => {
		isReady = true;
		notice(`logman ${process.pid} writes for ${cacheDir}`);
		if (flags.json === true) told = printJson({ pid: process.pid, cacheDir });
	};
	const onStuck = (): never => {
		notice("leaves while a file does not answer; what is not known to be in it is safe in the spool");
		process.exit(exitCodes.ok);
	};
	await logman({ ...processOptions(cacheDir, flags), wait: flags.wait === true, signal, onReady, onStuck });
	await told;
	notice(isReady ? `logman ${process.pid} has drained and leaves` : "stopped before it was its turn");
}

async function startDetached(cacheDir: string, flags: Flags): Promise<void> {
	for (;;) {
		try {
			const { pid } = await startLogman(processOptions(cacheDir, flags));
			await (flags.json === true ? printJson({ pid, cacheDir }) : print(`${pid}\n`));
			return;
		} catch (error) {
			const isHeld = error instanceof PylogError && error.code === "PYLOG_LEASE_HELD";
			if (!isHeld || flags.wait !== true) throw error;
		}
		await new Promise((resolve) => setTimeout(resolve, retryIntervalMs));
	}
}

function processOptions(
	cacheDir: string,
	{ root, sync, syncInterval, idleExit, maxParkedBytes }: Flags,
): Parameters<typeof startLogman>[0] & object {
	return {
		cacheDir,
		...(root === undefined ? {} : { roots: root }),
		...(sync === undefined ? {} : { sync }),
		...(syncInterval === undefined ? {} : { syncIntervalMs: syncInterval }),
		...(maxParkedBytes === undefined ? {} : { maxParkedBytes }),
		...(idleExit === undefined ? {} : { idleExitMs: idleExit }),
	};
}

function noticeHolder(cacheDir: string): void {
	const { running, pid, since } = logmanStatus(cacheDir);
	if (running)
		notice(`waits for logman ${pid ?? "of unknown number"}, there since ${since ?? "an unknown time"}, to leave`);
}

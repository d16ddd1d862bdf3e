/** What every thread of every producer does: log, and keep a ledger of it, until it is told to finish. */

import { setTimeout as sleep } from "node:timers/promises";
import { pylog } from "pylog";
import type { Commands } from "./commands.ts";
import { jobIn } from "./job.ts";
import { Ledger } from "./ledger.ts";
import { idOf, isDebug, logform, textOf } from "./line.ts";

const burstIntervalMs = 10;

/**
 * Logs in bursts to the job in `directory`, as a thread with a name such as `beta-0`.
 *
 * When it resolves, all that the thread logged is in the file. All lines of all processes have one order, so everything
 * that anybody logged earlier is there as well.
 */
export async function logOrders(directory: string, thread: string, commands: Commands): Promise<void> {
	const { logFile, cacheDir, ledgers } = jobIn(directory);
	// logman: "auto" means: whoever logs starts a logman if none runs. Nobody else in this example does.
	const logger = pylog({ filename: logFile, logform, name: thread, level: "debug", cacheDir, logman: "auto" });
	const ledger = new Ledger(ledgers, thread);
	for (let n = 1; !commands.isOver; await sleep(burstIntervalMs)) {
		for (const end = n + commands.nextBurst(); n < end; n++) {
			const id = idOf(thread, n);
			if (isDebug(n)) logger.debug(`${id} ${textOf(n)}`);
			else logger.info(`${id} ${textOf(n)}`);
			ledger.acknowledge(id);
		}
	}
	ledger.close();
	await logger.flush();
	await logger.close();
}

/** What `stop` and `drain` have in common: how far the logman was to come, and whether it did. */

import type { ParkedStatus, SpoolStatus } from "../spool/spool-status.ts";
import { byteSize } from "./byte-size.ts";
import { notice } from "./terminal.ts";

/** Whether every line of a number below `goal` is in its file, or parked. */
export function hasReached(status: SpoolStatus | undefined, goal: number): boolean {
	return status === undefined || (status.numbers.written ?? 0) >= goal;
}

/** Says which outputs can't be written, if there are any. */
export function noticeParked(parked: readonly ParkedStatus[], errorLog: string): void {
	for (const { output, file, bytes } of parked) {
		notice(`${output} can't be written: ${byteSize(bytes)} of lines wait in ${file}; ${errorLog} says why`);
	}
}

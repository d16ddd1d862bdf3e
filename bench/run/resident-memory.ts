/** The memory that a process has now, as the kernel counts it. */
import { readFileSync } from "node:fs";

export interface ResidentMemory {
	/** All that is in memory for it, shared with others or not. MiB. */
	readonly rssMiB: number;
	/** Pages of its own that it has written to: nobody else has them mapped, and they can't just be dropped. MiB. */
	readonly privateDirtyMiB: number;
}

export function residentMemory(pid: number): ResidentMemory {
	const text = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
	return { rssMiB: mibOf(text, "Rss"), privateDirtyMiB: mibOf(text, "Private_Dirty") };
}

function mibOf(text: string, name: string): number {
	const kib = new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(text)?.[1];
	return Number(kib) / 1024;
}

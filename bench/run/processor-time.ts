/** Processor time that a process has used so far, all its threads together, as the kernel counts it. */
import { readdirSync, readFileSync } from "node:fs";

/** Milliseconds; threads that have ended are left out. */
export function processorMs(pid: number): number {
	let sumNs = 0;
	for (const thread of readdirSync(`/proc/${pid}/task`)) {
		try {
			sumNs += Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "utf8").split(" ")[0]);
		} catch {
			// It has ended meanwhile.
		}
	}
	return sumNs / 1e6;
}

/** The most memory that a process had resident, in MiB. */
export function peakMemoryMiB(pid: number): number {
	const kib = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
	return Number(kib) / 1024;
}

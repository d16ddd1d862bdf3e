/** The end of a producer of this process as the kernel sees a death: its lock is free, its words and files stay. */
import { closeSync, readdirSync, readlinkSync } from "node:fs";
import type { Producer } from "../../src/spool/producer.ts";

/** The producer must not be used any more, nor closed. */
export function endSilently(producer: Producer): void {
	const alive = `/producers/${producer.number}/alive`;
	for (const fd of readdirSync("/proc/self/fd")) {
		if (linkOf(fd).startsWith(producer.control.paths.cacheDir) && linkOf(fd).endsWith(alive)) closeSync(Number(fd));
	}
}

function linkOf(fd: string): string {
	try {
		return readlinkSync(`/proc/self/fd/${fd}`);
	} catch {
		// The descriptor of the listing itself.
		return "";
	}
}

/** Where a descriptor stands in its file: told by the kernel, so asking touches no file system and does not block. */

import { readFileSync } from "node:fs";

/** `undefined` where the kernel does not tell. */
export function filePosition(fd: number): number | undefined {
	try {
		const [, position] = /^pos:\s*(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, "latin1")) ?? [];
		return position === undefined ? undefined : Number(position);
	} catch {
		return undefined;
	}
}

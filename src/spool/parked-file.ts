/** Where the lines of an output wait that can't be written. Made by the logman; others may look. */

import { createHash } from "node:crypto";
import { lstatSync } from "node:fs";
import { join } from "node:path";

/** The file in which lines of `output` wait, in the folder `parked/`. */
export function parkedFile(folder: string, output: string): string {
	return join(folder, `${createHash("sha256").update(output).digest("hex").slice(0, 32)}.log`);
}

/** Bytes that wait for `output`; `undefined` where it is not parked. */
export function parkedBytes(folder: string, output: string): number | undefined {
	return lstatSync(parkedFile(folder, output), { throwIfNoEntry: false })?.size;
}

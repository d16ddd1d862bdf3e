/**
 * Whether a control file is ready to be mapped, as it nearly always is: then nobody needs what makes one.
 */

import { fstatSync, readSync } from "node:fs";
import { bootId } from "../platform/machine.ts";
import { reserve } from "../platform/reserve.ts";
import { PylogError } from "../shared/errors.ts";
import { controlHeaderBytes, findControlProblem } from "./control-header.ts";
import { controlBytes, controlHeader } from "./control-layout.ts";
import { otherVersion } from "./other-version.ts";
import type { SpoolPaths } from "./paths.ts";

/**
 * Whether the file needs nothing but to be mapped. Looked at twice: in a file that is being renewed, one look may find old
 * bytes and new ones. Its magic is gone by then, until all others are written.
 */
export function isReady(fd: number): boolean {
	const boot = bootId();
	for (let look = 1; look <= 2; look++) {
		const header = Buffer.alloc(controlHeaderBytes);
		readSync(fd, header, 0, header.length, 0);
		const problem = findControlProblem(header, fstatSync(fd).size);
		if (problem?.version !== undefined) throw otherVersion(problem.version);
		if (problem !== undefined || !isOfBoot(header, boot)) return false;
	}
	return true;
}

/** Whether the header of a control file is one of this boot. */
export function isOfThisBoot(header: Buffer): boolean {
	return isOfBoot(header, bootId());
}

function isOfBoot(header: Buffer, boot: Buffer): boolean {
	return header.subarray(controlHeader.bootId, controlHeader.bootId + 16).equals(boot);
}

/** Makes sure that a store into any byte of the file finds a block. @throws PylogError PYLOG_SPOOL_FULL */
export function reserveWhole(fd: number, paths: SpoolPaths): void {
	if (reserve("control.reserve", fd, controlBytes)) return;
	throw new PylogError(
		"PYLOG_SPOOL_FULL",
		`The disk has no room for the control file ${paths.control} (${controlBytes} bytes). Make room, or set cacheDir to another disk.`,
	);
}

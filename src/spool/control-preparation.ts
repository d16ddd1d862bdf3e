/**
 * Makes a control file ready to be mapped: a new one, one of an earlier boot, one that is damaged or gone. One process at a
 * time, under the file's `flock`; who finds it ready waits for nobody.
 */

import { fstatSync, lstatSync, readSync } from "node:fs";
import { flockTry } from "../platform/libc.ts";
import { RunningTime } from "../platform/running-time.ts";
import { PylogError } from "../shared/errors.ts";
import { readCheckpoint } from "./checkpoint.ts";
import { controlHeaderBytes, findControlProblem } from "./control-header.ts";
import { controlBytes, controlHeader, controlMagic } from "./control-layout.ts";
import { isOfThisBoot } from "./control-readiness.ts";
import { renewControl } from "./control-renewal.ts";
import { isLeaseHeld } from "./lease.ts";
import { livingProducers, producerNumbers } from "./numbering.ts";
import { otherVersion } from "./other-version.ts";
import type { SpoolPaths } from "./paths.ts";
import { Quarantine } from "./quarantine.ts";

/** How long another process may take to make the file: it reads all that waits in the spool for that. */
const makingMs = 15_000;
const makingPollMs = 1;

/**
 * Does nothing: calling it has this module loaded, which is done when one of its functions is called for the first time. A
 * process that lives for long calls it in time: by then, another version of the package may be in its place.
 */
export function loadPreparation(): void {}

/** Locks the file. @throws PylogError PYLOG_SPOOL_UNUSABLE when another process has not made it in time. */
export function waitForMaker(fd: number, { control }: SpoolPaths): void {
	const time = new RunningTime(makingPollMs * 100);
	const sleeper = new Int32Array(new SharedArrayBuffer(4));
	while (!flockTry(fd, "exclusive")) {
		if (time.nowMs() > makingMs) {
			throw new PylogError(
				"PYLOG_SPOOL_UNUSABLE",
				`Another process has been making ${control} for ${makingMs / 1000} s: it may be stopped (SIGSTOP, a debugger). ` +
					"Continue or end it.",
				{ details: { path: control } },
			);
		}
		Atomics.wait(sleeper, 0, 0, makingPollMs);
	}
}

/** Whether the file was moved aside by whoever held the lock before. */
export function wasReplaced(fd: number, path: string): boolean {
	return lstatSync(path, { throwIfNoEntry: false })?.ino !== fstatSync(fd).ino;
}

/** Makes the open, locked control file ready to be mapped. Tells of one that was unusable; moved aside, it must be opened again. */
export function prepareControl(
	fd: number,
	paths: SpoolPaths,
): { readonly problem: string | undefined; readonly isAside: boolean } {
	const header = Buffer.alloc(controlHeaderBytes);
	readSync(fd, header, 0, header.length, 0);
	const sizeBytes = fstatSync(fd).size;
	// The magic is written last: without it, the file is new, or whoever made it died.
	const isUnfinished = sizeBytes <= controlBytes && isBegun(header);
	const problem = isUnfinished ? undefined : findControlProblem(header, sizeBytes);
	if (problem?.version !== undefined) throw otherVersion(problem.version);
	const ready = { problem: undefined, isAside: false };
	if (!isUnfinished && problem === undefined && isOfThisBoot(header)) return ready;
	const users = usersOf(paths);
	if (users !== undefined) {
		// Nobody outlives a boot. Where /proc is hidden from some processes, they know the boot by another name.
		if (!isUnfinished && problem === undefined) return ready;
		throw damagedInUse(paths, problem?.what ?? "it was emptied or removed", users);
	}
	if (problem !== undefined) {
		setAside(paths, problem.what);
		return { problem: `damaged: ${problem.what}; it is in quarantine/`, isAside: true };
	}
	// What has its version, but no magic, was left by a maker that died.
	const isGone = header.readUInt32LE(controlHeader.version) === 0 && isUsed(paths);
	renewControl(fd, paths);
	return { problem: isGone ? "gone or emptied" : undefined, isAside: false };
}

/** Whether the spool has had a control file: nothing is logged or written without one. */
function isUsed(paths: SpoolPaths): boolean {
	return producerNumbers(paths).length > 0 || readCheckpoint(paths.checkpoint) !== undefined;
}

/** Whether none of the magic is there, or a part of it from its start. */
function isBegun(header: Buffer): boolean {
	const magic = header.toString("latin1", controlHeader.magic, controlHeader.magic + controlMagic.length);
	const written = magic.replace(/\0+$/, "");
	return written.length < controlMagic.length && controlMagic.startsWith(written);
}

/** Keeps a damaged control file in quarantine; another one can be made then. */
function setAside(paths: SpoolPaths, problem: string): void {
	const outcome = new Quarantine(paths.quarantine).take(paths.control, `the control file is damaged: ${problem}`);
	if (outcome.kind === "failed") throw outcome.error;
}

/** Who has the control file mapped at this moment, as text; `undefined` for nobody. */
function usersOf(paths: SpoolPaths): string | undefined {
	const living = livingProducers(paths);
	const users = living.length > 0 ? [`producers ${living.join(", ")}`] : [];
	if (isLeaseHeld(paths.lease)) users.push("the logman");
	return users.length > 0 ? users.join(" and ") : undefined;
}

/** It can't be replaced then: those who have it mapped would go on in the old one, and nobody would read what they log. */
function damagedInUse(paths: SpoolPaths, problem: string, users: string): PylogError {
	return new PylogError(
		"PYLOG_SPOOL_DAMAGED",
		`The control file ${paths.control} is damaged (${problem}) and in use by ${users}. ` +
			"End those processes; the next start repairs it.",
		{ details: { path: paths.control, problem, users } },
	);
}

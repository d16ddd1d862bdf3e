/** What those options take that a logman has in this process and in one of its own. */

import { statSync } from "node:fs";
import { resolve } from "node:path";
import { choice, directoryPath, listOf, type OptionRule, rule, wholeNumber } from "../shared/option-rule.ts";

/** When files are brought to the disk: by `syncIntervalMs`, after every batch, or by the kernel alone. */
export const syncModes = ["interval", "batch", "never"] as const;
export type SyncMode = (typeof syncModes)[number];

const maxMs = 3_600_000;
const minParkedBytes = 1024 * 1024;

export const cacheDirRule: OptionRule<string> = directoryPath;
export const syncRule: OptionRule<SyncMode> = choice(syncModes);
export const syncIntervalRule: OptionRule<number> = wholeNumber(1, maxMs, "milliseconds");
/** Absolute when it is checked: a logman in a process of its own works elsewhere. */
export const rootsRule: OptionRule<readonly string[]> = rule((value) => {
	const roots = listOf(directoryPath.read)(value) ?? [];
	return roots.length > 0 && roots.every(isDirectory) ? roots.map((root) => resolve(root)) : undefined;
}, "a list of one or more directories that exist");
export const maxParkedRule: OptionRule<number> = wholeNumber(minParkedBytes, Number.MAX_SAFE_INTEGER, "bytes");
export const idleExitRule: OptionRule<number> = wholeNumber(0, maxMs, "milliseconds");

/** A root that is missing would send every line to quarantine: that is told at once. */
function isDirectory(path: string): boolean {
	return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

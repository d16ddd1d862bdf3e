/** What those options take that a logman has in this process and in one of its own. */

import { choice, directoryPath, type OptionRule, wholeNumber } from "../shared/option-rule.ts";

/** When files are brought to the disk: by `syncIntervalMs`, after every batch, or by the kernel alone. */
export const syncModes = ["interval", "batch", "never"] as const;
export type SyncMode = (typeof syncModes)[number];

const maxMs = 3_600_000;

export const cacheDirRule: OptionRule<string> = directoryPath;
export const syncRule: OptionRule<SyncMode> = choice(syncModes);
export const syncIntervalRule: OptionRule<number> = wholeNumber(1, maxMs, "milliseconds");
export const idleExitRule: OptionRule<number> = wholeNumber(0, maxMs, "milliseconds");

/** What the option `onFull` takes: the name of a policy, or an object with its settings. */

import { levelNumber, levels, type LevelName } from "../line/level.ts";
import { numberBetween, oneOf, type OptionRule, type ValueReader, wholeNumber } from "../shared/option-rule.ts";
import { block, dropLowest, dropNew, type FullPolicy } from "../spool/full-policy.ts";
import { levelText } from "./level-text.ts";

const defaultDeadlineMs = 1000;
const longestDeadlineMs = 600_000;
const defaultBelow = "warning";
const defaultShare = 0.8;
const leastShare = 0.05;
const mostShare = 0.95;

/** Nothing is below the first one. */
const levelsBelow = (Object.keys(levels) as LevelName[]).filter((name) => name !== "trace");

const policies: Readonly<Record<FullPolicy["policy"], true>> = { "drop-new": true, block: true, "drop-lowest": true };
const known = Object.keys(policies);

const deadline = wholeNumber(1, longestDeadlineMs).read;
const belowLevel = oneOf(levelsBelow, levelText).read;
const shareOfRoom = numberBetween(leastShare, mostShare);

export const fullPolicyRule: OptionRule<FullPolicy> = {
	/** By its name alone, a policy has its defaults. */
	read: (value) => {
		if (typeof value === "string") return readPolicy({ policy: value });
		return typeof value === "object" && value !== null ? readPolicy(value) : undefined;
	},
	takes:
		`one of ${known.join(", ")}, or { policy: "block", deadlineMs: 1 to ${longestDeadlineMs} }, ` +
		`or { policy: "drop-lowest", below: ${levelsBelow.join(" | ")}, share: ${leastShare} to ${mostShare} }`,
	known,
};

type Settings = Readonly<Partial<Record<"policy" | "deadlineMs" | "below" | "share", unknown>>>;

function readPolicy(settings: Settings): FullPolicy | undefined {
	const policy = settings.policy as FullPolicy["policy"];
	switch (policy) {
		case "drop-new":
			return hasOnly(settings, []) ? dropNew : undefined;
		case "block": {
			const deadlineMs = setting(settings.deadlineMs, deadline, defaultDeadlineMs);
			return deadlineMs !== undefined && hasOnly(settings, ["deadlineMs"]) ? block(deadlineMs) : undefined;
		}
		case "drop-lowest": {
			const below = setting(settings.below, belowLevel, defaultBelow);
			const share = setting(settings.share, shareOfRoom, defaultShare);
			if (below === undefined || share === undefined || !hasOnly(settings, ["below", "share"])) return undefined;
			return dropLowest(levelNumber(below), share);
		}
		default:
			policy satisfies never;
			return undefined;
	}
}

function setting<Value>(given: unknown, read: ValueReader<Value>, whenMissing: Value): Value | undefined {
	return given === undefined ? whenMissing : read(given);
}

function hasOnly(settings: Settings, names: readonly (keyof Settings)[]): boolean {
	for (const name in settings) {
		if (name !== "policy" && !names.includes(name as keyof Settings)) return false;
	}
	return true;
}

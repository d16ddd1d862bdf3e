/** What the option `onFull` takes: the name of a policy, or an object with its settings. */

import * as v from "valibot";
import { levelNumber, levels, type LevelName } from "../line/level.ts";
import { oneOf, type OptionRule, wholeNumber } from "../shared/option-rule.ts";
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

const blockOption = v.strictObject({
	policy: v.literal("block"),
	deadlineMs: v.optional(wholeNumber(1, longestDeadlineMs).schema, defaultDeadlineMs),
});
const dropLowestOption = v.strictObject({
	policy: v.literal("drop-lowest"),
	below: v.optional(oneOf(levelsBelow, levelText).schema, defaultBelow),
	share: v.optional(v.pipe(v.number(), v.minValue(leastShare), v.maxValue(mostShare)), defaultShare),
});
const policyOption = v.variant("policy", [
	v.strictObject({ policy: v.literal("drop-new") }),
	blockOption,
	dropLowestOption,
]);

const policies: Readonly<Record<FullPolicy["policy"], true>> = { "drop-new": true, block: true, "drop-lowest": true };
const known = Object.keys(policies);

/** By its name alone, a policy has its defaults. */
const named = v.pipe(
	v.string(),
	v.transform((policy): unknown => ({ policy })),
);

export const fullPolicyRule: OptionRule<FullPolicy> = {
	schema: v.pipe(
		v.union([named, v.custom<object>((value) => typeof value === "object")]),
		policyOption,
		v.transform((option) => {
			switch (option.policy) {
				case "drop-new":
					return dropNew;
				case "block":
					return block(option.deadlineMs);
				case "drop-lowest":
					return dropLowest(levelNumber(option.below), option.share);
				default:
					return option satisfies never;
			}
		}),
	),
	takes:
		`one of ${known.join(", ")}, or { policy: "block", deadlineMs: 1 to ${longestDeadlineMs} }, ` +
		`or { policy: "drop-lowest", below: ${levelsBelow.join(" | ")}, share: ${leastShare} to ${mostShare} }`,
	known,
};

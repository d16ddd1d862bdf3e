/** A level's name as options take it: in any case, and `warn` for `warning`. */

import type { ValueReader } from "../shared/option-rule.ts";

export const levelText: ValueReader<string> = (value) => {
	if (typeof value !== "string") return undefined;
	const name = value.toLowerCase();
	return name === "warn" ? "warning" : name;
};

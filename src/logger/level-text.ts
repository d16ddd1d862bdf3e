/** A level's name as options take it: in any case, and `warn` for `warning`. */

import * as v from "valibot";

export const levelText: v.GenericSchema<unknown, string> = v.pipe(
	v.string(),
	v.toLowerCase(),
	v.transform((name) => (name === "warn" ? "warning" : name)),
);

/** What an option takes: its schema, and the words for its error. */

import * as v from "valibot";

export interface OptionRule<Output> {
	readonly schema: v.GenericSchema<unknown, Output>;
	/** The end of "it takes …". */
	readonly takes: string;
	/** Names a wrong one may have been meant for. */
	readonly known: readonly string[];
}

export function rule<Output>(schema: v.GenericSchema<unknown, Output>, takes: string): OptionRule<Output> {
	return { schema, takes, known: [] };
}

/** One of some names. */
export function choice<const Name extends string>(known: readonly Name[]): OptionRule<Name> {
	return oneOf(known, v.string());
}

/** One of `known`, once `text` has brought it into one spelling. */
export function oneOf<Name extends string>(
	known: readonly Name[],
	text: v.GenericSchema<unknown, string>,
): OptionRule<Name> {
	const schema = v.pipe(
		text,
		v.custom<Name>((name) => known.includes(name as Name)),
	);
	return { schema, takes: known.length === 1 ? `"${known[0]}"` : `one of ${known.join(", ")}`, known };
}

/** A whole number of some unit, from `least` to `most`. */
export function wholeNumber(least: number, most: number, unit = ""): OptionRule<number> {
	const schema = v.pipe(v.number(), v.safeInteger(), v.minValue(least), v.maxValue(most));
	const of = unit === "" ? "" : ` of ${unit}`;
	const range = most === Number.MAX_SAFE_INTEGER ? `, ${least} or more` : ` from ${least} to ${most}`;
	return rule(schema, `a whole number${of}${range}`);
}

export const directoryPath: OptionRule<string> = rule(
	v.pipe(
		v.string(),
		v.check((text) => text !== "" && !text.includes("\0")),
	),
	"the path of a directory",
);

export const yesOrNo: OptionRule<boolean> = rule(v.boolean(), "true or false");

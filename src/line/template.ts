/** Templates with placeholders such as `%time%`: what logforms and file names have in common. */

import { PylogError } from "../shared/errors.ts";
import { nearestName } from "../shared/nearest-name.ts";

export type TemplatePart<Name extends string> =
	| { readonly literal: string; readonly placeholder?: never }
	| { readonly placeholder: Name; readonly literal?: never };

/** `%word%`, or `%%`. A `%` that opens neither is text, as in "100% sure". */
const placeholderPattern = /%([A-Za-z][\w-]*)?%/g;

/**
 * The parts of `template`, in order; neighbouring literals are one part, `%%` is a `%`.
 *
 * Throws `PYLOG_PLACEHOLDER_UNKNOWN` for a `%word%` that is not `known`. `option` names the template in the message.
 */
export function parseTemplate<Name extends string>(
	template: string,
	known: readonly Name[],
	option: string,
): readonly TemplatePart<Name>[] {
	const parts: TemplatePart<Name>[] = [];
	let literal = "";
	let at = 0;
	for (const match of template.matchAll(placeholderPattern)) {
		const [text, word] = match;
		literal += template.slice(at, match.index);
		at = match.index + text.length;
		if (word === undefined) {
			literal += "%";
			continue;
		}
		const placeholder = known.find((name) => name === word);
		if (placeholder === undefined) throw unknownPlaceholder(template, word, known, option);
		if (literal !== "") parts.push({ literal });
		literal = "";
		parts.push({ placeholder });
	}
	literal += template.slice(at);
	if (literal !== "") parts.push({ literal });
	return parts;
}

function unknownPlaceholder(template: string, word: string, known: readonly string[], option: string): PylogError {
	const nearest = nearestName(word, known);
	const all = known.map((name) => `%${name}%`).join(" ");
	return new PylogError(
		"PYLOG_PLACEHOLDER_UNKNOWN",
		`The ${option} ${JSON.stringify(template)} holds %${word}%, which does not exist. ` +
			`The nearest is %${nearest}%; all are ${all}, and %% for a percent sign.`,
		{ details: { option, template, word, nearest, known } },
	);
}

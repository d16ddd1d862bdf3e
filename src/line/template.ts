/** Templates with placeholders such as `%time%`: what logforms and file names have in common. */

import { PylogError } from "../shared/errors.ts";

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

/**
 * The name of `known` (not empty) nearest to `word`, upper and lower case alike: by Levenshtein distance, in proportion
 * to the length, so that `host` is nearer to `hostname` than to `time`.
 */
function nearestName(word: string, known: readonly string[]): string {
	const wanted = word.toLowerCase();
	let nearest = "";
	let smallest = Number.POSITIVE_INFINITY;
	for (const name of known) {
		const distance = levenshteinDistance(wanted, name.toLowerCase()) / Math.max(wanted.length, name.length);
		if (distance >= smallest) continue;
		smallest = distance;
		nearest = name;
	}
	return nearest;
}

function levenshteinDistance(from: string, to: string): number {
	let above = Array.from({ length: to.length + 1 }, (_, column) => column);
	for (let row = 1; row <= from.length; row++) {
		const current = [row];
		for (let column = 1; column <= to.length; column++) {
			const replaced = (above[column - 1] as number) + (from[row - 1] === to[column - 1] ? 0 : 1);
			const removed = (above[column] as number) + 1;
			const inserted = (current[column - 1] as number) + 1;
			current.push(Math.min(replaced, removed, inserted));
		}
		above = current;
	}
	return above[to.length] as number;
}

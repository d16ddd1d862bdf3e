/** Checking options: each has one rule, and each wrong value an error that names it, what it got and what it takes. */

import * as v from "valibot";
import { PylogError } from "./errors.ts";
import { nearestName } from "./nearest-name.ts";

export interface OptionRule {
	readonly schema: v.GenericSchema;
	/** What the option takes, as its error says. */
	readonly takes: string;
	/** The values it takes, where they can be listed: for a "did you mean". */
	readonly names?: readonly string[];
}

export type OptionRules<Options> = Readonly<Record<keyof Options & string, OptionRule>>;

const maxShown = 80;

/** What is wrong with options; empty when nothing is. `undefined` stands for an option that is left out. */
export function optionProblems(rules: Readonly<Record<string, OptionRule>>, options: object): string[] {
	return Object.entries(options).flatMap(([name, value]) => {
		if (value === undefined) return [];
		const rule = Object.hasOwn(rules, name) ? rules[name] : undefined;
		if (rule !== undefined) return valueProblem(rule, `option "${name}"`, value);
		const known = Object.keys(rules);
		return [`option ${show(name)} is unknown; did you mean "${nearestName(name, known)}"? Known: ${known.join(", ")}`];
	});
}

/** What is wrong with one value. `where` names it: `option "level"`, `environment variable PYLOG_LEVEL`. */
export function valueProblem(rule: OptionRule, where: string, value: unknown): string[] {
	if (v.is(rule.schema, value)) return [];
	const isName = typeof value === "string" && rule.names !== undefined;
	const guess = isName ? `. Did you mean "${nearestName(value, rule.names ?? [])}"?` : "";
	return [`${where} got ${show(value)}; it takes ${rule.takes}${guess}`];
}

/** The error of wrong options. `who` is the function they were given to. */
export function invalidOptions(who: string, problems: readonly string[]): PylogError {
	return new PylogError("PYLOG_OPTION_INVALID", `${who}: ${problems.join("; ")}`, { details: { problems } });
}

export function wholeNumber(least: number, most: number): v.GenericSchema<number> {
	return v.pipe(v.number(), v.integer(), v.minValue(least), v.maxValue(most));
}

/** A short text of any value, however strange. */
export function show(value: unknown): string {
	let text: string;
	try {
		text = JSON.stringify(value) ?? String(value);
	} catch {
		text = `a ${typeof value}`;
	}
	return text.length > maxShown ? `${text.slice(0, maxShown)}…` : text;
}

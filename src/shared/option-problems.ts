/** What is wrong with options, gathered and told in one error. */

import { inspect } from "node:util";
import { type ErrorCode, PylogError } from "./errors.ts";
import { nearestName } from "./nearest-name.ts";
import type { OptionRule } from "./option-rule.ts";

const maxShownChars = 80;

interface Problem {
	readonly code: ErrorCode;
	readonly text: string;
	readonly option: string;
	readonly cause: PylogError | undefined;
}

export class OptionProblems {
	readonly #actor: string;
	readonly #problems: Problem[] = [];

	/** `actor` is who was given the options, such as `pylog()`. */
	constructor(actor: string) {
		this.#actor = actor;
	}

	add(option: string, text: string): void {
		this.#problems.push({ code: "PYLOG_OPTION_INVALID", text, option, cause: undefined });
	}

	addCause(option: string, cause: PylogError): void {
		this.#problems.push({ code: cause.code, text: cause.message, option, cause });
	}

	/**
	 * The value as the rule makes it, or `undefined` and one problem more. `subject` is what is checked as its user knows
	 * it: `option "level"`, or an environment variable.
	 */
	check<Output>(option: string, subject: string, value: unknown, rule: OptionRule<Output>): Output | undefined {
		try {
			const read = rule.read(value);
			if (read !== undefined) return read;
		} catch {
			// A value that can't even be looked at is as wrong as any other.
		}
		this.add(option, `${subject} got ${shownValue(value)}; it takes ${rule.takes}.${suggestion(value, rule.known)}`);
		return undefined;
	}

	/** Checks all options that are given; `undefined` stands for one that is not. */
	checkAll<Options extends object>(
		given: ReadonlyMap<string, unknown>,
		rules: { readonly [Name in keyof Options]-?: OptionRule<NonNullable<Options[Name]>> },
	): Partial<Options> {
		const checked: Partial<Record<string, unknown>> = {};
		for (const [name, value] of given) {
			if (!Object.hasOwn(rules, name)) this.addUnknownName(name, Object.keys(rules));
			else if (value !== undefined) {
				checked[name] = this.check(name, `option "${name}"`, value, rules[name as keyof Options]);
			}
		}
		return checked as Partial<Options>;
	}

	/** The options that are there, each read once. */
	read(raw: unknown): ReadonlyMap<string, unknown> {
		const given = new Map<string, unknown>();
		if (raw === undefined) return given;
		if (typeof raw !== "object" || raw === null || isList(raw)) {
			this.add("options", `got ${shownValue(raw)}; it takes an object of options.`);
			return given;
		}
		try {
			for (const name in raw) given.set(name, (raw as Readonly<Record<string, unknown>>)[name]);
		} catch {
			this.add("options", "the options can't be read.");
		}
		return given;
	}

	/** An option that does not exist. */
	addUnknownName(name: string, known: readonly string[]): void {
		const meant = suggestion(name, known) || ` Known are ${known.join(", ")}.`;
		this.add(name, `option ${shownValue(name)} does not exist.${meant}`);
	}

	/** @throws PylogError the one problem, or all in one PYLOG_OPTION_INVALID */
	throwIfAny(): void {
		const [first, ...others] = this.#problems;
		if (first === undefined) return;
		const { cause } = first;
		const details = { ...cause?.details, options: this.#problems.map(({ option }) => option) };
		if (others.length === 0) throw new PylogError(first.code, `${this.#actor}: ${first.text}`, { cause, details });
		const list = this.#problems.map(({ text }) => `\n  ${text}`).join("");
		throw new PylogError("PYLOG_OPTION_INVALID", `${this.#actor}: ${this.#problems.length} problems:${list}`, {
			details,
		});
	}
}

/** On one line, short, and without running code of the value's own. */
export function shownValue(value: unknown): string {
	if (typeof value === "string") return JSON.stringify(cutText(value, maxShownChars));
	try {
		const shown = inspect(value, {
			depth: 1,
			breakLength: Number.POSITIVE_INFINITY,
			customInspect: false,
			maxArrayLength: 5,
			maxStringLength: maxShownChars,
		});
		return cutText(shown.replaceAll(/\s+/g, " "), maxShownChars);
	} catch {
		return `a value of type ${typeof value}`;
	}
}

function isList(value: object): boolean {
	try {
		return Array.isArray(value);
	} catch {
		return false;
	}
}

function cutText(text: string, maxChars: number): string {
	return text.length > maxChars ? `${text.slice(0, maxChars)}…[cut ${text.length - maxChars} characters]` : text;
}

/** Only where it is likely: names that start alike. */
function suggestion(got: unknown, known: readonly string[]): string {
	if (typeof got !== "string" || got === "" || got.length > maxShownChars || known.length < 2) return "";
	const nearest = nearestName(got, known);
	return nearest[0]?.toLowerCase() === got[0]?.toLowerCase() ? ` Did you mean "${nearest}"?` : "";
}

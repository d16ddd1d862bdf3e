/** What is wrong with options, gathered and told in one error. */

import { inspect } from "node:util";
import { type ErrorCode, PylogError } from "../shared/errors.ts";
import { nearestName } from "../shared/nearest-name.ts";
import { cutText } from "./json-text.ts";

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

	/** `subject` is what is wrong as its user knows it: `option "level"`, or an environment variable. */
	addWrongValue(option: string, subject: string, got: unknown, takes: string, known: readonly string[]): void {
		this.add(option, `${subject} got ${shownValue(got)}; it takes ${takes}.${suggestion(got, known)}`);
	}

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

/** Only where it is likely: names that start alike. */
function suggestion(got: unknown, known: readonly string[]): string {
	if (typeof got !== "string" || got === "" || got.length > maxShownChars || known.length < 2) return "";
	const nearest = nearestName(got, known);
	return nearest[0]?.toLowerCase() === got[0]?.toLowerCase() ? ` Did you mean "${nearest}"?` : "";
}

/**
 * What the arguments of a logging call mean: message, fields, error.
 *
 * Both usual orders are understood, `(message, …)` and pino's `(fields or error, message, …)`, and printf-style values.
 * Invariants: nothing here throws; no argument but `undefined` is dropped: what has no place of its own is kept in the
 * field `args`.
 */

import { errorMessage } from "./error-record.ts";
import { formatMessage } from "./format-message.ts";
import { safeText } from "./json-text.ts";
import { hasFields, isErrorLike } from "./value-kind.ts";

export interface ParsedArguments {
	readonly message: string;
	readonly fields: object | undefined;
	/** Whether one of the arguments was an error. */
	readonly hasError: boolean;
	readonly error: unknown;
}

/**
 * Takes the arguments of a call apart.
 *
 * A string first is the message, and any other primitive as its text; after an object the message may come second. An
 * error without a message gives its own. `%s %d %i %f %j %o %O` in the message take the values that follow it. Of all
 * others the first error is the line's error, and the first object its fields.
 */
export function parseArguments(first: unknown, rest: readonly unknown[]): ParsedArguments {
	if (typeof first !== "object" || first === null) return assignFormatted(safeText(first), [], rest);
	const [second, ...others] = rest;
	return typeof second === "string"
		? assignFormatted(second, [first], others)
		: assign(undefined, [first, ...rest], []);
}

/**
 * Whether a value is surely fields and nothing else: a plain object that is no error. The look at its properties comes first:
 * behind it V8 knows the prototype, which is 40 ns to ask for.
 */
export function isPlainFields(value: unknown): value is object {
	if (typeof value !== "object" || value === null) return false;
	try {
		const { message, stack } = value as { readonly message?: unknown; readonly stack?: unknown };
		if (typeof stack === "string" && typeof message === "string") return false;
		return Object.getPrototypeOf(value) === Object.prototype;
	} catch {
		return false;
	}
}

function assignFormatted(text: string, before: readonly unknown[], after: readonly unknown[]): ParsedArguments {
	if (after.length === 0 || !text.includes("%"))
		return assign(text, before.length === 0 ? after : [...before, ...after], []);
	const { message, used } = formatMessage(text, after);
	return assign(message, [...before, ...after.slice(used)], after.slice(0, used));
}

/** Gives each of `values` its place. An error among those `shown` in the message is the line's error all the same. */
function assign(text: string | undefined, values: readonly unknown[], shown: readonly unknown[]): ParsedArguments {
	let fields: object | undefined;
	let error: object | undefined;
	let others: unknown[] | undefined;
	for (const value of values) {
		if (value === undefined) continue;
		if (error === undefined && isErrorLike(value)) error = value;
		else if (fields === undefined && hasFields(value)) fields = value;
		else (others ??= []).push(value);
	}
	error ??= shown.find((value) => isErrorLike(value));
	return {
		message: text ?? (error === undefined ? "" : errorMessage(error)),
		fields: others === undefined ? fields : withArgs(fields, others),
		hasError: error !== undefined,
		error,
	};
}

/** `fields` and a field `args`, or `args_` where that is taken. Getters are not called before their turn comes. */
function withArgs(fields: object | undefined, args: readonly unknown[]): object {
	if (fields === undefined) return { args };
	try {
		const { toJSON } = fields as { readonly toJSON?: unknown };
		const source: unknown = typeof toJSON === "function" ? toJSON.call(fields, "") : fields;
		if (!hasFields(source)) return { fields: source, args };
		const merged = {};
		for (const key of Object.keys(source)) {
			Object.defineProperty(merged, key, { enumerable: true, get: () => Reflect.get(source, key) as unknown });
		}
		let name = "args";
		while (Object.hasOwn(merged, name)) name += "_";
		return Object.defineProperty(merged, name, { enumerable: true, value: args });
	} catch {
		return { args: [fields, ...args] };
	}
}

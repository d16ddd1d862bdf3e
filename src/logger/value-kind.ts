/** What a value of unknown origin is to a logger. None of these questions throws, not even for a revoked proxy. */

import { types } from "node:util";

/** An `Error` of this realm or another, or an object made with the prototype of one. */
export function isError(value: unknown): value is object {
	if (typeof value !== "object" || value === null) return false;
	try {
		// Most values are plain objects: a look at the prototype tells at a fifth of the cost.
		if (Object.getPrototypeOf(value) === Object.prototype) return false;
		return value instanceof Error || types.isNativeError(value);
	} catch {
		return false;
	}
}

/** An error, or what another realm, library or process made of one: an object with a message and a stack. */
export function isErrorLike(value: unknown): value is object {
	if (isError(value)) return true;
	if (typeof value !== "object" || value === null) return false;
	try {
		const { message, stack } = value as { readonly message?: unknown; readonly stack?: unknown };
		return typeof stack === "string" && typeof message === "string";
	} catch {
		return false;
	}
}

/** Whether the own properties of `value` are what it has to say: a plain object or an instance of a user's class. */
export function hasFields(value: unknown): value is object {
	if (typeof value !== "object" || value === null) return false;
	try {
		const prototype: unknown = Object.getPrototypeOf(value);
		if (prototype === Object.prototype || prototype === null) return true;
		return Object.prototype.toString.call(value) === "[object Object]" && !isError(value);
	} catch {
		return false;
	}
}

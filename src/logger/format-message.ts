/**
 * Printf-style messages, by the rules of `util.format`: `%s %d %i %f %j %o %O`, and `%%` for a percent sign.
 *
 * Three differences, so that nothing is lost or thrown: `%d %i %f` leave an object where it is instead of printing
 * `NaN`; `%j` prints what JSON can't; `%s` prints an error as one line, since its stack follows anyway.
 */

import { format } from "node:util";
import { errorHeadline, writeRecord } from "./error-record.ts";
import { cutText, maxStringChars, throwsMark } from "./json-text.ts";
import { maxValueChars, valueText } from "./json-value.ts";
import { isErrorLike } from "./value-kind.ts";

const placeholders = /%([sdifjoO%])/g;
const numeric: ReadonlySet<string> = new Set(["d", "i", "f"]);

export interface FormattedMessage {
	readonly message: string;
	/** How many of the values, from the first on, the message took. */
	readonly used: number;
}

/** Never throws. Placeholders without a value stay as they are. */
export function formatMessage(text: string, values: readonly unknown[]): FormattedMessage {
	let used = 0;
	let isStopped = false;
	const message = text.replaceAll(placeholders, (placeholder, kind: string) => {
		if (kind === "%") return "%";
		if (isStopped || used >= values.length) return placeholder;
		const value = values[used];
		if (numeric.has(kind) && typeof value === "object" && value !== null) {
			isStopped = true;
			return placeholder;
		}
		used++;
		return formatValue(placeholder, value);
	});
	return { message, used };
}

function formatValue(placeholder: string, value: unknown): string {
	try {
		if (placeholder === "%s" && typeof value === "string") return value;
		if (placeholder === "%j") return jsonText(value);
		if (placeholder === "%s" && isErrorLike(value)) return errorHeadline(value);
		return cutText(format(placeholder, value), maxStringChars);
	} catch (thrown) {
		return throwsMark(thrown);
	}
}

function jsonText(value: unknown): string {
	return valueText(value, "", maxValueChars, writeRecord) ?? "undefined";
}

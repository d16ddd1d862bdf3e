/** What each option of `pylog()` takes, and what becomes of it. */

import * as v from "valibot";
import { type LevelName, levels } from "../line/level.ts";
import { type Format, formats } from "../spool/log-record.ts";
import { hasFields } from "./value-kind.ts";

/** Options as the logger uses them: complete, in one spelling, paths absolute. See `LoggerOptions` for what they mean. */
export interface ResolvedLoggerOptions {
	readonly filename: string;
	readonly logform: string;
	readonly format: Format;
	readonly level: LevelName | "silent";
	readonly priority: readonly LevelName[];
	readonly cacheDir: string;
	readonly logman: "auto" | "external";
	readonly name: string;
	readonly fields: object;
	readonly callSite: boolean;
	readonly callerSkip: number;
	readonly onFull: "drop-new";
	readonly maxSpoolBytes: number;
}

export type OptionName = keyof ResolvedLoggerOptions;

export interface OptionRule<Output> {
	readonly schema: v.GenericSchema<unknown, Output>;
	/** The end of "it takes …". */
	readonly takes: string;
	/** Names a wrong one may have been meant for. */
	readonly known: readonly string[];
}

const maxCallerSkip = 32;
const maxNameChars = 255;
const minSpoolBytes = 256 * 1024;
const levelNames = Object.keys(levels) as LevelName[];

const path = v.pipe(
	v.string(),
	v.check((text) => text !== "" && !text.includes("\0")),
);

/** A level in any case; `warn` is `warning`. */
const levelText = v.pipe(
	v.string(),
	v.toLowerCase(),
	v.transform((name) => (name === "warn" ? "warning" : name)),
);

export const optionRules: { readonly [Name in OptionName]: OptionRule<ResolvedLoggerOptions[Name]> } = {
	filename: rule(v.pipe(path, v.check(isFilePath)), "the path of a file, which can't end in a slash"),
	logform: rule(v.string(), 'a template such as "%loglevel% - %time% | "'),
	format: choice(formats),
	level: oneOf([...levelNames, "silent"], levelText),
	priority: rule(v.array(oneOf(levelNames, levelText).schema), `a list of levels: ${levelNames.join(", ")}`),
	cacheDir: rule(path, "the path of a directory"),
	logman: choice(["auto", "external"]),
	name: rule(v.pipe(v.string(), v.check(isPlainName)), `at most ${maxNameChars} characters, none of them a control`),
	fields: rule(v.custom<object>(hasFields), "an object with fields"),
	callSite: rule(v.boolean(), "true or false"),
	callerSkip: rule(wholeNumber(0, maxCallerSkip), `a whole number from 0 to ${maxCallerSkip}`),
	onFull: choice(["drop-new"]),
	maxSpoolBytes: rule(
		wholeNumber(minSpoolBytes, Number.MAX_SAFE_INTEGER),
		`a whole number of bytes, ${minSpoolBytes} or more`,
	),
};

function rule<Output>(schema: v.GenericSchema<unknown, Output>, takes: string): OptionRule<Output> {
	return { schema, takes, known: [] };
}

function choice<const Name extends string>(known: readonly Name[]): OptionRule<Name> {
	return oneOf(known, v.string());
}

/** One of `known`, once `text` has brought it into one spelling. */
function oneOf<Name extends string>(known: readonly Name[], text: v.GenericSchema<unknown, string>): OptionRule<Name> {
	const schema = v.pipe(
		text,
		v.custom<Name>((name) => known.includes(name as Name)),
	);
	return { schema, takes: known.length === 1 ? `"${known[0]}"` : `one of ${known.join(", ")}`, known };
}

function wholeNumber(least: number, most: number): v.GenericSchema<unknown, number> {
	return v.pipe(v.number(), v.safeInteger(), v.minValue(least), v.maxValue(most));
}

/** The last part of a file's path can't be empty, `.` or `..`. */
function isFilePath(text: string): boolean {
	return !/(?:^|\/)\.{0,2}$/.test(text);
}

function isPlainName(text: string): boolean {
	return text.length <= maxNameChars && !/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/.test(text);
}

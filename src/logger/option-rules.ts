/** What each option of `pylog()` takes, and what becomes of it. */

import { type LevelName, levels } from "../line/level.ts";
import {
	choice,
	directoryPath,
	listOf,
	oneOf,
	type OptionRule,
	plainText,
	rule,
	wholeNumber,
	yesOrNo,
} from "../shared/option-rule.ts";
import { type Format, formats } from "../spool/log-record.ts";
import type { FullPolicy } from "../spool/full-policy.ts";
import { fullPolicyRule } from "./full-policy-rule.ts";
import { levelText } from "./level-text.ts";
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
	readonly onFull: FullPolicy;
	readonly maxSpoolBytes: number;
}

export type OptionName = keyof ResolvedLoggerOptions;

const maxCallerSkip = 32;
const maxNameChars = 255;
const minSpoolBytes = 256 * 1024;
const levelNames = Object.keys(levels) as LevelName[];

export const optionRules: { readonly [Name in OptionName]: OptionRule<ResolvedLoggerOptions[Name]> } = {
	filename: rule((value) => {
		const path = directoryPath.read(value);
		return path !== undefined && isFilePath(path) ? path : undefined;
	}, "the path of a file, which can't end in a slash"),
	logform: rule(plainText, 'a template such as "%loglevel% - %time% | "'),
	format: choice(formats),
	level: oneOf([...levelNames, "silent"], levelText),
	priority: rule(listOf(oneOf(levelNames, levelText).read), `a list of levels: ${levelNames.join(", ")}`),
	cacheDir: directoryPath,
	logman: choice(["auto", "external"]),
	name: rule(plainName, `at most ${maxNameChars} characters, none of them a control`),
	fields: rule((value) => (hasFields(value) ? value : undefined), "an object with fields"),
	callSite: yesOrNo,
	callerSkip: wholeNumber(0, maxCallerSkip),
	onFull: fullPolicyRule,
	maxSpoolBytes: wholeNumber(minSpoolBytes, Number.MAX_SAFE_INTEGER, "bytes"),
};

/** The last part of a file's path can't be empty, `.` or `..`. */
function isFilePath(text: string): boolean {
	return !/(?:^|\/)\.{0,2}$/.test(text);
}

function plainName(value: unknown): string | undefined {
	const name = plainText(value);
	if (name === undefined || name.length > maxNameChars) return undefined;
	return /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/.test(name) ? undefined : name;
}

/** What an option takes: how its value is read, and the words for its error. */

/** The value as it is used, or `undefined` where it is none that is taken. */
export type ValueReader<Output> = (value: unknown) => Output | undefined;

export interface OptionRule<Output> {
	readonly read: ValueReader<Output>;
	/** The end of "it takes …". */
	readonly takes: string;
	/** Names a wrong one may have been meant for. */
	readonly known: readonly string[];
}

export function rule<Output>(read: ValueReader<Output>, takes: string): OptionRule<Output> {
	return { read, takes, known: [] };
}

/** One of some names. */
export function choice<const Name extends string>(known: readonly Name[]): OptionRule<Name> {
	return oneOf(known, plainText);
}

/** One of `known`, once `text` has brought it into one spelling. */
export function oneOf<Name extends string>(known: readonly Name[], text: ValueReader<string>): OptionRule<Name> {
	const read: ValueReader<Name> = (value) => {
		const name = text(value) as Name | undefined;
		return name !== undefined && known.includes(name) ? name : undefined;
	};
	return { read, takes: known.length === 1 ? `"${known[0]}"` : `one of ${known.join(", ")}`, known };
}

/** A whole number of some unit, from `least` to `most`. */
export function wholeNumber(least: number, most: number, unit = ""): OptionRule<number> {
	const between = numberBetween(least, most);
	const of = unit === "" ? "" : ` of ${unit}`;
	const range = most === Number.MAX_SAFE_INTEGER ? `, ${least} or more` : ` from ${least} to ${most}`;
	return rule((value) => (Number.isSafeInteger(value) ? between(value) : undefined), `a whole number${of}${range}`);
}

export const directoryPath: OptionRule<string> = rule((value) => {
	const text = plainText(value);
	return text !== "" && text?.includes("\0") === false ? text : undefined;
}, "the path of a directory");

export const yesOrNo: OptionRule<boolean> = rule(
	(value) => (typeof value === "boolean" ? value : undefined),
	"true or false",
);

export const plainText: ValueReader<string> = (value) => (typeof value === "string" ? value : undefined);

/** NaN is no number. */
export function numberBetween(least: number, most: number): ValueReader<number> {
	return (value) => (typeof value === "number" && value >= least && value <= most ? value : undefined);
}

/** A list in which `item` takes each value; the list is a new one. */
export function listOf<Item>(item: ValueReader<Item>): ValueReader<Item[]> {
	return (value) => {
		if (!Array.isArray(value)) return undefined;
		const items: Item[] = [];
		for (let index = 0; index < value.length; index++) {
			const read = item(value[index]);
			if (read === undefined) return undefined;
			items.push(read);
		}
		return items;
	};
}

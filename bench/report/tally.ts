/** Gathers what the rounds of a question found, and makes medians, quartiles and ratios of it. */

export type Unit = "ns" | "µs" | "ms" | "lines/s" | "requests/s" | "MiB/s" | "MiB" | "bytes" | "packages" | "%";

/** One figure: `<group> <subject> <measure>`, such as the cost (measure) of a call with two fields (group) of pino (subject). */
export interface Result {
	readonly name: string;
	readonly group: string;
	readonly subject: string;
	readonly measure: string;
	readonly unit: Unit;
	readonly median: number;
	/** A quarter of the rounds was lower. */
	readonly q1: number;
	/** A quarter of the rounds was higher. */
	readonly q3: number;
	readonly rounds: number;
}

export type Ratios = Readonly<Record<string, number>>;
/** By the names of the ratios: between which values the half of the rounds in the middle lies. */
export type Spreads = Readonly<Record<string, readonly [q1: number, q3: number]>>;

interface Series {
	readonly group: string;
	readonly subject: string;
	readonly measure: string;
	readonly unit: Unit;
	/** By round; a round without a value has none. */
	readonly values: Map<number, number>;
}

export class Tally {
	readonly #series = new Map<string, Series>();
	readonly #ratios: Record<string, number> = {};
	readonly #spreads: Record<string, readonly [q1: number, q3: number]> = {};

	add(round: number, group: string, subject: string, measure: string, unit: Unit, value: number): void {
		const name = `${group} ${subject} ${measure}`;
		const series = this.#series.get(name) ?? { group, subject, measure, unit, values: new Map<number, number>() };
		series.values.set(round, value);
		this.#series.set(name, series);
	}

	results(): Result[] {
		return [...this.#series].map(([name, { group, subject, measure, unit, values }]) => {
			const sorted = [...values.values()].sort((one, other) => one - other);
			const [median, q1, q3] = [quantile(sorted, 0.5), quantile(sorted, 0.25), quantile(sorted, 0.75)];
			return { name, group, subject, measure, unit, median, q1, q3, rounds: sorted.length };
		});
	}

	/** The ratios so far, by their names. */
	get ratios(): Ratios {
		return this.#ratios;
	}

	get spreads(): Spreads {
		return this.#spreads;
	}

	/** All subjects that have a measure in a group. */
	subjects(group: string, measure: string): string[] {
		return [...this.#series.values()]
			.filter((series) => series.group === group && series.measure === measure)
			.map(({ subject }) => subject);
	}

	/**
	 * How many times better `subject` is than `other`: the median of the ratios of each round, whose two sides were measured
	 * shortly after one another. Where one of them has no figure there is no ratio.
	 */
	compare(name: string, group: string, measure: string, subject: string, other: string): void {
		this.compareMeasures(name, group, [subject, measure], [other, measure]);
	}

	/** The same of two measures, each with its subject; both have the same unit. */
	compareMeasures(name: string, group: string, [subject, measure]: Figure, [other, otherMeasure]: Figure): void {
		const ours = this.#series.get(`${group} ${subject} ${measure}`);
		const theirs = this.#series.get(`${group} ${other} ${otherMeasure}`);
		if (ours === undefined || theirs === undefined) return;
		const ratios = [...ours.values].flatMap(([round, value]) => {
			const of = theirs.values.get(round);
			if (of === undefined) return [];
			return [isBetterHigher(ours.unit) ? value / of : of / value];
		});
		ratios.sort((one, another) => one - another);
		const full = `${name} ${subject} vs ${other}`;
		this.#ratios[full] = quantile(ratios, 0.5);
		this.#spreads[full] = [quantile(ratios, 0.25), quantile(ratios, 0.75)];
	}
}

type Figure = readonly [subject: string, measure: string];

/** The value below which a part of sorted values lies. */
export function quantile(sorted: ArrayLike<number>, part: number): number {
	const at = (sorted.length - 1) * part;
	const below = sorted[Math.floor(at)] ?? Number.NaN;
	const above = sorted[Math.ceil(at)] ?? Number.NaN;
	return below + (above - below) * (at - Math.floor(at));
}

function isBetterHigher(unit: Unit): boolean {
	return unit.endsWith("/s");
}

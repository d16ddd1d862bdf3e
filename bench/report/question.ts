/** What a benchmark is to the command: one question, and the answer with all that is needed to judge it. */
import type { Machine, Versions } from "./machine.ts";
import type { Ratios, Result, Spreads, Tally } from "./tally.ts";

export interface Question {
	readonly name: string;
	/** The question itself, as the heading of its tables. */
	readonly title: string;
	/** What the work is and how it was measured; paragraphs of Markdown. */
	readonly about: string;
	/** Asks it in `pace.rounds` rounds or fewer. */
	ask(pace: Pace): Promise<Tally>;
	/** Titles of the groups, where a group's name does not speak for itself. */
	readonly groups?: Readonly<Record<string, string>>;
}

export interface Pace {
	/** Few rounds with little work, to see that all is well. */
	readonly isQuick: boolean;
	/** Tells what is going on. */
	tell(text: string): void;
}

/** What `--json` prints, one object for each question. */
export interface Answer {
	readonly question: string;
	readonly machine: Machine;
	readonly versions: Versions;
	readonly quick: boolean;
	/** The most rounds that a figure comes from. */
	readonly rounds: number;
	readonly seconds: number;
	readonly results: readonly Result[];
	/** How many times better Pylog is: above 1 it is ahead, below it is behind. */
	readonly ratios: Ratios;
	readonly spreads: Spreads;
}

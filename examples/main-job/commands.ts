/** What main.ts tells the producers while they log, and what a thread makes of it. */

export type Command = "rush" | "finish";

const linesPerBurst = 40;
const linesPerRush = 15_000;

export class Commands {
	#isOver = false;
	#isRush = false;

	obey(command: Command): void {
		if (command === "finish") this.#isOver = true;
		else this.#isRush = true;
	}

	/** Whether the thread should finish. */
	get isOver(): boolean {
		return this.#isOver;
	}

	/** How many lines the thread logs without a pause: a few, or once very many after a "rush". */
	nextBurst(): number {
		const lines = this.#isRush ? linesPerRush : linesPerBurst;
		this.#isRush = false;
		return lines;
	}
}

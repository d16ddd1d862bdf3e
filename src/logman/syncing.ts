/**
 * Brings what is written to the disk, beside the other work: files in the background, then, when no batch is being
 * written, the checkpoint; then the producers are told.
 */

import type { DeliveredCounts } from "../spool/spool-reader.ts";
import type { Standing } from "./standing.ts";

export class Syncing {
	readonly #standing: Standing;
	/** What was delivered when the sync began, and how it went. */
	#begun: { readonly counts: DeliveredCounts; readonly files: Promise<boolean> } | undefined;
	#outcome: boolean | undefined;

	constructor(standing: Standing) {
		this.#standing = standing;
	}

	get isUnderWay(): boolean {
		return this.#begun !== undefined;
	}

	/** Whether {@link complete} has something to do. */
	get isReady(): boolean {
		return this.#outcome !== undefined;
	}

	/** Begins one, unless one is under way. `onReady` is called when it is to be completed. */
	begin(onReady: () => void): void {
		if (this.#begun !== undefined) return;
		const { outputs, aside, reader } = this.#standing;
		const files = Promise.all([outputs.sync(), aside.sync()]).then((safe) => safe.every(Boolean));
		this.#begun = { counts: reader.deliveredCounts(), files };
		void files.then((isSafe) => {
			this.#outcome = isSafe;
			onReady();
		});
	}

	/** Ends the one whose files are done. Not while a batch is being written. Returns whether all is on disk. */
	complete(): boolean {
		const begun = this.#begun;
		const isSafe = this.#outcome;
		if (begun === undefined || isSafe === undefined) return false;
		this.#begun = this.#outcome = undefined;
		if (!isSafe) return false;
		// The checkpoint first: after a power failure a line that was on disk must not be written again.
		this.#standing.confirm();
		this.#standing.sync();
		this.#standing.reader.publishDurable(begun.counts);
		return true;
	}

	/** A whole one, for all that is written now. */
	async now(): Promise<boolean> {
		await this.#begun?.files;
		this.complete();
		this.begin(() => undefined);
		await this.#begun?.files;
		return this.complete();
	}
}

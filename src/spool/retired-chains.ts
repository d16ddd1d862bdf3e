/**
 * Chains of producers whose folder was removed, while a power failure may bring it back: what stands there must be known as
 * delivered, so each checkpoint names them until the names of the folders are on the disk.
 */

import { syncFolder } from "../platform/durable-file.ts";
import type { ChainState } from "./checkpoint.ts";
import type { ControlFile } from "./control-file.ts";
import { settleLeftovers } from "./leftovers.ts";
import type { GarbledWord } from "./word-watch.ts";

/** With so many it is time to forget them: each checkpoint holds them. */
const maxRetired = 1000;
const settleIntervalMs = 60_000;

export class RetiredChains {
	readonly #control: ControlFile;
	readonly #onGarbled: (garbled: GarbledWord) => void;
	readonly #states: ChainState[] = [];
	#settleAtMs = 0;

	constructor(control: ControlFile, onGarbled: (garbled: GarbledWord) => void) {
		this.#control = control;
		this.#onGarbled = onGarbled;
	}

	get states(): readonly ChainState[] {
		return this.#states;
	}

	add(states: readonly ChainState[]): void {
		this.#states.push(...states);
	}

	/** A folder that a power failure brings back must be known as delivered: its names go first. */
	forget(): void {
		if (this.#states.length === 0) return;
		syncFolder("producer.sync-retired", this.#control.paths.producers);
		this.#states.length = 0;
	}

	/** What is due at the start, when the last producer has gone, and now and then. */
	settle(isLastGone: boolean): void {
		if (this.#states.length > maxRetired) this.forget();
		const nowMs = performance.now();
		if (nowMs < this.#settleAtMs && !isLastGone) return;
		this.#settleAtMs = nowMs + settleIntervalMs;
		settleLeftovers(this.#control, this.#onGarbled);
	}
}

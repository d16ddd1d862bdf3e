/**
 * What wakes the logman: a producer's ring, a file in the inbox, a deadline.
 *
 * After work it looks again every few milliseconds for a short while, so that a busy producer never pays for waking it;
 * only then it sleeps on the doorbell, and costs nothing.
 */

import { type FSWatcher, watch } from "node:fs";
import { join } from "node:path";
import { lanes } from "../shared/lane.ts";
import { controlWords } from "../spool/control-layout.ts";
import type { ControlFile } from "../spool/control-file.ts";

const pollMs = 2;
/** How often, when there was work with nearly every look for as long as it polls after the last: each look costs a write. */
const steadyPollMs = 5;
/** So long after the last work it polls. */
const pollForMs = 40;

export class Alarm {
	readonly #control: ControlFile;
	readonly #hasLateNews: () => boolean;
	readonly #watchers: FSWatcher[] = [];
	#lastNumber = -1;
	#activeAtMs = 0;
	/** When the work began that has gone on since. */
	#busySinceMs = 0;
	#rung = false;
	#isClosed = false;

	/** @param hasLateNews Whether there is something to read that no new number tells of. */
	constructor(control: ControlFile, hasLateNews: () => boolean) {
		this.#control = control;
		this.#hasLateNews = hasLateNews;
	}

	/** From now on a file that comes into the inbox ends the wait; `onInbox` is called first. */
	watchInbox(inbox: string, onInbox: () => void): void {
		for (const lane of lanes) {
			this.#watch(join(inbox, lane), () => {
				onInbox();
				this.ring();
			});
		}
	}

	/** Ends the wait, now or when it begins. After {@link Alarm.close} nobody waits, and the memory is gone. */
	ring(): void {
		if (this.#isClosed) return;
		this.#rung = true;
		this.#control.doorbell.ring();
	}

	/** Waits for work, `idleMs` at most. `isUrgent` never sleeps for longer than a poll. */
	async wait(idleMs: number, isUrgent: boolean): Promise<void> {
		const nowMs = performance.now();
		if (this.#hasNews()) {
			if (nowMs - this.#activeAtMs > steadyPollMs * 2) this.#busySinceMs = nowMs;
			this.#activeAtMs = nowMs;
		}
		const mayPoll = isUrgent || nowMs - this.#activeAtMs < pollForMs;
		// What keeps it from sleeping may last: the event loop has to turn all the same.
		if (mayPoll || !(await this.#sleep(idleMs))) {
			const isSteady = this.#activeAtMs === nowMs && nowMs - this.#busySinceMs >= pollForMs;
			const untilLookMs = isSteady ? steadyPollMs : pollMs;
			await new Promise((resolve) => setTimeout(resolve, Math.min(untilLookMs, idleMs)));
		}
		this.#rung = false;
	}

	close(): void {
		this.#isClosed = true;
		for (const watcher of this.#watchers) watcher.close();
	}

	/** The inbox is looked at every second as well: where the system has no watches left, it is only slower. */
	#watch(folder: string, onChange: () => void): void {
		try {
			const watcher = watch(folder, { persistent: false }, onChange);
			watcher.on("error", () => watcher.close());
			this.#watchers.push(watcher);
		} catch {
			// No watch: see above.
		}
	}

	/** Whether it slept: not when there is something to do already. */
	async #sleep(idleMs: number): Promise<boolean> {
		const { doorbell } = this.#control;
		doorbell.prepare();
		// Whatever came before the announcement rang no bell.
		if (
			this.#rung ||
			this.#hasNews() ||
			this.#hasLateNews() ||
			this.#control.load("flushWanted") !== 0 ||
			this.#control.load("stopWanted") !== 0
		) {
			doorbell.cancel();
			return false;
		}
		await doorbell.sleep(idleMs);
		return true;
	}

	/** Whether a number was taken since the last look. */
	#hasNews(): boolean {
		const number = Atomics.load(this.#control.mapping.words, controlWords.nextNumber);
		const isNew = number !== this.#lastNumber;
		this.#lastNumber = number;
		return isNew;
	}
}

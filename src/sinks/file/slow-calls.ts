/**
 * Calls to outputs, which may never answer: a dead network mount, a stopped file system. Each gets a time limit. One that
 * passes it is stuck: it goes on in the kernel, nobody waits for it, and no other call is made on its mount meanwhile, so
 * stuck calls never take more threads than there were calls under way when the mount stopped.
 */

import { mountPoint } from "../../platform/mounts.ts";

/** A call did not answer in time, or was not even made. */
export class StalledError extends Error {
	override readonly name = "StalledError";
	readonly code = "ETIMEDOUT";
	/** Whether the call was made: it may still do what it was to do. */
	readonly isUnderWay: boolean;

	constructor(message: string, isUnderWay: boolean) {
		super(message);
		this.isUnderWay = isUnderWay;
	}
}

export class SlowCalls {
	/** What is stuck, with the mount that it is about. */
	readonly #stuck = new Map<Promise<unknown>, { readonly path: string; readonly mount: string }>();

	/** How many calls are stuck. */
	get stuckCount(): number {
		return this.#stuck.size;
	}

	/** Whether a call for this path would meet a mount on which one is stuck. */
	isStuck(path: string): boolean {
		if (this.#stuck.size === 0) return false;
		const mount = mountPoint(path);
		return [...this.#stuck.values()].some((stuck) => stuck.path === path || stuck.mount === mount);
	}

	/**
	 * What `call` gives. `call` goes on when its time is over: what it works on must stay as it is until it has ended.
	 *
	 * @param limitMs `Infinity` waits for ever.
	 * @throws StalledError when it did not answer in time, or was not made because another one on its mount is stuck;
	 *   `onLate` gets the call then, if it was made.
	 */
	async within<Result>(
		path: string,
		limitMs: number,
		call: () => Promise<Result>,
		onLate: (work: Promise<Result>) => void,
	): Promise<Result> {
		if (this.isStuck(path)) {
			throw new StalledError(`${path} is on a file system that does not answer`, false);
		}
		const work = call();
		if (limitMs === Number.POSITIVE_INFINITY) return work;
		const isLate = Symbol("late");
		let timer: NodeJS.Timeout | undefined;
		const late = new Promise<typeof isLate>((resolve) => {
			// An answer that came while this process itself was stopped is heard first.
			timer = setTimeout(() => setImmediate(() => setImmediate(() => resolve(isLate))), limitMs);
		});
		try {
			const result = await Promise.race([work, late]);
			if (result !== isLate) return result;
		} finally {
			clearTimeout(timer);
		}
		this.#note(path, work);
		onLate(work);
		throw new StalledError(`${path} did not answer within ${limitMs} ms`, true);
	}

	/** Resolves when nothing is stuck any more. */
	async untilSettled(): Promise<void> {
		while (this.#stuck.size > 0) await Promise.allSettled(this.#stuck.keys());
	}

	#note(path: string, work: Promise<unknown>): void {
		this.#stuck.set(work, { path, mount: mountPoint(path) });
		const forget = (): void => {
			this.#stuck.delete(work);
		};
		work.then(forget, forget);
	}
}

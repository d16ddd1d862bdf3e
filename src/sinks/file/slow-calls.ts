/**
 * Calls to outputs, which may never answer: a dead network mount, a stopped file system. Each gets a time limit. One that
 * passes it is stuck: it goes on in the kernel, nobody waits for it, and no other call is made on its mount meanwhile, so
 * stuck calls never take more threads than there were calls under way when the mount stopped.
 *
 * A mount that has not answered once is waited for less long for a while: if it comes and goes, it holds up the others for
 * moments only. The threads that all calls share are few (`UV_THREADPOOL_SIZE`). When a quarter of them is stuck there is one
 * call at a time, and the last one is left for the spool's own disk, which is not called through here.
 */

import { followLinks, mountPoint } from "../../platform/mounts.ts";

/** A call did not answer in time, or was not even made. */
export class StalledError extends Error {
	override readonly name: string = "StalledError";
	readonly code = "ETIMEDOUT";
	/** Whether the call was made: it may still do what it was to do. */
	readonly isUnderWay: boolean;

	constructor(message: string, isUnderWay: boolean) {
		super(message);
		this.isUnderWay = isUnderWay;
	}
}

/** How long a call may take. */
export interface Patience {
	/** `Infinity` waits for ever, whatever else is stuck. */
	readonly limitMs: number;
	/** Likewise on a mount that has not answered lately. @default `limitMs` */
	readonly afterStallMs?: number;
}

/** What a call is about; the mount may become known only while it is under way. */
interface Place {
	readonly path: string;
	mount: string;
	sinceMs: number;
}

/** Threads that calls share, as libuv counts them. */
export const threads: number = Math.max(1, Number(process.env["UV_THREADPOOL_SIZE"]) || 4);
/** For how long a mount that has not answered counts as unreliable. */
const unreliableMs = 60_000;
const maxKnownPaths = 16_384;
/** The last part of a call's time, counted only from when this process looks again. */
const longestGraceMs = 100;

export class SlowCalls {
	/** Calls that are waited for. */
	readonly #waitedFor = new Set<Promise<boolean>>();
	readonly #stuck = new Map<Promise<unknown>, Place>();
	/** Mounts of paths whose links were followed; the oldest first. */
	readonly #mounts = new Map<string, string>();
	/** When a mount was last found not to answer. */
	readonly #unreliable = new Map<string, number>();

	/** How many calls are stuck. */
	get stuckCount(): number {
		return this.#stuck.size;
	}

	/** Whether a call for this path would not be made: one on its mount is stuck, or too many are. */
	isStuck(path: string): boolean {
		if (this.#stuck.size === 0) return false;
		return (
			this.#isMountStuck(this.#mounts.get(path) ?? mountPoint(path)) || this.#isPathStuck(path) || this.#areTooMany
		);
	}

	/**
	 * What `call` gives. `call` goes on when its time is over: what it works on must stay as it is until it has ended.
	 *
	 * @throws StalledError when it did not answer in time, or was not made because others are stuck; `onLate` gets the call
	 *   then, if it was made.
	 */
	async within<Result>(
		path: string,
		patience: Patience,
		call: () => Promise<Result>,
		onLate: (work: Promise<Result>) => void = (): void => undefined,
	): Promise<Result> {
		if (patience.limitMs === Number.POSITIVE_INFINITY) return call();
		const mount = this.#mounts.get(path) ?? (await this.#locate(path, patience));
		return this.#within({ path, mount, sinceMs: 0 }, patience, call, onLate);
	}

	/** Resolves when nothing is stuck any more. */
	async untilSettled(): Promise<void> {
		while (this.#stuck.size > 0) await Promise.allSettled(this.#stuck.keys());
	}

	/** Resolves when a call for this path would be made. */
	async untilAnswered(path: string): Promise<void> {
		while (this.isStuck(path)) await Promise.race([...this.#stuck.keys()].map((work) => work.catch(() => undefined)));
	}

	/** Follows the links of a path, once, so that it is known which mount a call for it is about. */
	async #locate(path: string, patience: Patience): Promise<string> {
		const place: Place = { path, mount: "", sinceMs: 0 };
		const follow = (): Promise<void> =>
			followLinks(path, (mount, isLast) => {
				place.mount = mount;
				// The first names of every path are in "/", and known to the kernel.
				if ((isLast || mount !== "/") && this.#isMountStuck(mount)) throw stalled(path);
			});
		await this.#within(place, patience, follow, () => undefined);
		for (const known of this.#mounts.keys()) {
			if (this.#mounts.size < maxKnownPaths) break;
			this.#mounts.delete(known);
		}
		this.#mounts.set(path, place.mount);
		return place.mount;
	}

	async #within<Result>(
		place: Place,
		{ limitMs: longestMs, afterStallMs = longestMs }: Patience,
		call: () => Promise<Result>,
		onLate: (work: Promise<Result>) => void,
	): Promise<Result> {
		while (this.#waitedFor.size > 0 && this.#stuck.size > 0 && this.#stuck.size >= threads / 4) {
			await Promise.race(this.#waitedFor);
		}
		if (this.#isMountStuck(place.mount) || this.#isPathStuck(place.path) || this.#areTooMany) throw stalled(place.path);
		place.sinceMs = performance.now();
		const work = call();
		const limitMs = this.#isUnreliable(place.mount) ? afterStallMs : longestMs;
		const isInTime = endsWithin(work, limitMs);
		this.#waitedFor.add(isInTime);
		const hasEnded = await isInTime;
		this.#waitedFor.delete(isInTime);
		if (hasEnded) return work;
		this.#note(place, work, longestMs);
		onLate(work);
		throw new StalledError(`${place.path} did not answer within ${limitMs} ms`, true);
	}

	#note(place: Place, work: Promise<unknown>, longestMs: number): void {
		this.#stuck.set(work, place);
		const noteUnreliable = (): void => {
			const nowMs = performance.now();
			if (nowMs - place.sinceMs >= longestMs) this.#unreliable.set(place.mount, nowMs);
		};
		const forget = (): void => {
			this.#stuck.delete(work);
			noteUnreliable();
		};
		noteUnreliable();
		work.then(forget, forget);
	}

	/** One thread is left for the spool's own disk. */
	get #areTooMany(): boolean {
		return this.#stuck.size > 0 && this.#stuck.size >= threads - 1;
	}

	#isMountStuck(mount: string): boolean {
		for (const stuck of this.#stuck.values()) if (stuck.mount === mount) return true;
		return false;
	}

	#isPathStuck(path: string): boolean {
		for (const stuck of this.#stuck.values()) if (stuck.path === path) return true;
		return false;
	}

	#isUnreliable(mount: string): boolean {
		const atMs = this.#unreliable.get(mount);
		return atMs !== undefined && performance.now() - atMs < unreliableMs;
	}
}

function stalled(path: string): StalledError {
	return new StalledError(`${path} is on a file system that does not answer`, false);
}

/** Whether a call ends, well or badly, within its time. */
async function endsWithin(work: Promise<unknown>, limitMs: number): Promise<boolean> {
	let timer: NodeJS.Timeout | undefined;
	const late = new Promise<boolean>((resolve) => {
		// An answer that came while this process itself was stopped, or busy, is heard first; and what a call of several steps
		// has still to do then gets a moment of its own.
		const graceMs = Math.min(longestGraceMs, limitMs / 2);
		timer = setTimeout(() => {
			timer = setTimeout(() => setImmediate(() => setImmediate(() => resolve(false))), graceMs);
		}, limitMs - graceMs);
	});
	const ended = work.then(
		() => true,
		() => true,
	);
	try {
		return await Promise.race([ended, late]);
	} finally {
		clearTimeout(timer);
	}
}

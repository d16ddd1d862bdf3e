/** How much of the thread's stack is left. */

/** Frames that finding or making a segment may need, by far. */
const framesNeeded = 200;

/**
 * Whether there is stack for a way of many calls that must not end half way. Costs about a microsecond.
 */
export function hasStack(): boolean {
	try {
		return dive(framesNeeded) > 0;
	} catch {
		return false;
	}
}

function dive(frames: number): number {
	return frames === 0 ? 1 : dive(frames - 1) + 1;
}

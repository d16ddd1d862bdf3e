/**
 * The monotonic clock, as it is when this module is loaded: clocks that an application replaces later, as tests do, stop no
 * wait of ours from ending. `performance` would do as well, but Node loads it when it is first used, for 0.7 ms.
 */

const { hrtime } = process;

/** Milliseconds since some moment in the past. */
export function monotonicMs(): number {
	const [seconds, nanoseconds] = hrtime();
	return seconds * 1000 + nanoseconds / 1e6;
}

/**
 * The monotonic clocks of this process, which a test can put forward: waiting for a second takes no second. Imported before
 * all else, since what measures time takes the functions when its module is loaded.
 */
const realNow = performance.now.bind(performance);
const realHrtime = process.hrtime;
let skewMs = 0;
performance.now = () => realNow() + skewMs;
process.hrtime = Object.assign(
	(since?: [number, number]): [number, number] => {
		const [seconds, nanoseconds] = realHrtime();
		const ns = nanoseconds + (skewMs % 1000) * 1e6 - (since?.[1] ?? 0);
		const carried = Math.floor(ns / 1e9);
		return [seconds + Math.floor(skewMs / 1000) + carried - (since?.[0] ?? 0), ns - carried * 1e9];
	},
	{ bigint: () => realHrtime.bigint() + BigInt(Math.round(skewMs * 1e6)) },
);

export function passTime(ms: number): void {
	skewMs += ms;
}

/**
 * The monotonic clock of this process, which a test can put forward: waiting for a second takes no second. Imported before
 * all else, since what measures time takes the function when its module is loaded.
 */
const realNow = performance.now.bind(performance);
let skewMs = 0;
performance.now = () => realNow() + skewMs;

export function passTime(ms: number): void {
	skewMs += ms;
}

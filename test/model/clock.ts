/** The monotonic clock of this process, which a test can put forward: waiting for a second takes no second. */
const realNow = performance.now.bind(performance);
let skewMs = 0;

export function passTime(ms: number): void {
	performance.now = () => realNow() + skewMs;
	skewMs += ms;
}

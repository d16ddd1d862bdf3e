/** Two names change places at once, so that a process that makes what is missing never finds a gap. */
import koffi from "koffi";

const atCwd = -100;
const exchangeFlag = 2;
const renameat2 = koffi.load("libc.so.6").func("int renameat2(int, const char *, int, const char *, unsigned int)");

/** @throws Error when the file system can't. */
export function exchange(one: string, other: string): void {
	const result = renameat2(atCwd, one, atCwd, other, exchangeFlag) as number;
	if (result !== 0) throw new Error(`${one} and ${other} could not change places: errno ${koffi.errno()}`);
}

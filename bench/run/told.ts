/** The other side of program.ts: what a program was told, and how it answers. */
import { once } from "node:events";

export function told<Options>(): Options {
	return JSON.parse(process.argv[2] ?? "{}") as Options;
}

export function say(what: object): void {
	process.stdout.write(`${JSON.stringify(what)}\n`);
}

/** Waits for a line from the benchmark. A closed stdin, whose benchmark has died, ends the program. */
export async function word(): Promise<void> {
	const ended = (): never => process.exit(1);
	process.stdin.once("end", ended);
	process.stdin.resume();
	await once(process.stdin, "data");
	process.stdin.off("end", ended);
	process.stdin.pause();
}

/** Keeps the process until it leaves: worker threads and writes that a logger has under way may not. */
export function stay(): void {
	setInterval(() => undefined, 1000);
}

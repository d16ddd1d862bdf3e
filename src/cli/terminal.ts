/**
 * The way out: data on stdout, notices on stderr, colours only where a terminal shows them.
 *
 * Text from outside is made visible first: nothing in it may steer the terminal. A pipe that somebody closed (`pylog status | head -1`) is no error: what can't be said any more is left unsaid.
 */

import { styleText } from "node:util";
import { PylogError, systemCode } from "../shared/errors.ts";
import { visible, visibleJson } from "../shared/visible-text.ts";

type Style = "bold" | "red" | "green" | "yellow";

// A failed write is told to its own callback; without a listener it would end the process as well.
for (const stream of [process.stdout, process.stderr]) stream.on("error", () => undefined);

/** Writes data to stdout. Resolves when it is written, or when nobody reads any more. */
export async function print(text: string): Promise<void> {
	const error = await new Promise<unknown>((resolve) => {
		process.stdout.write(text, (cause) => resolve(cause));
	});
	const code = systemCode(error);
	if (code === undefined || code === "EPIPE" || code === "ERR_STREAM_DESTROYED") return;
	throw new PylogError("PYLOG_SYSTEM_CALL", `Writing to stdout failed with ${code}.`, { cause: error });
}

/** Writes data to stdout as indented JSON. */
export async function printJson(value: unknown): Promise<void> {
	await print(`${visibleJson(JSON.stringify(value, undefined, 2))}\n`);
}

/** Writes a line for people to stderr, or several, of which the further ones are indented. */
export function notice(text: string): void {
	const lines = text.split("\n").map(visible);
	process.stderr.write(`pylog: ${lines.join("\n  ")}\n`);
}

/** A text in a style, where stdout is a terminal with colours and `NO_COLOR` is not set. */
export function styled(style: Style, text: string): string {
	return hasColours(process.stdout) ? styleText(style, text) : text;
}

/** Whether a stream is a terminal that shows colours and they are wanted there. */
export function hasColours(stream: NodeJS.WriteStream): boolean {
	return stream.isTTY && !process.env["NO_COLOR"] && stream.hasColors();
}

/** Runs a command of test/fixtures/faults by itself, against what ships. */
import { startFixture } from "../fixture-process.ts";

export interface FaultsResult {
	readonly ok: boolean;
	/** What was done, and how often it went wrong. */
	readonly line: string;
	/** What went wrong, the first few. */
	readonly failures: readonly string[];
}

type Options = Readonly<Record<string, string>>;

/** @param options `long` is for PYLOG_FAULTS=long. */
export async function runFaults(
	name: string,
	options: { readonly short: Options; readonly long: Options },
): Promise<FaultsResult> {
	const given = process.env["PYLOG_FAULTS"] === "long" ? options.long : options.short;
	const command = startFixture("faults/alone", name, JSON.stringify(given));
	let said = "";
	let errors = "";
	command.process.stdout.on("data", (text) => (said += text));
	command.process.stderr.on("data", (text) => (errors += text));
	await command.ended();
	if (said === "") throw new Error(`${name} ended without a result: ${errors}`);
	return JSON.parse(said) as FaultsResult;
}

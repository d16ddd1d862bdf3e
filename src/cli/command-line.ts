/** From the words of a command line to a command that ran, and its exit status. */

import { readFileSync } from "node:fs";
import { Command, CommanderError, InvalidArgumentError, Option } from "commander";
import { PylogError } from "../shared/errors.ts";
import { type CommandSpec, commandTable } from "./command-table.ts";
import { type ExitCode, exitCodes } from "./exit-code.ts";
import { type Flags, type FlagSpec, flagTable } from "./flag-table.ts";
import { hasColours, notice } from "./terminal.ts";

const exitStatusHelp = `
Exit status:
  0 done, 1 failed, 2 wrong usage, 3 no logman runs`;

/** Runs the command that `words` name. Never throws: what went wrong is told on stderr, and by the exit status. */
export async function runCommandLine(words: readonly string[]): Promise<ExitCode> {
	let code: ExitCode = exitCodes.ok;
	const program = makeProgram((result) => {
		code = result;
	});
	try {
		await program.parseAsync(words, { from: "user" });
		return code;
	} catch (error) {
		// Commander has said what was wrong.
		if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
		notice(`${error instanceof Error ? error.message : String(error)}${remedyFor(error)}`);
		return exitCodeOf(error);
	}
}

/** For what another user's cache directory answers a command that only looks at it. */
function remedyFor(error: unknown): string {
	const isOurs = error instanceof PylogError && error.code !== "PYLOG_SYSTEM_CALL";
	if (isOurs || !(error instanceof Error) || !/\bEACCES\b/.test(error.message)) return "";
	return "\n(run it as the user whom the cache directory belongs to, or name another one with --cache-dir)";
}

function exitCodeOf(error: unknown): ExitCode {
	if (!(error instanceof PylogError)) return exitCodes.failed;
	if (error.code === "PYLOG_OPTION_INVALID" || error.code === "PYLOG_INBOX_MESSAGE_INVALID") return exitCodes.usage;
	return error.code === "PYLOG_NO_LOGMAN" ? exitCodes.noLogman : exitCodes.failed;
}

function makeProgram(onResult: (code: ExitCode) => void): Command {
	const program = new Command("pylog")
		.description("One writer for the logs of many processes: nothing is lost in a crash, and all lines have one order.")
		.version(readVersion(), "--version", "print the version")
		.helpOption("-h, --help", "print this help")
		.helpCommand("help [command]", "print the help of a command")
		.addHelpText("after", exitStatusHelp)
		.exitOverride()
		.configureOutput({
			outputError: (text, write) => write(text.replace(/^error: /, "pylog: ")),
			getOutHasColors: () => hasColours(process.stdout),
			getErrHasColors: () => hasColours(process.stderr),
		})
		.showHelpAfterError("(pylog --help tells more)");
	for (const spec of commandTable) addCommand(program, spec, onResult);
	return program;
}

function addCommand(program: Command, spec: CommandSpec, onResult: (code: ExitCode) => void): void {
	const command = program
		.command(spec.name)
		.summary(spec.summary)
		.description([capitalized(`${spec.summary}.`), ...spec.about].join("\n\n"))
		.addHelpText("after", examplesHelp(spec))
		.showHelpAfterError(`(pylog ${spec.name} --help tells more)`);
	if (spec.operand !== undefined) command.argument(`[${spec.operand.name}...]`, spec.operand.help);
	for (const name of spec.flags) command.addOption(makeOption(name, flagTable[name]));
	command.action(async () => {
		const run = await spec.load();
		onResult(await run(command.opts<Flags>(), command.args));
	});
}

function makeOption(name: string, spec: FlagSpec): Option {
	const long = `--${name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
	const option = new Option(spec.value === undefined ? long : `${long} <${spec.value}>`, spec.help);
	if (spec.default !== undefined) option.default(spec.default);
	if (spec.isRequired === true) option.makeOptionMandatory();
	const { parse } = spec;
	if (parse === undefined) return option;
	return option.argParser((text, before: unknown) => {
		const value = parse(text);
		if (value === undefined) throw new InvalidArgumentError(`It takes ${spec.takes ?? "something else"}.`);
		return spec.isRepeatable === true ? [...((before as unknown[] | undefined) ?? []), value] : value;
	});
}

function examplesHelp({ examples }: CommandSpec): string {
	const lines = examples.map(([line, what]) => (what === "" ? `  ${line}` : `  ${line}\n      ${what}`));
	return `\nExamples:\n${lines.join("\n")}\n${exitStatusHelp}`;
}

function capitalized(text: string): string {
	return text.charAt(0).toUpperCase() + text.slice(1);
}

function readVersion(): string {
	const text = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
	return String(Reflect.get(Object(JSON.parse(text)), "version"));
}

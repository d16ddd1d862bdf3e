/**
 * Which outputs a logman takes, by the text of their path: asked for every record, so it asks no file system. Where there
 * are roots, the file sink looks at the way itself when it opens a file.
 */

import { isAbsolute, join, normalize } from "node:path";
import { isBelowRoots } from "../sinks/file/rooted-path.ts";
import type { LoggerDefinition } from "../spool/log-record.ts";
import { type SpoolPaths, spoolPaths } from "../spool/paths.ts";

export class OutputRule {
	readonly #roots: readonly string[] | undefined;
	readonly #spool: SpoolPaths;
	/** Paths of the spool itself, which nobody may append lines to. */
	readonly #own: readonly string[];
	/** The answer for a definition; `undefined` is one as well. */
	readonly #known = new WeakMap<LoggerDefinition, { readonly reason: string | undefined }>();

	/** @param roots Absolute paths; `undefined` for no limit. */
	constructor(cacheDir: string, roots: readonly string[] | undefined) {
		this.#roots = roots;
		this.#spool = spoolPaths(cacheDir);
		const { cacheDir: _, ...own } = this.#spool;
		this.#own = [
			...Object.values(own),
			`${own.checkpoint}.new`,
			`${own.syncedCheckpoint}.new`,
			`${own.starting}.said`,
			`${own.taken}.new`,
		];
	}

	/** Why the lines of a definition are not written; `undefined` when they are. */
	whyRefused(definition: LoggerDefinition): string | undefined {
		let answer = this.#known.get(definition);
		if (answer === undefined) {
			answer = { reason: this.#look(definition.output) };
			this.#known.set(definition, answer);
		}
		return answer.reason;
	}

	#look(output: string): string | undefined {
		if (!isAbsolute(output) || output.includes("\0")) return "its output is no absolute path";
		if (this.#isOwn(normalize(output))) return "its output is a file of the spool itself";
		if (this.#roots === undefined || isBelowRoots(this.#roots, output)) return undefined;
		return "its output is outside of the logman's roots";
	}

	#isOwn(output: string): boolean {
		const { cacheDir } = this.#spool;
		if (!output.startsWith(join(cacheDir, "/"))) return false;
		return this.#own.some((path) => output === path || output.startsWith(`${path}/`));
	}
}

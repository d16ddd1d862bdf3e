/**
 * A position in a script as people know it: the original file, as a short path, and the line.
 *
 * Node's own source maps are used, and only where it uses them for stacks. The path is relative to the working
 * directory as it was when first asked, so that a later `chdir` does not give a file a second name.
 */

import { findSourceMap, type SourceMapping } from "node:module";
import { dirname, isAbsolute, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { cutText } from "./json-text.ts";

/** Longer names are mostly those of `data:` modules, which hold their own source. */
const maxFileChars = 1024;

let workingDirectory: string | undefined;

/** `file:line`. `script` is a path, a URL or any name V8 gives; `line` and `column` count from 1. */
export function sourceLocation(script: string, line: number, column: number): string {
	const original = originalPosition(script, line, column);
	if (original === undefined) return `${shownPath(pathOf(script))}:${line}`;
	return `${shownPath(original.path)}:${original.line}`;
}

interface Position {
	readonly path: string;
	readonly line: number;
}

/** Maps count from 0. A place without an entry, such as code the compiler added, has no original. */
function originalPosition(script: string, line: number, column: number): Position | undefined {
	if (!process.sourceMapsEnabled) return undefined;
	const entry = findSourceMap(script)?.findEntry(line - 1, column - 1);
	if (entry === undefined || !isMapping(entry)) return undefined;
	const source = pathOf(entry.originalSource);
	const path = isLocal(source) ? resolve(dirname(pathOf(script)), source) : source;
	return { path, line: entry.originalLine + 1 };
}

function isMapping(entry: Partial<SourceMapping>): entry is SourceMapping {
	return typeof entry.originalSource === "string" && entry.originalSource !== "" && entry.originalLine !== undefined;
}

/** Whether `name` is a path and not a URL such as `webpack://app/src/x.ts`. */
function isLocal(name: string): boolean {
	return !/^[a-z][a-z\d+.-]+:/i.test(name);
}

/** The path of a `file:` URL; any other name as it is. */
function pathOf(name: string): string {
	if (!name.startsWith("file:")) return name;
	try {
		return fileURLToPath(name);
	} catch {
		return name;
	}
}

function shownPath(path: string): string {
	if (!isAbsolute(path)) return cutText(path, maxFileChars);
	workingDirectory ??= currentDirectory();
	const inside = workingDirectory === "" ? "" : relative(workingDirectory, path);
	const isInside = inside !== "" && !/^\.\.(?:$|\/)/.test(inside);
	return cutText(isInside ? inside : path, maxFileChars);
}

/** "" where the directory has been removed. */
function currentDirectory(): string {
	try {
		return process.cwd();
	} catch {
		return "";
	}
}

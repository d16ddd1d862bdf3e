/**
 * From a logger's definition to the function that renders its records.
 *
 * A renderer depends on the definition's content alone. Equal definitions, of which every segment brings its own copy,
 * share one renderer; how many are kept is bounded. A definition is never refused: with a logform that does not compile
 * (written by another version, or by somebody else) its lines get the default logform.
 */

import type { LoggerDefinition } from "../spool/log-record.ts";
import { compileJsonLine } from "./json-line.ts";
import { type CompiledLogform, compileLogform, defaultLogform } from "./logform.ts";
import { compileTextLine, type LineRenderer } from "./text-line.ts";

const maxInterned = 1024;
const maxInternedKeyLength = 8192;

/** By object, because that is the cheapest question; an entry goes with its definition. */
const byDefinition = new WeakMap<LoggerDefinition, LineRenderer>();
const byContent = new Map<string, LineRenderer>();

export function compileRenderer(definition: LoggerDefinition): LineRenderer {
	switch (definition.format) {
		case "json":
			return compileJsonLine(definition);
		case "text":
			break;
		default:
			definition.format satisfies never;
	}
	return compileTextLine(readLogform(definition.logform), definition);
}

/** The renderer of a definition, made only once for equal ones. Cheap enough to be asked for every record. */
export function rendererFor(definition: LoggerDefinition): LineRenderer {
	const known = byDefinition.get(definition);
	if (known !== undefined) return known;
	const renderer = internRenderer(definition);
	byDefinition.set(definition, renderer);
	return renderer;
}

function internRenderer(definition: LoggerDefinition): LineRenderer {
	const { format, logform, name, hostname, pid, fields } = definition;
	const key = JSON.stringify([format, logform, name, hostname, pid, fields]);
	const known = byContent.get(key);
	if (known !== undefined) return known;
	const renderer = compileRenderer(definition);
	if (key.length > maxInternedKeyLength) return renderer;
	if (byContent.size >= maxInterned) byContent.delete(byContent.keys().next().value as string);
	byContent.set(key, renderer);
	return renderer;
}

function readLogform(template: string): CompiledLogform {
	try {
		return compileLogform(template);
	} catch {
		return compileLogform(defaultLogform);
	}
}

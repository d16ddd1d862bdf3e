/**
 * A batch: records in their order, rendered, their lines gathered by output. The same records always make the same
 * bytes, so a batch can be made again after a death and compared with what is in the files.
 */

import { LineBuffer } from "../line/line-buffer.ts";
import { rendererFor } from "../line/renderer.ts";
import type { LineRenderer } from "../line/text-line.ts";
import type { LoggerDefinition, LogRecord } from "../spool/log-record.ts";
import type { OutputRule } from "./output-rule.ts";

/** A batch ends after so many bytes of lines, or so many records: it bounds memory and the time until the next look. */
const maxBytes = 2 * 1024 * 1024;
const maxRecords = 32 * 1024;
/** Buffers kept for the next batch. */
const maxSpareBuffers = 32;

/** A record that is not written to the output it names. */
export interface RefusedRecord {
	readonly output: string;
	readonly reason: string;
	/** Its line, or lines, as they would stand in the file. */
	readonly line: Buffer;
}

/** What goes to one output. */
export interface OutputLines {
	readonly lines: LineBuffer;
	/** How many records that are. */
	records: number;
	/** The last record's: how lines of this output look. */
	definition: LoggerDefinition;
}

interface Route {
	readonly definition: LoggerDefinition;
	readonly render: LineRenderer;
	/** `undefined` where it is refused. */
	readonly output: OutputLines | undefined;
	/** Why it is. */
	readonly reason: string;
}

export class Batch {
	/** Lines by path of the output, in the order of each output's first line. */
	readonly outputs: Map<string, OutputLines> = new Map();
	/** Records whose output is refused. */
	readonly unusable: RefusedRecord[] = [];
	readonly #rule: OutputRule;
	readonly #isInUse: (memory: ArrayBufferLike) => boolean;
	readonly #spare: LineBuffer[] = [];
	/** Where the records of a logger go, and how they are rendered: asked for once in a batch. */
	readonly #routes = new Map<LoggerDefinition, Route>();
	#lastRoute: Route | undefined;
	#bytes = 0;
	#records = 0;

	/** @param isInUse Whether somebody still reads the lines of a batch before: their memory is left to him then. */
	constructor(rule: OutputRule, isInUse: (memory: ArrayBufferLike) => boolean = () => false) {
		this.#rule = rule;
		this.#isInUse = isInUse;
	}

	get records(): number {
		return this.#records;
	}

	/** Renders a record. Returns `"last"` when the batch is full with it. */
	add(record: LogRecord): "on" | "last" {
		this.#records += 1;
		const { definition } = record;
		let route = this.#lastRoute;
		if (route?.definition !== definition)
			route = this.#lastRoute = this.#routes.get(definition) ?? this.#addRoute(definition);
		const { output } = route;
		if (output === undefined) {
			this.#refuse(record, route);
		} else {
			const { lines } = output;
			const before = lines.length;
			route.render(record, lines);
			this.#bytes += lines.length - before;
			output.records += 1;
			output.definition = definition;
		}
		return this.#bytes >= maxBytes || this.#records >= maxRecords ? "last" : "on";
	}

	/** Empties the batch for the next one. */
	clear(): void {
		for (const { lines } of this.outputs.values()) {
			if (this.#isInUse(lines.storage.buffer)) continue;
			lines.clear();
			if (this.#spare.length < maxSpareBuffers) this.#spare.push(lines);
		}
		this.outputs.clear();
		this.#routes.clear();
		this.#lastRoute = undefined;
		this.unusable.length = 0;
		this.#bytes = this.#records = 0;
	}

	#refuse(record: LogRecord, { render, reason }: Route): void {
		const buffer = this.#spare.pop() ?? newBuffer();
		render(record, buffer);
		this.unusable.push({ output: record.definition.output, reason, line: Buffer.from(buffer.bytes) });
		this.#bytes += buffer.length;
		buffer.clear();
		this.#spare.push(buffer);
	}

	#addRoute(definition: LoggerDefinition): Route {
		const reason = this.#rule.whyRefused(definition);
		const output = reason === undefined ? this.#outputFor(definition) : undefined;
		const route = { definition, render: rendererFor(definition), output, reason: reason ?? "" };
		this.#routes.set(definition, route);
		return route;
	}

	#outputFor(definition: LoggerDefinition): OutputLines {
		let output = this.outputs.get(definition.output);
		if (output === undefined) {
			output = { lines: this.#spare.pop() ?? newBuffer(), records: 0, definition };
			this.outputs.set(definition.output, output);
		}
		return output;
	}
}

function newBuffer(): LineBuffer {
	return new LineBuffer({ initialBytes: 8 * 1024, maxKeptBytes: 4 * 1024 * 1024 });
}

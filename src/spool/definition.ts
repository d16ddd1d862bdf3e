/**
 * A text that many records refer to: what a logger's records have in common, or a call site.
 *
 * It stands in a segment once, as a record of its own, and is referred to by its byte offset there. A `Definition`
 * remembers, for each lane, the segment it was last written to and where.
 */

import { recordKinds } from "./record-codec.ts";
import type { LoggerDefinition } from "./log-record.ts";

export class Definition {
	readonly kind: number;
	readonly text: string;
	/** Serial of the segment it was last written to, by lane; 0 for none. */
	readonly segment: [number, number] = [0, 0];
	/** Byte offset in that segment, by lane. */
	readonly offset: [number, number] = [0, 0];

	private constructor(kind: number, text: string) {
		this.kind = kind;
		this.text = text;
	}

	static ofLogger(definition: LoggerDefinition): Definition {
		return new Definition(recordKinds.loggerDefinition, JSON.stringify(definition));
	}

	static ofCallSite(callSite: string): Definition {
		return new Definition(recordKinds.callSite, callSite);
	}
}

/** A producer for tests: appends lines for any file, in either lane. */
import { Definition } from "../src/spool/definition.ts";
import { recordFlags } from "../src/spool/log-record.ts";
import { Producer } from "../src/spool/producer.ts";

export class LineWriter {
	readonly producer: Producer;
	readonly #definitions = new Map<string, Definition>();

	constructor(cacheDir: string) {
		this.producer = Producer.open({ cacheDir });
	}

	/** Appends a finished line, or with `logform` one that has a prefix. Returns whether it was taken. */
	write(output: string, message: string, { isPriority = false, logform = "" } = {}): boolean {
		return this.producer.append(isPriority ? 0 : 1, {
			level: 30,
			timeMs: 0,
			flags: logform === "" ? recordFlags.finished : 0,
			definition: this.#definition(output, logform),
			callSite: undefined,
			message,
			fields: "",
			error: "",
		});
	}

	close(): void {
		this.producer.close();
	}

	[Symbol.dispose](): void {
		this.close();
	}

	#definition(output: string, logform: string): Definition {
		const key = `${output}\n${logform}`;
		let definition = this.#definitions.get(key);
		if (definition === undefined) {
			const { pid } = process;
			const bound = { name: "", hostname: "here", pid, thread: 0, fields: "" };
			definition = Definition.ofLogger({ output, format: "text", logform, ...bound });
			this.#definitions.set(key, definition);
		}
		return definition;
	}
}

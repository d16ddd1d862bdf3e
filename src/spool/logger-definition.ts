/** Reading a logger definition back: whatever the bytes say, what comes out has the right shape. */

import type { LoggerDefinition } from "./log-record.ts";

/** The definition a text stands for; one that can't be understood has an empty output. */
export function parseDefinition(text: string | undefined): LoggerDefinition {
	let raw: Partial<Record<keyof LoggerDefinition, unknown>> = {};
	try {
		const value: unknown = JSON.parse(text ?? "");
		if (value !== null && typeof value === "object") raw = value;
	} catch {
		// Stays empty: its records go to quarantine.
	}
	return {
		output: asText(raw.output),
		format: raw.format === "json" ? "json" : "text",
		logform: asText(raw.logform),
		name: asText(raw.name),
		hostname: asText(raw.hostname),
		pid: asWhole(raw.pid),
		thread: asWhole(raw.thread),
		fields: asText(raw.fields),
	};
}

function asText(value: unknown): string {
	return typeof value === "string" ? value : "";
}

function asWhole(value: unknown): number {
	return typeof value === "number" && Number.isSafeInteger(value) ? value : 0;
}

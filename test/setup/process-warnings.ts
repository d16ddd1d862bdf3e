/**
 * A process warning fails the test that caused it: listeners that pile up, a promise handled too late, a deprecated call.
 * Node's notices that a feature of its own is experimental are left out, for they are not ours.
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import { afterEach } from "vitest";

const warnings: Error[] = [];

process.on("warning", (warning) => {
	if (warning.name !== "ExperimentalWarning") warnings.push(warning);
});

afterEach(async () => {
	// Node reports a warning only after the callbacks and promises that are due.
	await nextTurn();
	const [first] = warnings.splice(0);
	if (first !== undefined) throw first;
});

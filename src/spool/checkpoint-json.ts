/**
 * The JSON part of a checkpoint, read back. Invariant: what comes out has the right shape, or nothing comes out, whatever
 * the bytes say.
 */

import type { Checkpoint, OutputState } from "./checkpoint-state.ts";

type Delivery = Pick<Checkpoint, "outputs" | "parked" | "unsynced">;
type Members = Readonly<Record<string, unknown>>;

/** What the bytes from `start` on say; `undefined` where that is nothing Pylog writes. */
export function decodeDelivery(bytes: Buffer, start: number): Delivery | undefined {
	let value: unknown;
	try {
		value = JSON.parse(bytes.toString("utf8", start));
	} catch {
		return undefined;
	}
	if (!isObject(value)) return undefined;
	const { outputs, parked, unsynced } = value;
	if (!Array.isArray(outputs) || !outputs.every(isOutput)) return undefined;
	if (!isObject(parked) || !Object.values(parked).every(isCount)) return undefined;
	if (!Array.isArray(unsynced) || !unsynced.every((path) => typeof path === "string")) return undefined;
	return { outputs, parked: parked as Readonly<Record<string, number>>, unsynced };
}

function isOutput(value: unknown): value is OutputState {
	if (!isObject(value)) return false;
	const { path, target, device, inode, sizeBytes, tail, skippedBytes, parked } = value;
	if (typeof path !== "string" || typeof target !== "string") return false;
	if (![device, inode, sizeBytes, tail, skippedBytes].every(isCount)) return false;
	return parked === undefined || (isObject(parked) && isCount(parked["from"]) && isCount(parked["to"]));
}

function isObject(value: unknown): value is Members {
	return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isCount(value: unknown): value is number {
	return Number.isSafeInteger(value) && (value as number) >= 0;
}

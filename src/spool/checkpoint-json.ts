/**
 * The JSON part of a checkpoint, read back. Invariant: what comes out has the right shape, or nothing comes out, whatever
 * the bytes say.
 */

import type { Checkpoint, OutputState, ParkedDrops, UnsyncedFile } from "./checkpoint-state.ts";

type Delivery = Pick<Checkpoint, "outputs" | "parked" | "unsynced" | "dropped">;
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
	const { outputs, parked, unsynced, dropped } = value;
	if (!Array.isArray(outputs) || !outputs.every(isOutput)) return undefined;
	if (!isRecordOf(parked, isCount)) return undefined;
	if (!Array.isArray(unsynced)) return undefined;
	const files = unsynced.map(unsyncedFile);
	if (!files.every((file) => file !== undefined)) return undefined;
	if (dropped === undefined) return { outputs, parked, unsynced: files };
	return isRecordOf(dropped, isDrops) ? { outputs, parked, unsynced: files, dropped } : undefined;
}

function isOutput(value: unknown): value is OutputState {
	if (!isObject(value)) return false;
	const { path, target, device, inode, sizeBytes, tail, skippedBytes, atMs, lead, parked } = value;
	if (typeof path !== "string" || typeof target !== "string") return false;
	if (![device, inode, sizeBytes, tail, skippedBytes].every(isCount)) return false;
	if (atMs !== undefined && !Number.isFinite(atMs)) return false;
	if (lead !== undefined && typeof lead !== "string") return false;
	return parked === undefined || (isObject(parked) && isCount(parked["from"]) && isCount(parked["to"]));
}

/** A path alone is what earlier versions had of a file that is not synced. */
function unsyncedFile(value: unknown): UnsyncedFile | undefined {
	if (typeof value === "string") return { path: value, device: 0, inode: 0 };
	if (!isObject(value)) return undefined;
	const { path, device, inode } = value;
	return typeof path === "string" && isCount(device) && isCount(inode) ? { path, device, inode } : undefined;
}

function isDrops(value: unknown): value is ParkedDrops {
	return isObject(value) && isCount(value["count"]) && typeof value["notice"] === "string";
}

function isRecordOf<Value>(
	value: unknown,
	is: (each: unknown) => each is Value,
): value is Readonly<Record<string, Value>> {
	return isObject(value) && Object.values(value).every(is);
}

function isObject(value: unknown): value is Members {
	return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isCount(value: unknown): value is number {
	return Number.isSafeInteger(value) && (value as number) >= 0;
}

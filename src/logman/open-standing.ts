/** The standing of a logman with its two sinks, and what becomes of bytes that these can't bring to the disk. */

import { FileSink } from "../sinks/file/file-sink.ts";
import { isRefused } from "../sinks/file/output-paths.ts";
import { type AfterFailedSync, type FailedSync, LostBytesError } from "../sinks/file/output-syncs.ts";
import type { WrittenChunk } from "../sinks/file/rewrite-chunks.ts";
import type { TailChunk } from "../sinks/file/unsynced-tail.ts";
import { StalledError } from "../sinks/file/slow-calls.ts";
import { systemCode } from "../shared/errors.ts";
import type { SavedTails } from "./saved-tails.ts";
import { Standing, type StandingParts } from "./standing.ts";

/** Bytes saved in one file: they are held in memory for that. */
const bytesAtOnce = 16 * 1024 * 1024;

export interface OpenStandingParts extends Omit<StandingParts, "outputs" | "aside"> {
	readonly tails: SavedTails;
	/** What outputs have to be below; `undefined` for no limit. */
	readonly roots: readonly string[] | undefined;
}

export function openStanding({ tails, roots, ...parts }: OpenStandingParts): Standing {
	const outputs = new FileSink({ roots, onFailedSync: (failed) => handle(failed, standing, tails) });
	// The spool's own disk: without it nothing goes on anyway.
	const aside = new FileSink({
		areRotated: false,
		stallMs: Number.POSITIVE_INFINITY,
		syncStallMs: Number.POSITIVE_INFINITY,
		onFailedSync: async ({ path, error }) => {
			standing.report({ what: "sync a file to the disk; it is tried again", error, output: path });
			return "unsafe";
		},
	});
	const standing = new Standing({ ...parts, outputs, aside });
	return standing;
}

/**
 * What becomes of bytes that a sync did not bring to the disk: they are saved, and the output is parked until they are in it
 * for sure. So what is saved stays little, and they stay in front of what comes after them.
 */
async function handle(failed: FailedSync, standing: Standing, tails: SavedTails): Promise<AfterFailedSync> {
	const { path, chunks, isWhole, error } = failed;
	standing.report({ what: "sync a file to the disk; its lines are written again", error, output: path });
	// What a logman before this one wrote and is out of reach for good must not wait for ever.
	if (!isWhole && chunks.length === 0 && isOutOfReach(error)) return "safe";
	try {
		for (const part of inParts(chunks)) {
			const bytes = await readBack(path, part, standing);
			if (bytes.length > 0) tails.save(path, failed, bytes);
		}
		if (!isWhole || tails.has(path)) standing.parked.park(path);
		return isWhole ? "safe" : "owed";
	} catch (problem) {
		standing.report({ what: "save lines whose sync failed", error: problem, output: path });
		return "unsafe";
	}
}

/** What can't be read back is lost: no power of ours brings it to the disk. */
async function readBack(
	path: string,
	part: readonly TailChunk[],
	standing: Standing,
): Promise<readonly WrittenChunk[]> {
	const found: WrittenChunk[] = [];
	for (const chunk of part) {
		try {
			found.push(...(await standing.outputs.readBack(path, [chunk])));
		} catch (error) {
			if (!(error instanceof LostBytesError)) throw error;
			standing.report({ what: "save lines whose sync failed; they are lost", error, output: path });
		}
	}
	return found;
}

/** Whether the file can't even be opened, and not because its disk fails. */
function isOutOfReach(error: unknown): boolean {
	if (isRefused(error)) return true;
	if (error instanceof StalledError || systemCode(error) === "EIO") return false;
	return Reflect.get(Object(error), "syscall") === "open";
}

function* inParts(chunks: readonly TailChunk[]): Iterable<readonly TailChunk[]> {
	let part: TailChunk[] = [];
	let bytes = 0;
	for (const chunk of chunks) {
		if (bytes > 0 && bytes + chunk.length > bytesAtOnce) {
			yield part;
			part = [];
			bytes = 0;
		}
		part.push(chunk);
		bytes += chunk.length;
	}
	if (part.length > 0) yield part;
}

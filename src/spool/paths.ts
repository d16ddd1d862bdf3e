/** Where everything is in a cache directory. */

import { basename, join } from "node:path";
import type { Lane } from "../shared/lane.ts";

export interface SpoolPaths {
	readonly cacheDir: string;
	readonly control: string;
	readonly lease: string;
	readonly starting: string;
	readonly checkpoint: string;
	readonly syncedCheckpoint: string;
	readonly producers: string;
	readonly inbox: string;
	readonly taken: string;
	readonly parked: string;
	readonly quarantine: string;
	readonly errorLog: string;
}

export function spoolPaths(cacheDir: string): SpoolPaths {
	return {
		cacheDir,
		control: join(cacheDir, "control"),
		lease: join(cacheDir, "logman.lock"),
		starting: join(cacheDir, "logman.starting"),
		checkpoint: join(cacheDir, "checkpoint"),
		syncedCheckpoint: join(cacheDir, "checkpoint.synced"),
		producers: join(cacheDir, "producers"),
		inbox: join(cacheDir, "inbox"),
		taken: join(cacheDir, "inbox.taken"),
		parked: join(cacheDir, "parked"),
		quarantine: join(cacheDir, "quarantine"),
		errorLog: join(cacheDir, "pylog_error.log"),
	};
}

/** Folder of a producer. A name that starts with a dot is a folder still being made. */
export function producerDirectory(paths: SpoolPaths, producer: number): string {
	return join(paths.producers, String(producer));
}

/** Number of the producer a folder belongs to. */
export function producerOf(directory: string): number {
	return Number(basename(directory));
}

/** Locked as long as its producer lives. */
export function aliveFile(directory: string): string {
	return join(directory, "alive");
}

/** File of the segment at a place of a lane's ring. */
export function segmentFile(directory: string, lane: Lane, place: number): string {
	return join(directory, `${lane}-${place}.seg`);
}

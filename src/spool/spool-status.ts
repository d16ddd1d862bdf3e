/**
 * What a spool says of itself to somebody who only looks: no lease, no mapping, nothing made, changed or waited for.
 *
 * The keys of {@link SpoolStatus} are what `pylog status --json` prints: they are stable over minor versions.
 */

import { existsSync, lstatSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { isLocked } from "../platform/file-lock.ts";
import { readPlainFile } from "../platform/owned-files.ts";
import { PylogError, systemCode } from "../shared/errors.ts";
import { type Lane, laneIndex, lanes } from "../shared/lane.ts";
import { liftQueueNumber, queueNumber, type QueueNumber } from "../shared/numbers.ts";
import { ChainReader, chainStart } from "./chain-reader.ts";
import { type ChainState, type Checkpoint, readCheckpoint } from "./checkpoint.ts";
import { type ControlSnapshot, readControl, type SlotSnapshot } from "./control-snapshot.ts";
import { isLeaseHeld, leaseHolder } from "./lease.ts";
import { producerNumbers } from "./numbering.ts";
import { otherVersion } from "./other-version.ts";
import { aliveFile, producerDirectory, type SpoolPaths, spoolPaths } from "./paths.ts";
import { defaultMaxSpoolBytes } from "./producer.ts";
import { Quarantine } from "./quarantine.ts";

/** Notes are a path, or a few words. */
const maxNoteBytes = 64 * 1024;

/** Who holds the lease. `pid` and `since` are its own words, `null` where it said none. */
export interface LogmanStatus {
	readonly running: boolean;
	readonly pid: number | null;
	/** ISO 8601. */
	readonly since: string | null;
}

/** One lane of a producer. Counts are `null` for a producer without a slot, such as one of an earlier boot. */
export interface ProducerLaneStatus {
	readonly appended: number | null;
	/** Records whose lines are in their files. */
	readonly written: number | null;
	/** Records whose lines are on disk. */
	readonly durable: number | null;
	readonly waiting: number;
}

export interface ProducerStatus {
	readonly number: number;
	/** By its own word, `null` where it said none. */
	readonly pid: number | null;
	readonly thread: number | null;
	readonly alive: boolean;
	readonly lanes: Readonly<Record<Lane, ProducerLaneStatus>>;
	/** Records dropped; of these `untold` have no line that tells of them yet. */
	readonly dropped: number;
	readonly untold: number;
}

/** An output that can't be written, and how many bytes of lines wait for it in which file. */
export interface ParkedStatus {
	readonly output: string;
	readonly file: string;
	readonly bytes: number;
}

export interface SpoolStatus {
	readonly cacheDir: string;
	readonly logman: LogmanStatus;
	readonly numbers: {
		/** The number the next record gets. */
		readonly next: number;
		/** Every line below it is in its file; `null` before the first logman since the boot. */
		readonly written: number | null;
	};
	/** Records in the segments whose lines are not in their files. */
	readonly waiting: number;
	readonly lanes: Readonly<Record<Lane, { readonly closed: boolean }>>;
	/** Message files that wait to be taken. */
	readonly inbox: Readonly<Record<Lane, number>>;
	readonly producers: readonly ProducerStatus[];
	readonly spool: {
		/** Disk that all segments have reserved. */
		readonly reservedBytes: number;
		/** The limit of a producer that names none. */
		readonly defaultLimitBytes: number;
	};
	readonly parked: readonly ParkedStatus[];
	readonly quarantine: { readonly entries: number; readonly bytes: number };
	readonly errorLog: { readonly path: string; readonly bytes: number };
}

/**
 * The status of the spool at `cacheDir`; `undefined` where there is none. Blocks for some system calls per producer;
 * after a reboot also for reading what waits, since nothing else says how much that is.
 *
 * @throws PylogError PYLOG_SPOOL_VERSION, PYLOG_SPOOL_DAMAGED for a control file that can't be understood, or the file system's own error.
 */
export function readSpoolStatus(cacheDir: string): SpoolStatus | undefined {
	const paths = spoolPaths(cacheDir);
	// Folders first: one that has a folder by then has a slot in what is read afterwards.
	const numbers = isFolder(paths.producers) ? producerNumbers(paths) : [];
	const control = readControl(paths.control);
	if (control === undefined) return undefined;
	if (control.isOtherVersion) throw otherVersion(control.version);
	if (control.problem !== undefined) throw damaged(paths.control, control.problem);
	const checkpoint = readCheckpoint(paths.checkpoint);
	const next = fullNumber(control, checkpoint);
	const slots = new Map(control.slots.map((slot) => [slot.producer, slot]));
	const chains = checkpoint?.chains ?? [];
	const producers = numbers.flatMap((number) => producerStatus({ paths, slots, chains, next }, number) ?? []);
	const written = control.word("written");
	const quarantine = new Quarantine(paths.quarantine).list();
	return {
		cacheDir,
		logman: logmanStatus(cacheDir),
		numbers: { next, written: written === 0 ? null : liftQueueNumber(written, next) },
		waiting: producers.reduce((sum, { lanes: { priority, normal } }) => sum + priority.waiting + normal.waiting, 0),
		lanes: byLane((lane) => ({ closed: (control.word("closedLanes") & (1 << laneIndex[lane])) !== 0 })),
		inbox: countInbox(cacheDir),
		producers,
		spool: {
			reservedBytes: Math.max(0, control.word("reservedKib") | 0) * 1024,
			defaultLimitBytes: defaultMaxSpoolBytes,
		},
		parked: listParked(paths.parked, checkpoint?.parked ?? {}),
		quarantine: { entries: quarantine.length, bytes: quarantine.reduce((sum, { bytes }) => sum + bytes, 0) },
		errorLog: { path: paths.errorLog, bytes: sizeOf(paths.errorLog) ?? 0 },
	};
}

/** Who holds the lease of `cacheDir`. Works where there is no spool as well. */
export function logmanStatus(cacheDir: string): LogmanStatus {
	const { lease } = spoolPaths(cacheDir);
	const running = isLeaseHeld(lease);
	const holder = running ? leaseHolder(lease) : undefined;
	return { running, pid: holder?.pid ?? null, since: holder?.started ?? null };
}

/** Message files that wait in the inbox of `cacheDir`. Works where there is no spool as well. */
export function countInbox(cacheDir: string): Record<Lane, number> {
	return byLane((lane) => namesIn(join(spoolPaths(cacheDir).inbox, lane)).length);
}

/** Outputs that are parked in `folder`. @param broughtBack Bytes of each that are in the output already. */
export function listParked(folder: string, broughtBack: Readonly<Record<string, number>>): ParkedStatus[] {
	return namesIn(folder).flatMap((name) => {
		if (!name.endsWith(".json")) return [];
		const output = readNote(join(folder, name));
		const file = join(folder, name.replace(/json$/, "log"));
		if (output === undefined) return [];
		return [{ output, file, bytes: Math.max(0, (sizeOf(file) ?? 0) - (broughtBack[output] ?? 0)) }];
	});
}

/** The output that a parked file's note names. */
export function readNote(path: string): string | undefined {
	try {
		const output: unknown = Reflect.get(Object(JSON.parse(readPlainFile(path, maxNoteBytes) ?? "")), "path");
		return typeof output === "string" ? output : undefined;
	} catch {
		return undefined;
	}
}

/** The full number the next record gets: producers keep 32 bits of it. */
function fullNumber(control: ControlSnapshot, checkpoint: Checkpoint | undefined): QueueNumber {
	const low = control.word("nextNumber");
	const seen = checkpoint?.horizon ?? 0;
	return seen > 0
		? liftQueueNumber(low, queueNumber(seen))
		: queueNumber((control.word("numberHigh") % 2 ** 21) * 2 ** 32 + low);
}

/** What is known of all producers when one is looked at. */
interface Known {
	readonly paths: SpoolPaths;
	/** By producer. */
	readonly slots: ReadonlyMap<number, SlotSnapshot>;
	readonly chains: readonly ChainState[];
	readonly next: QueueNumber;
}

/** `undefined` for a producer that was removed meanwhile: all of it is written. */
function producerStatus(known: Known, number: number): ProducerStatus | undefined {
	const directory = producerDirectory(known.paths, number);
	const alive = aliveFile(directory);
	const { dropped, dropsTold } = known.slots.get(number) ?? { dropped: 0, dropsTold: 0 };
	const status = {
		number,
		...readAliveText(alive),
		alive: isLocked(alive),
		lanes: byLane((lane) => producerLaneStatus(known, number, lane)),
		dropped,
		untold: Math.max(0, (dropped - dropsTold) | 0),
	};
	return existsSync(directory) ? status : undefined;
}

function producerLaneStatus(known: Known, number: number, lane: Lane): ProducerLaneStatus {
	const index = laneIndex[lane];
	const slot = known.slots.get(number);
	if (slot !== undefined) {
		const [appended, written, durable] = [slot.appended[index], slot.written[index], slot.durable[index]];
		return { appended, written, durable, waiting: Math.max(0, (appended - written) | 0) };
	}
	const state = known.chains.find((chain) => chain.producer === number && chain.lane === index);
	const waiting = countUndelivered(producerDirectory(known.paths, number), lane, state, known.next);
	return { appended: null, written: null, durable: null, waiting };
}

function countUndelivered(directory: string, lane: Lane, state: ChainState | undefined, next: QueueNumber): number {
	const chain = new ChainReader(directory, lane, state?.from ?? chainStart, state?.nonce, () => undefined);
	let count = 0;
	try {
		chain.refresh(true);
		for (; chain.peek(next) !== undefined; chain.take()) count += 1;
	} finally {
		chain.rest();
	}
	return count;
}

function readAliveText(path: string): { pid: number | null; thread: number | null } {
	let text = "";
	try {
		text = readPlainFile(path, maxNoteBytes) ?? "";
	} catch {
		// Removed meanwhile, or not ours to read: it says nothing.
	}
	const number = (word: string): number | null => {
		const digits = new RegExp(`^${word} (\\d+)$`, "m").exec(text)?.[1];
		return digits === undefined ? null : Number(digits);
	};
	return { pid: number("pid"), thread: number("thread") };
}

function byLane<T>(value: (lane: Lane) => T): Record<Lane, T> {
	const [priority, normal] = lanes;
	return { [priority]: value(priority), [normal]: value(normal) };
}

function namesIn(folder: string): string[] {
	try {
		return readdirSync(folder);
	} catch (error) {
		// What is no folder holds nothing of ours; `pylog verify` names it.
		if (systemCode(error) === "ENOENT" || systemCode(error) === "ENOTDIR") return [];
		throw error;
	}
}

/** Whether a folder is there, and no link to one. */
export function isFolder(path: string): boolean {
	return lstatSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

function sizeOf(path: string): number | undefined {
	return lstatSync(path, { throwIfNoEntry: false })?.size;
}

function damaged(path: string, problem: string): PylogError {
	return new PylogError(
		"PYLOG_SPOOL_DAMAGED",
		`The control file ${path} can't be used: ${problem}. See \`pylog verify\`.`,
		{
			details: { path, problem },
		},
	);
}

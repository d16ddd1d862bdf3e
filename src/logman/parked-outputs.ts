/**
 * Outputs that can't be written: their lines wait in `parked/`, in order, and hold up no other output. Each is tried
 * again with growing pauses; until all of its parked lines are in it, new ones go behind them.
 *
 *     parked/<hash>.json   { "path": … }   made first, removed last
 *     parked/<hash>.log    the lines, as they will stand in the file
 *
 * Together they take so many bytes at most; what comes beyond is dropped, and counted here until a line can tell of it.
 */

import { closeSync, lstatSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { removeIfThere, rename, syncData, syncFolder, writeWhole } from "../platform/durable-file.ts";
import { openOwnedFile, readPlainFile } from "../platform/owned-files.ts";
import type { FoundAppend } from "../sinks/file/find-append.ts";
import type { ParkedDrops } from "../spool/checkpoint.ts";
import { parkedFile } from "../spool/parked-file.ts";
import { Retry } from "./retry.ts";

const maxNoteBytes = 64 * 1024;

/** What a look at an output in doubt came to. */
export interface Found {
	readonly append: FoundAppend;
	/** The bytes that were looked for. */
	readonly bytes: Buffer;
}

export interface ParkedOutput {
	/** The output itself. */
	readonly path: string;
	/** The file its lines wait in. */
	readonly file: string;
	readonly retry: Retry;
	/** Bytes of `file`. */
	sizeBytes: number;
	/** Bytes of `file` that are in the output already. */
	broughtBack: number;
	/** What was dropped behind what waits, because there was no room. */
	dropped: ParkedDrops | undefined;
	/** Bytes up to `to` are in the output, `isPart` of those that were tried, and a sync of it is under way until `isSynced` is known. */
	arriving: { readonly to: number; readonly isPart: boolean; isSynced: boolean | undefined } | undefined;
	/** It is being found out whether a write that was in doubt has happened, until `outcome` is known. */
	looking: { outcome: PromiseSettledResult<Found> | undefined } | undefined;
	/** Whether a sync of what is owed to the output was tried before its release. */
	hasTriedOwed: boolean;
}

export class ParkedOutputs {
	readonly #folder: string;
	readonly #maxBytes: number;
	/** By path, the one whose turn was longest ago first. */
	readonly #outputs = new Map<string, ParkedOutput>();

	constructor(folder: string, maxBytes: number) {
		this.#folder = folder;
		this.#maxBytes = maxBytes;
	}

	/**
	 * Finds what a logman before this one parked.
	 *
	 * @param broughtBack Bytes that are in their output already, by output, from the checkpoint.
	 * @param dropped What was dropped, by output, from there as well.
	 * @throws the file system's error: a note that can't be read now must not be passed over. PYLOG_SPOOL_UNSAFE where
	 *   something else than a file of our own stands in a parked file's place.
	 */
	restore(broughtBack: Readonly<Record<string, number>>, dropped: Readonly<Record<string, ParkedDrops>>): void {
		const names = readdirSync(this.#folder);
		for (const name of names.filter((each) => each.endsWith(".json"))) {
			const path = readPath(join(this.#folder, name));
			if (path !== undefined) this.#restore(path, broughtBack[path] ?? 0, dropped[path]);
		}
		// What a death in the middle of parking left of a note.
		for (const name of names.filter((each) => each.endsWith(".json.new"))) {
			try {
				removeDraft(join(this.#folder, name));
			} catch {
				// It stands in nobody's way before that output is parked again.
			}
		}
	}

	get size(): number {
		return this.#outputs.size;
	}

	get(path: string): ParkedOutput | undefined {
		return this.#outputs.get(path);
	}

	/** The outputs. */
	paths(): Iterable<string> {
		return this.#outputs.keys();
	}

	/** Whether there is room for more. */
	hasRoom(bytes: number): boolean {
		let total = bytes;
		for (const { sizeBytes } of this.#outputs.values()) total += sizeBytes;
		return total <= this.#maxBytes;
	}

	/**
	 * From now on the lines of `path` wait. Blocks: the names are on disk on return.
	 *
	 * @param retry When it is tried again, for one that failed before.
	 * @throws what the spool's own disk says
	 */
	park(path: string, retry: Retry = new Retry()): ParkedOutput {
		const known = this.#outputs.get(path);
		if (known !== undefined) return known;
		const file = parkedFile(this.#folder, path);
		clear(file);
		try {
			this.#make(file, path);
		} catch (error) {
			// The lines may find their way to the output without this: nothing must look then as if some waited.
			try {
				clear(file);
			} catch {
				// Cleared when it is parked once more, or by the next logman.
			}
			throw error;
		}
		return this.#add(path, retry);
	}

	#make(file: string, path: string): void {
		const note = noteOf(file);
		const fd = openOwnedFile("parked.create-note", draftOf(note), "exclusive");
		try {
			writeWhole("parked.note", fd, Buffer.from(JSON.stringify({ path })), 0);
			syncData("parked.sync-note", fd);
		} finally {
			closeSync(fd);
		}
		rename("parked.place-note", draftOf(note), note);
		closeSync(openOwnedFile("parked.create", file, "exclusive"));
		syncFolder("parked.sync-names", this.#folder);
	}

	/** Whether bytes are on their way to the disk. */
	get isMoving(): boolean {
		return [...this.#outputs.values()].some(({ arriving, looking }) => arriving !== undefined || looking !== undefined);
	}

	/** Whether a look at an output is under way, which may complete half a batch there. */
	get isLooking(): boolean {
		return [...this.#outputs.values()].some(({ looking }) => looking !== undefined && looking.outcome === undefined);
	}

	/** Those whose pause is over, and those whose look or sync has ended. */
	due(nowMs: number): readonly ParkedOutput[] {
		return [...this.#outputs.values()].filter((output) => nextTryMs(output) <= nowMs);
	}

	/** Notes that an output has its turn now: all others have theirs before the next of it. */
	putLast(output: ParkedOutput): void {
		this.#outputs.delete(output.path);
		this.#outputs.set(output.path, output);
	}

	/** When the next one is due; `Infinity` when none is parked. */
	nextTryMs(): number {
		return Math.min(...[...this.#outputs.values()].map(nextTryMs));
	}

	/** Notes that all lines of an output are in it, and on disk. Blocks: their removal is on disk on return. */
	release(output: ParkedOutput): void {
		removeIfThere("parked.remove", output.file);
		removeIfThere("parked.remove-note", noteOf(output.file));
		// Before a checkpoint forgets it: after a power failure it must not come back whole.
		syncFolder("parked.sync-removal", this.#folder);
		this.#outputs.delete(output.path);
	}

	/** Bytes brought back, by output, for the checkpoint. */
	broughtBack(): Record<string, number> {
		return Object.fromEntries([...this.#outputs.values()].map((output) => [output.path, output.broughtBack]));
	}

	/** What was dropped and is not told of yet, by output, for the checkpoint. */
	dropped(): Record<string, ParkedDrops> {
		const drops: Record<string, ParkedDrops> = {};
		for (const { path, dropped } of this.#outputs.values()) if (dropped !== undefined) drops[path] = dropped;
		return drops;
	}

	/** A note alone is what a death in the middle of parking or releasing leaves: nothing waits. */
	#restore(path: string, broughtBack: number, dropped: ParkedDrops | undefined): void {
		const file = parkedFile(this.#folder, path);
		const sizeBytes = lstatSync(file, { throwIfNoEntry: false })?.size;
		if (sizeBytes === undefined) {
			removeIfThere("parked.remove-lone-note", noteOf(file));
			return;
		}
		// Lines are appended to it: it must be a file of ours, and no other's by a link.
		closeSync(openOwnedFile("parked.open", file, "missing"));
		// A shorter one is younger than the checkpoint, and nothing of it is brought back.
		Object.assign(this.#add(path, new Retry()), {
			sizeBytes,
			broughtBack: broughtBack <= sizeBytes ? broughtBack : 0,
			dropped,
		});
	}

	#add(path: string, retry: Retry): ParkedOutput {
		const file = parkedFile(this.#folder, path);
		const atFirst = { sizeBytes: 0, broughtBack: 0, dropped: undefined, hasTriedOwed: false };
		const nothing = { arriving: undefined, looking: undefined, ...atFirst };
		const output: ParkedOutput = { path, file, retry, ...nothing };
		this.#outputs.set(path, output);
		return output;
	}
}

/** `Infinity` while something is under way. */
function nextTryMs({ retry, arriving, looking }: ParkedOutput): number {
	if (arriving !== undefined) return arriving.isSynced === undefined ? Number.POSITIVE_INFINITY : 0;
	if (looking !== undefined) return looking.outcome === undefined ? Number.POSITIVE_INFINITY : 0;
	return retry.nextTryMs;
}

function noteOf(file: string): string {
	return file.replace(/\.log$/, ".json");
}

function draftOf(note: string): string {
	return `${note}.new`;
}

function removeDraft(draft: string): void {
	removeIfThere("parked.remove-draft", draft);
}

/**
 * Removes what a death or a failure has left, or somebody planted: a link itself goes, and nothing behind it. Without a note
 * nothing waits, so lines in such a file are in the output.
 */
function clear(file: string): void {
	removeDraft(draftOf(noteOf(file)));
	removeIfThere("parked.clear-note", noteOf(file));
	removeIfThere("parked.clear", file);
}

function readPath(note: string): string | undefined {
	const text = readPlainFile(note, maxNoteBytes) ?? "";
	try {
		const value = JSON.parse(text) as { path?: unknown };
		return typeof value.path === "string" ? value.path : undefined;
	} catch {
		return undefined;
	}
}

/**
 * Outputs that can't be written: their lines wait in `parked/`, in order, and hold up no other output. Each is tried
 * again with growing pauses; until all of its parked lines are in it, new ones go behind them.
 *
 *     parked/<hash>.json   { "path": … }   made first, removed last
 *     parked/<hash>.log    the lines, as they will stand in the file
 */

import { closeSync, lstatSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { removeIfThere, rename, writeWhole } from "../platform/durable-file.ts";
import { openOwnedFile, readPlainFile } from "../platform/owned-files.ts";
import { parkedFile } from "../spool/parked-file.ts";

const firstPauseMs = 250;
const longestPauseMs = 30_000;
const maxNoteBytes = 64 * 1024;

export interface ParkedOutput {
	/** The output itself. */
	readonly path: string;
	/** The file its lines wait in. */
	readonly file: string;
	/** Bytes of `file` that are in the output already. */
	broughtBack: number;
	pauseMs: number;
	nextTryMs: number;
}

export class ParkedOutputs {
	readonly #folder: string;
	readonly #outputs = new Map<string, ParkedOutput>();

	constructor(folder: string) {
		this.#folder = folder;
	}

	/**
	 * Finds what a logman before this one parked.
	 *
	 * @param broughtBack Bytes that are in their output already, by output, from the checkpoint.
	 * @throws the file system's error: a note that can't be read now must not be passed over. PYLOG_SPOOL_UNSAFE where
	 *   something else than a file of our own stands in a parked file's place.
	 */
	restore(broughtBack: Readonly<Record<string, number>>): void {
		const names = readdirSync(this.#folder);
		for (const name of names.filter((each) => each.endsWith(".json"))) {
			const path = readPath(join(this.#folder, name));
			if (path !== undefined) this.#restore(path, broughtBack[path] ?? 0);
		}
		// What a death in the middle of parking left of a note.
		for (const name of names.filter((each) => each.endsWith(".json.new"))) removeDraft(join(this.#folder, name));
	}

	get size(): number {
		return this.#outputs.size;
	}

	get(path: string): ParkedOutput | undefined {
		return this.#outputs.get(path);
	}

	values(): Iterable<ParkedOutput> {
		return this.#outputs.values();
	}

	/** From now on the lines of `path` wait. */
	park(path: string): ParkedOutput {
		const known = this.#outputs.get(path);
		if (known !== undefined) return known;
		const file = parkedFile(this.#folder, path);
		const note = noteOf(file);
		// Without a note nothing waits: lines in such a file are in the output already.
		removeIfThere("parked.clear", file);
		// What a death left, or somebody planted: a link itself goes, and nothing behind it.
		removeIfThere("parked.clear-draft", `${note}.new`);
		const fd = openOwnedFile("parked.create-note", `${note}.new`, "exclusive");
		try {
			writeWhole("parked.note", fd, Buffer.from(JSON.stringify({ path })), 0);
		} finally {
			closeSync(fd);
		}
		rename("parked.place-note", `${note}.new`, note);
		closeSync(openOwnedFile("parked.create", file, "exclusive"));
		return this.#add(path, 0);
	}

	/** Those whose pause is over. */
	due(nowMs: number): readonly ParkedOutput[] {
		return [...this.#outputs.values()].filter((output) => output.nextTryMs <= nowMs);
	}

	/** When the next one is due; `Infinity` when none is parked. */
	nextTryMs(): number {
		return Math.min(...[...this.#outputs.values()].map((output) => output.nextTryMs));
	}

	/** Notes that an output failed again. */
	postpone(output: ParkedOutput, nowMs: number): void {
		output.nextTryMs = nowMs + output.pauseMs;
		output.pauseMs = Math.min(output.pauseMs * 2, longestPauseMs);
	}

	/** Notes that all lines of an output are in it, and on disk. */
	release(output: ParkedOutput): void {
		removeIfThere("parked.remove", output.file);
		removeIfThere("parked.remove-note", noteOf(output.file));
		this.#outputs.delete(output.path);
	}

	/** Bytes brought back, by output, for the checkpoint. */
	broughtBack(): Record<string, number> {
		return Object.fromEntries([...this.#outputs.values()].map((output) => [output.path, output.broughtBack]));
	}

	/** A note alone is what a death in the middle of parking or releasing leaves: nothing waits. */
	#restore(path: string, broughtBack: number): void {
		const file = parkedFile(this.#folder, path);
		const sizeBytes = lstatSync(file, { throwIfNoEntry: false })?.size;
		if (sizeBytes === undefined) removeIfThere("parked.remove-lone-note", noteOf(file));
		// A shorter one is younger than the checkpoint, and nothing of it is brought back.
		else {
			// Lines are appended to it: it must be a file of ours, and no other's by a link.
			closeSync(openOwnedFile("parked.open", file, "missing"));
			this.#add(path, broughtBack <= sizeBytes ? broughtBack : 0);
		}
	}

	#add(path: string, broughtBack: number): ParkedOutput {
		const file = parkedFile(this.#folder, path);
		const output = { path, file, broughtBack, pauseMs: firstPauseMs, nextTryMs: 0 };
		this.#outputs.set(path, output);
		return output;
	}
}

function removeDraft(path: string): void {
	try {
		removeIfThere("parked.remove-draft", path);
	} catch {
		// It stands in nobody's way before that output is parked again.
	}
}

function noteOf(file: string): string {
	return file.replace(/\.log$/, ".json");
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

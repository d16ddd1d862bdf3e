/**
 * `quarantine/`: what can't be read is kept here, each with a file `<name>.reason.json` that says why.
 *
 * Invariants: what is taken in is renamed, never copied and never changed, but for a file larger than an entry may be,
 * of which the beginning is kept. A full disk stops nothing. Only the logman writes here. All methods block.
 */

import { randomBytes } from "node:crypto";
import { closeSync, constants, lstatSync, openSync, readFileSync, readSync } from "node:fs";
import { basename, join } from "node:path";
import { remove, removeIfThere, rename } from "../platform/durable-file.ts";
import { ensureOwnedDirectory, readPlainFile } from "../platform/owned-files.ts";
import { type PylogError, systemCode } from "../shared/errors.ts";
import { instant } from "../shared/instant.ts";
import { fileError, writeNewFile } from "./new-file.ts";
import { QuarantineRoom, reasonSuffix } from "./quarantine-room.ts";

export interface QuarantineOptions {
	/** @default 134217728 */
	readonly maxTotalBytes?: number;
	/** @default 1000 */
	readonly maxEntries?: number;
	/** Of more than this the beginning is kept. @default a quarter of maxTotalBytes */
	readonly maxEntryBytes?: number;
}

/** What became of something that was to be kept. */
export type QuarantineOutcome =
	| {
			readonly kind: "kept";
			readonly path: string;
			/** Only the beginning was kept. */
			readonly isCut: boolean;
			/** Why the reason could not be written beside it. */
			readonly reasonError: PylogError | undefined;
			/** Older entries that had to go. */
			readonly droppedEntries: number;
	  }
	/** Somebody else was faster. */
	| { readonly kind: "gone" }
	/** It is where it was. */
	| { readonly kind: "failed"; readonly error: PylogError };

/** Something that is kept. */
export interface QuarantineEntry {
	readonly name: string;
	readonly path: string;
	readonly bytes: number;
	/** `undefined` where it was not, or could not be, written. */
	readonly reason: string | undefined;
}

/** What a reason file says, beside the time. */
interface About {
	readonly reason: string;
	/** Where it was. */
	readonly from: string;
	/** How large it was. */
	readonly bytes: number;
	readonly isCut: boolean;
}

const maxReasonLength = 4096;
const maxReasonBytes = 65_536;
const copyChunkBytes = 65_536;

export class Quarantine {
	readonly directory: string;
	readonly #maxEntryBytes: number;
	readonly #room: QuarantineRoom;

	constructor(directory: string, options: QuarantineOptions = {}) {
		const { maxTotalBytes = 128 * 1024 * 1024, maxEntries = 1000 } = options;
		this.directory = directory;
		this.#maxEntryBytes = options.maxEntryBytes ?? Math.floor(maxTotalBytes / 4);
		this.#room = new QuarantineRoom(directory, maxEntries, maxTotalBytes);
	}

	/** Entries this process dropped to stay below the limits. */
	get droppedEntries(): number {
		return this.#room.droppedEntries;
	}

	/** Their bytes. */
	get droppedBytes(): number {
		return this.#room.droppedBytes;
	}

	/** Moves whatever is at `path` in here. Never throws, and needs no room on the disk for a file within the limit. */
	take(path: string, reason: string): QuarantineOutcome {
		try {
			const stats = lstatSync(path);
			this.#ensure();
			const isCut = stats.isFile() && stats.size > this.#maxEntryBytes;
			const kept = this.#newPath(basename(path));
			if (isCut) this.#keepHead(path, kept);
			else rename("quarantine.move", path, kept);
			const bytes = isCut ? this.#maxEntryBytes : stats.size;
			return this.#noteKept(kept, bytes, { reason, from: path, bytes: stats.size, isCut });
		} catch (error) {
			if (systemCode(error) === "ENOENT" && isMissing(path)) return { kind: "gone" };
			return { kind: "failed", error: fileError("Moving to quarantine", path, error) };
		}
	}

	/** Keeps bytes that are no file of their own. Never throws. */
	keepBytes(name: string, bytes: Uint8Array, reason: string): QuarantineOutcome {
		const kept = this.#newPath(name);
		const head = bytes.subarray(0, this.#maxEntryBytes);
		try {
			this.#ensure();
			writeNewFile("quarantine.keep", kept, [head], false);
			const isCut = head.length < bytes.length;
			return this.#noteKept(kept, head.length, { reason, from: name, bytes: bytes.length, isCut });
		} catch (error) {
			return { kind: "failed", error: fileError("Writing to quarantine", this.directory, error) };
		}
	}

	/** Whether the very same bytes are kept for the same reason. Of what was cut nothing is known. Never throws. */
	holds(bytes: Uint8Array, reason: string): boolean {
		try {
			const alike = this.list().filter((entry) => entry.bytes === bytes.length && entry.reason === reason);
			return alike.some(({ path }) => Buffer.compare(readFileSync(path), bytes) === 0);
		} catch {
			return false;
		}
	}

	/**
	 * What is kept, the longest here first.
	 *
	 * @throws {PylogError} when the folder can't be read; one that does not exist is empty
	 */
	list(): QuarantineEntry[] {
		return this.#room.look().map(({ name, stats, reasonBytes }) => {
			const path = join(this.directory, name);
			const isReadable = reasonBytes > 0 && reasonBytes <= maxReasonBytes;
			return { name, path, bytes: stats.size, reason: isReadable ? readReason(path + reasonSuffix) : undefined };
		});
	}

	/** Somebody may have taken the folder away. */
	#ensure(): void {
		ensureOwnedDirectory("quarantine.folder", this.directory);
	}

	/** Begins with the time, so that names sort by it; ends with what it was called. */
	#newPath(name: string): string {
		const time = instant(Date.now()).replaceAll(/[-:.]/g, "");
		const safeName = name.replaceAll(/[^\w.-]/g, "_").slice(0, 100);
		return join(this.directory, `${time}-${randomBytes(4).toString("hex")}-${safeName}`);
	}

	/** The file may still be mapped or open elsewhere, so it is copied and unlinked, not truncated. */
	#keepHead(from: string, to: string): void {
		const fd = openSync(from, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
		try {
			writeNewFile("quarantine.keep-head", to, readHead(fd, this.#maxEntryBytes), false);
		} finally {
			closeSync(fd);
		}
		try {
			remove("quarantine.remove-original", from);
		} catch (error) {
			removeIfThere("quarantine.give-up", to);
			throw error;
		}
	}

	#noteKept(path: string, bytes: number, about: About): QuarantineOutcome {
		const reason = Buffer.from(
			`${JSON.stringify({ ...about, reason: about.reason.slice(0, maxReasonLength), time: instant(Date.now()) })}\n`,
		);
		let reasonError: PylogError | undefined;
		try {
			writeNewFile("quarantine.reason", path + reasonSuffix, [reason], false);
		} catch (error) {
			reasonError = fileError("Writing to quarantine", path + reasonSuffix, error);
		}
		const droppedEntries = this.#room.added(bytes + reason.length);
		return { kind: "kept", path, isCut: about.isCut, reasonError, droppedEntries };
	}
}

function isMissing(path: string): boolean {
	try {
		return lstatSync(path, { throwIfNoEntry: false }) === undefined;
	} catch {
		return false;
	}
}

function* readHead(fd: number, maxBytes: number): Generator<Uint8Array> {
	const chunk = Buffer.allocUnsafe(copyChunkBytes);
	for (let copied = 0; copied < maxBytes; ) {
		const readBytes = readSync(fd, chunk, 0, Math.min(chunk.length, maxBytes - copied), null);
		if (readBytes === 0) return;
		yield chunk.subarray(0, readBytes);
		copied += readBytes;
	}
}

function readReason(path: string): string | undefined {
	try {
		const about: unknown = JSON.parse(readPlainFile(path, maxReasonBytes) ?? "");
		const reason: unknown = Reflect.get(Object(about), "reason");
		return typeof reason === "string" ? reason : undefined;
	} catch {
		return undefined;
	}
}

/**
 * `inbox/`: messages as JSON files, so that a program in any language can log.
 *
 * ```
 * inbox/           0700
 *   tmp/           a sender writes its file here …
 *   priority/      … and renames it into one of these; every entry here is a message, whole from the start
 *   normal/
 * ```
 *
 * Invariants: nothing a sender can put into a folder stops the reader, makes it wait or reaches a file elsewhere; what
 * is no message is told as `bad` with a reason, and never removed here. A file is known by name, inode and time of
 * change of its content, so that another under the same name is another message. All methods block.
 */

import { randomBytes } from "node:crypto";
import { lstatSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { remove, removeIfThere, rename, syncFolder, syncNewFolders } from "../platform/durable-file.ts";
import { ensureOwnedDirectory } from "../platform/owned-files.ts";
import { PylogError, systemCode } from "../shared/errors.ts";
import { type Lane, lanes } from "../shared/lane.ts";
import { inboxFile, type InboxFile, type InboxRead, readInboxFile } from "./inbox-file.ts";
import { InboxListing } from "./inbox-listing.ts";
import { type InboxMessage, type ParsedInboxMessage, parseInboxMessage } from "./inbox-message.ts";
import { fileError, writeNewFile } from "./new-file.ts";
import { spoolPaths } from "./paths.ts";
import { TakenList } from "./taken-list.ts";

export type { InboxFile, InboxRead } from "./inbox-file.ts";

/** The largest message file, in bytes. */
export const maxInboxFileBytes: number = 16 * 1024 * 1024;

const leftoverAgeMs = 24 * 60 * 60 * 1000;
const maxTimeMs = 253_402_300_799_999;

/** What reading and understanding a file came to. `time` is filled in: when the file was written. */
export type InboxReceipt =
	| { readonly kind: "message"; readonly message: ParsedInboxMessage & { readonly time: number } }
	| Exclude<InboxRead, { readonly kind: "text" }>;

export type InboxRemoval =
	| { readonly kind: "removed" }
	/** It was not there any more. */
	| { readonly kind: "gone" }
	/** Another message has its name now, which stays. */
	| { readonly kind: "replaced" }
	| { readonly kind: "failed"; readonly error: PylogError };

export interface DeliverOptions {
	/** Whether the message is on disk when `deliver` returns; it survives a crash of the process in any case. @default false */
	readonly sync?: boolean;
}

let delivered = 0;

export class Inbox {
	readonly directory: string;
	/** What can't be removed from here, and is taken. */
	readonly taken: TakenList;
	readonly #tmp: string;
	readonly #listings: Readonly<Record<Lane, InboxListing>>;
	#isEnsured = false;

	constructor(cacheDir: string) {
		const paths = spoolPaths(cacheDir);
		this.directory = paths.inbox;
		this.taken = new TakenList(paths.taken);
		this.#tmp = join(this.directory, "tmp");
		this.#listings = {
			priority: new InboxListing(this.#folder("priority")),
			normal: new InboxListing(this.#folder("normal")),
		};
	}

	/**
	 * Makes the folders, or checks those that are there.
	 *
	 * @throws {PylogError} PYLOG_SPOOL_UNSAFE, PYLOG_SPOOL_FULL, PYLOG_SYSTEM_CALL
	 */
	ensure(): void {
		let firstMade: string | undefined;
		for (const folder of [this.directory, this.#tmp, ...lanes.map((lane) => this.#folder(lane))]) {
			try {
				const made = ensureOwnedDirectory("inbox.folder", folder);
				firstMade ??= made;
			} catch (error) {
				throw fileError("Making the folder", folder, error);
			}
		}
		// A message that is on disk must not lie in a folder that is not.
		if (firstMade !== undefined) syncNewFolders("inbox.sync-new-folders", firstMade, this.#folder("normal"));
		this.#isEnsured = true;
	}

	/**
	 * Puts a message into a lane, whole or not at all, and returns the path of its file.
	 *
	 * @throws {PylogError} PYLOG_INBOX_MESSAGE_INVALID, PYLOG_SPOOL_FULL, PYLOG_SYSTEM_CALL, PYLOG_SPOOL_UNSAFE
	 */
	deliver(message: InboxMessage, lane: Lane, options: DeliverOptions = {}): string {
		const text = JSON.stringify(message);
		parseInboxMessage(text, lane);
		const bytes = Buffer.from(text);
		if (bytes.length > maxInboxFileBytes) throw tooLarge(bytes.length);
		if (!this.#isEnsured) this.ensure();
		const name = newName();
		const written = join(this.#tmp, name);
		const path = join(this.#folder(lane), name);
		try {
			writeNewFile("inbox.write", written, [bytes], options.sync === true);
			moveIn(written, path);
			if (options.sync === true) syncFolder("inbox.sync-folder", this.#folder(lane));
		} catch (error) {
			throw fileError("Delivering", path, error);
		}
		return path;
	}

	/**
	 * The oldest messages of a lane, at most `limit`, by time and then by name.
	 *
	 * With more messages than `limit` the folder is not read anew each time, so what is older than those known but came
	 * later may take about a second to show.
	 *
	 * @param isPassedOver Names that are left out, and do not count.
	 * @throws {PylogError} when the folder can't be read; one that does not exist is empty
	 */
	list(lane: Lane, limit: number, isPassedOver?: (name: string) => boolean): InboxFile[] {
		const found: InboxFile[] = [];
		for (const name of this.#listings[lane].names(limit, isPassedOver)) {
			const path = join(this.#folder(lane), name);
			const stats = lstatSync(path, { bigint: true, throwIfNoEntry: false });
			if (stats !== undefined) found.push(inboxFile(name, path, lane, stats));
		}
		return found;
	}

	/** Reads the text of a file. Never throws and never waits. */
	read(file: InboxFile): InboxRead {
		return readInboxFile(file, maxInboxFileBytes);
	}

	/** Reads a file and understands it. Never throws; what is `bad` is for quarantine. */
	receive(file: InboxFile): InboxReceipt {
		const read = this.read(file);
		if (read.kind !== "text") return read;
		try {
			const message = parseInboxMessage(read.text, file.lane);
			const writtenMs = Math.min(Math.max(file.timeMs, 0), maxTimeMs);
			return { kind: "message", message: { ...message, time: message.time ?? writtenMs } };
		} catch (error) {
			if (error instanceof PylogError) return { kind: "bad", reason: error.message };
			throw error;
		}
	}

	/** Removes a file, unless another message has taken its name. Never throws. */
	remove(file: InboxFile): InboxRemoval {
		try {
			const stats = lstatSync(file.path, { bigint: true, throwIfNoEntry: false });
			if (stats === undefined) return { kind: "gone" };
			if (inboxFile(file.name, file.path, file.lane, stats).identity !== file.identity) return { kind: "replaced" };
			remove("inbox.remove", file.path);
			return { kind: "removed" };
		} catch (error) {
			if (systemCode(error) === "ENOENT") return { kind: "gone" };
			return { kind: "failed", error: fileError("Removing", file.path, error) };
		}
	}

	/** Removes what senders left in `tmp/` more than a day ago, and returns how many files that were. Never throws. */
	sweep(): number {
		let removed = 0;
		try {
			for (const name of readdirSync(this.#tmp)) {
				const path = join(this.#tmp, name);
				const stats = lstatSync(path, { throwIfNoEntry: false });
				// The time of change, which nobody can set: a sender may copy a file with its old time of writing.
				if (stats === undefined || stats.isDirectory() || Date.now() - stats.ctimeMs < leftoverAgeMs) continue;
				remove("inbox.sweep", path);
				removed += 1;
			}
		} catch {
			// What could not be removed now will be at the next sweep.
		}
		return removed;
	}

	#folder(lane: Lane): string {
		return join(this.directory, lane);
	}
}

/** Unique, and within what a file system's clock can tell apart (4 ms) in the order of the calls of a process. */
function newName(): string {
	delivered += 1;
	const time = String(Date.now()).padStart(13, "0");
	const count = String(delivered).padStart(9, "0");
	return `${time}-${count}-${process.pid}-${randomBytes(4).toString("hex")}.json`;
}

function moveIn(written: string, path: string): void {
	try {
		rename("inbox.deliver", written, path);
	} catch (error) {
		removeIfThere("inbox.give-up", written);
		throw error;
	}
}

function tooLarge(bytes: number): PylogError {
	return new PylogError(
		"PYLOG_INBOX_MESSAGE_INVALID",
		`An inbox message takes at most ${maxInboxFileBytes} bytes as JSON, got ${bytes}. Remedy: send it in parts.`,
		{ details: { bytes, maxInboxFileBytes } },
	);
}

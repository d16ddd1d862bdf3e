/**
 * `inbox.taken`: messages whose line is in the spool and whose file can't be removed from the inbox, because it is
 * immutable or on a read-only mount. Without it every logman that comes would take them anew, once their records are
 * delivered and gone.
 *
 * One identity a line, as JSON. Only the holder of the lease writes. An entry that a death cut short does not count: its
 * record is not delivered yet, and tells of the file itself.
 */

import { closeSync, fstatSync, lstatSync } from "node:fs";
import { removeIfThere, rename, writeWhole } from "../platform/durable-file.ts";
import { openOwnedFile, readPlainFile } from "../platform/owned-files.ts";
import { writeNewFile } from "./new-file.ts";

/** Beyond this the file is not read: nobody has so many files that can't be removed. */
const maxBytes = 16 * 1024 * 1024;

export class TakenList {
	readonly #path: string;

	/** @param path `inbox.taken` of a cache directory. */
	constructor(path: string) {
		this.#path = path;
	}

	/** Identities that are noted. @throws the file system's own error for a list that is there and can't be read. */
	read(): string[] {
		const text = readPlainFile(this.#path, maxBytes) ?? "";
		return text.split("\n").flatMap((line) => identityIn(line) ?? []);
	}

	/** Notes one more. @throws PylogError, or the file system's own error: it is not noted then. */
	add(identity: string): void {
		const fd = openOwnedFile("inbox.create-taken", this.#path, "missing");
		try {
			// A line that was cut short before it must not swallow this one.
			writeWhole("inbox.note-taken", fd, Buffer.from(`\n${JSON.stringify(identity)}\n`), fstatSync(fd).size);
		} finally {
			closeSync(fd);
		}
	}

	/** Leaves only these in the list. */
	keep(identities: readonly string[]): void {
		if (lstatSync(this.#path, { throwIfNoEntry: false }) === undefined) return;
		if (identities.length === 0) {
			removeIfThere("inbox.remove-taken", this.#path);
			return;
		}
		const draft = `${this.#path}.new`;
		removeIfThere("inbox.clear-taken", draft);
		const text = identities.map((identity) => `${JSON.stringify(identity)}\n`).join("");
		writeNewFile("inbox.write-taken", draft, [Buffer.from(text)], false);
		rename("inbox.replace-taken", draft, this.#path);
	}
}

function identityIn(line: string): string | undefined {
	try {
		const identity: unknown = JSON.parse(line);
		return typeof identity === "string" ? identity : undefined;
	} catch {
		return undefined;
	}
}

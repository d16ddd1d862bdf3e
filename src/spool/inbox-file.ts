/**
 * One file of the inbox: how it is known, and how it is read without trusting whoever put it there.
 *
 * Links are not followed, a FIFO is not waited for, and no more is read than a message may have.
 */

import { type BigIntStats, closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { type PylogError, systemCode } from "../shared/errors.ts";
import type { Lane } from "../shared/lane.ts";
import { fileError } from "./new-file.ts";

export interface InboxFile {
	readonly name: string;
	readonly path: string;
	readonly lane: Lane;
	/** Name, inode and time of writing: another file of the same name has another. */
	readonly identity: string;
	/** When it was written, in milliseconds since the Unix epoch. */
	readonly timeMs: number;
}

export type InboxRead =
	| { readonly kind: "text"; readonly text: string }
	/** It was taken away, replaced or changed: there may be another to be listed. */
	| { readonly kind: "gone" }
	/** It is no message, and never will be. */
	| { readonly kind: "bad"; readonly reason: string }
	/** This process lacks something, such as descriptors: the file is to be read again later. */
	| { readonly kind: "later"; readonly error: PylogError };

const openFlags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK | constants.O_NOCTTY;
const passingCodes: ReadonlySet<string | undefined> = new Set(["EMFILE", "ENFILE", "ENOMEM", "EAGAIN", "EINTR"]);

export function inboxFile(name: string, path: string, lane: Lane, stats: BigIntStats): InboxFile {
	return { name, path, lane, identity: identityOf(name, stats), timeMs: Number(stats.mtimeMs) };
}

/** Reads a file whole. Never throws and never waits. */
export function readInboxFile(file: InboxFile, maxBytes: number): InboxRead {
	let fd: number | undefined;
	try {
		fd = openSync(file.path, openFlags);
		return readOpen(fd, file, maxBytes);
	} catch (error) {
		return refusal(error, file.path);
	} finally {
		if (fd !== undefined) closeSync(fd);
	}
}

function readOpen(fd: number, file: InboxFile, maxBytes: number): InboxRead {
	const stats = fstatSync(fd, { bigint: true });
	if (identityOf(file.name, stats) !== file.identity) return { kind: "gone" };
	const reason = whyNoMessage(stats, maxBytes);
	if (reason !== undefined) return { kind: "bad", reason };
	const bytes = readAll(fd, Number(stats.size));
	if (identityOf(file.name, fstatSync(fd, { bigint: true })) !== file.identity) return { kind: "gone" };
	try {
		// Takes a byte order mark away, as readers of JSON may.
		return { kind: "text", text: new TextDecoder("utf-8", { fatal: true }).decode(bytes) };
	} catch {
		return { kind: "bad", reason: "it is not UTF-8" };
	}
}

function whyNoMessage(stats: BigIntStats, maxBytes: number): string | undefined {
	if (stats.isDirectory()) return "it is a directory";
	if (!stats.isFile()) return "it is not a regular file";
	const uid = process.geteuid?.();
	// Root may put messages into anybody's inbox.
	if (uid !== undefined && stats.uid !== BigInt(uid) && stats.uid !== 0n) {
		return `it belongs to user ${stats.uid}, the reader runs as ${uid}`;
	}
	if (stats.size > BigInt(maxBytes)) return `it has ${stats.size} bytes, a message at most ${maxBytes}`;
	return undefined;
}

function readAll(fd: number, sizeBytes: number): Buffer {
	const bytes = Buffer.allocUnsafe(sizeBytes);
	let filledBytes = 0;
	while (filledBytes < sizeBytes) {
		const readBytes = readSync(fd, bytes, filledBytes, sizeBytes - filledBytes, null);
		if (readBytes === 0) break;
		filledBytes += readBytes;
	}
	return bytes.subarray(0, filledBytes);
}

function refusal(error: unknown, path: string): InboxRead {
	const code = systemCode(error);
	if (code === "ENOENT") return { kind: "gone" };
	if (code === "ELOOP") return { kind: "bad", reason: "it is a symbolic link" };
	if (code === "ENXIO") return { kind: "bad", reason: "it is not a regular file" };
	if (passingCodes.has(code)) return { kind: "later", error: fileError("Reading", path, error) };
	return { kind: "bad", reason: `it can't be read (${code ?? String(error)})` };
}

function identityOf(name: string, stats: BigIntStats): string {
	return `${name}:${stats.ino}:${stats.mtimeNs}`;
}

/**
 * The lease: the kernel lock that makes one process the logman (or the reader of a `LogQueue`). The lock counts; the
 * text in the file is for people.
 *
 * A lock on a file that somebody unlinked excludes nobody. So the folder is locked as well: who has one of the two and not
 * the other is not the logman. Others look at the file alone; its holder makes it anew where it is missing.
 */

import { dirname } from "node:path";
import { truncate, writeWhole } from "../platform/durable-file.ts";
import { FileLock, isLocked } from "../platform/file-lock.ts";
import { pidNamespace } from "../platform/machine.ts";
import { readPlainFile } from "../platform/owned-files.ts";
import { PylogError } from "../shared/errors.ts";
import { instant } from "../shared/instant.ts";

/** Who holds the lease, by its own word. */
export interface LeaseHolder {
	readonly pid: number;
	/** When it took the lease, ISO 8601. */
	readonly started: string;
	/** What its pid is a number in: processes of two containers may have the same. Empty where the kernel does not tell. */
	readonly namespace: string;
}

/** A look at the lease by somebody else (see {@link isLeaseHeld}) takes microseconds; a holder keeps it. */
const retries = 5;
const retryIntervalMs = 20;
const maxTextBytes = 4096;

export class Lease {
	readonly #folder: FileLock;
	readonly #holder: LeaseHolder = {
		pid: process.pid,
		started: instant(Date.now()),
		namespace: pidNamespace(),
	};
	#lock: FileLock;

	private constructor(lock: FileLock, folder: FileLock) {
		this.#lock = lock;
		this.#folder = folder;
		this.#say(this.#holder);
	}

	/** Takes the lease; `undefined` when another holds it. Blocks for up to a tenth of a second then. */
	static tryAcquire(path: string): Lease | undefined {
		for (let attempt = 1; ; attempt++) {
			const lease = Lease.#tryOnce(path);
			if (lease !== undefined) return lease;
			if (attempt === retries) return undefined;
			Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, retryIntervalMs);
		}
	}

	/** Whatever fails, nothing stays locked. */
	static #tryOnce(path: string): Lease | undefined {
		const lock = FileLock.tryAcquire("lease.take", path);
		if (lock === undefined) return undefined;
		try {
			const folder = FileLock.tryAcquireFolder(dirname(path));
			if (folder !== undefined) return new Lease(lock, folder);
			lock.release();
			return undefined;
		} catch (error) {
			lock.release();
			throw error;
		}
	}

	/** As {@link Lease.tryAcquire}. @throws PylogError PYLOG_LEASE_HELD, naming the holder. */
	static acquire(path: string): Lease {
		const lease = Lease.tryAcquire(path);
		if (lease !== undefined) return lease;
		throw leaseHeld(path);
	}

	/**
	 * Whether the cache directory is still where it was. If it is, and somebody has removed or replaced the file of the
	 * lease in it, the file is made and locked anew.
	 */
	keep(path: string): boolean {
		if (!this.#folder.isInPlace(dirname(path))) return false;
		if (!this.#lock.isInPlace(path)) this.#takeAnew(path);
		return true;
	}

	release(): void {
		this.#say(undefined);
		this.#lock.release();
		this.#folder.release();
	}

	#takeAnew(path: string): void {
		try {
			const lock = FileLock.tryAcquire("lease.take-anew", path);
			// One that wants the lease has the new file for a moment; it does not get the folder.
			if (lock === undefined) return;
			this.#lock.release();
			this.#lock = lock;
			this.#say(this.#holder);
		} catch {
			// Something else is in its place: tried again.
		}
	}

	/** A full disk is no reason to hold no lease: the logman is what makes room on it. */
	#say(holder: LeaseHolder | undefined): void {
		try {
			truncate("lease.clear", this.#lock.fd, 0);
			if (holder !== undefined) writeWhole("lease.say", this.#lock.fd, Buffer.from(`${JSON.stringify(holder)}\n`), 0);
		} catch {
			// Nobody can read who holds it; the lock counts.
		}
	}
}

/** Whether a logman (or another reader) lives. Two system calls. */
export function isLeaseHeld(path: string): boolean {
	return isLocked(path);
}

/** Who holds the lease, as far as its text tells. */
export function leaseHolder(path: string): LeaseHolder | undefined {
	try {
		const holder: unknown = JSON.parse(readPlainFile(path, maxTextBytes) ?? "");
		const pid: unknown = Reflect.get(Object(holder), "pid");
		const started: unknown = Reflect.get(Object(holder), "started");
		const namespace: unknown = Reflect.get(Object(holder), "namespace");
		const isOne = typeof pid === "number" && typeof started === "string" && !Number.isNaN(Date.parse(started));
		return isOne ? { pid, started, namespace: typeof namespace === "string" ? namespace : "" } : undefined;
	} catch {
		return undefined;
	}
}

export function leaseHeld(path: string): PylogError {
	const holder = leaseHolder(path);
	const who = holder === undefined ? "another process" : `process ${holder.pid}, since ${holder.started},`;
	return new PylogError(
		"PYLOG_LEASE_HELD",
		`There can be one logman: ${who} holds ${path}. Stop it with \`pylog stop\`, or wait for it with \`pylog start --wait\`.`,
		{ details: { path, ...holder } },
	);
}

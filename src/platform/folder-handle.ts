/**
 * A folder that is held open. What is in it is reached through it, by one name at a time and never through a link, so that
 * nobody can lead the way elsewhere by renaming or replacing what stands on it: as `openat` does, which Node lacks, by
 * way of `/proc/self/fd`.
 *
 * No method blocks; each fails with the file system's own error. Names are single ones, without a slash.
 */

import { constants, lstat, mkdir, type Stats } from "node:fs";
import { promisify } from "node:util";
import { systemCode } from "../shared/errors.ts";
import { closeSoon, openSoon } from "./file-calls.ts";
import { announce, isObserved, type StepName } from "./step.ts";

const lstatSoon = promisify(lstat);
const mkdirSoon = promisify(mkdir);

const folderFlags = constants.O_RDONLY | constants.O_DIRECTORY;

export class FolderHandle {
	/** By its name when it was opened: for messages, and for steps. */
	readonly path: string;
	readonly #fd: number;

	private constructor(path: string, fd: number) {
		this.path = path;
		this.#fd = fd;
	}

	/** Opens a folder by its path, links on the way included: the path must be one that is trusted. */
	static async open(path: string): Promise<FolderHandle> {
		return new FolderHandle(path, await openSoon(path, folderFlags));
	}

	/** Opens a folder in this one; fails for a link. */
	async openFolder(name: string): Promise<FolderHandle> {
		const fd = await openSoon(this.#at(name), folderFlags | constants.O_NOFOLLOW);
		return new FolderHandle(this.#named(name), fd);
	}

	/** Makes a folder in this one. Returns whether it was missing. */
	async makeFolder(step: StepName, name: string, mode: number): Promise<boolean> {
		if (isObserved()) announce({ name: step, call: "makeFolder", path: this.#named(name) });
		try {
			await mkdirSoon(this.#at(name), { mode });
			return true;
		} catch (error) {
			if (systemCode(error) === "EEXIST") return false;
			throw error;
		}
	}

	/** What stands under a name, a link itself and not what it leads to; `undefined` for nothing. */
	async look(name: string): Promise<Stats | undefined> {
		try {
			return await lstatSoon(this.#at(name));
		} catch (error) {
			if (systemCode(error) === "ENOENT") return undefined;
			throw error;
		}
	}

	/** Opens a file in this folder, without waiting for a FIFO. With O_CREAT in `flags` it is a step. */
	async openFile(step: StepName, name: string, flags: number, mode: number): Promise<number> {
		const isStep = (flags & constants.O_CREAT) !== 0 && isObserved();
		if (isStep) announce({ name: step, call: "create", path: this.#named(name) });
		const safeFlags = constants.O_NOFOLLOW | constants.O_NONBLOCK | constants.O_NOCTTY;
		return openSoon(this.#at(name), flags | safeFlags, mode);
	}

	/** Gives the descriptor back. */
	async close(): Promise<void> {
		await closeSoon(this.#fd);
	}

	#at(name: string): string {
		return `/proc/self/fd/${this.#fd}/${name}`;
	}

	#named(name: string): string {
		return this.path.endsWith("/") ? this.path + name : `${this.path}/${name}`;
	}
}

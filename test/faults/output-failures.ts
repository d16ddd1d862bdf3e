/** Ways in which an output can't be written until somebody mends it. Made in one step: a logman never finds a gap. */
import { spawnSync } from "node:child_process";
import { closeSync, mkdirSync, openSync, rmdirSync, symlinkSync, unlinkSync, writeFileSync, writeSync } from "node:fs";
import { createServer } from "node:net";
import { dirname, join } from "node:path";
import { expect, onTestFinished } from "vitest";
import { exchange } from "./exchange.ts";

export interface OutputFailure {
	readonly name: string;
	/** What the report says. */
	readonly code: string;
	readonly needsRoot: boolean;
	/** Before there is the file, in a folder of its own. */
	readonly prepare?: (path: string) => void;
	readonly fail: (path: string) => void | Promise<void>;
	readonly mend: (path: string) => void;
	/** The file that the output was before; `undefined` where it is the same. */
	readonly before: (path: string) => string | undefined;
}

/** Runs a command that must succeed. */
export function run(command: string, ...words: readonly string[]): void {
	const { status, stderr, error } = spawnSync(command, words, { encoding: "utf8" });
	expect(`${String(error ?? "")}${stderr}`, `${command} ${words.join(" ")}`).toBe("");
	expect(status, command).toBe(0);
}

/** Makes something else of the file at `path`, which is `<path>.1` from then on. */
export function replaceFile(path: string, make: (at: string) => void): void {
	make(`${path}.1`);
	exchange(path, `${path}.1`);
}

const isAside = (path: string): string => `${path}.1`;
const isSame = (): undefined => undefined;

const inItsPlace: readonly OutputFailure[] = [
	["a directory in its place", "EISDIR", (at: string): void => mkdirSync(at), rmdirSync, false] as const,
	["a full device", "ENOSPC", (at: string): void => symlinkSync("/dev/full", at), unlinkSync, false] as const,
	[
		"a device that is not there",
		"ENXIO",
		(at: string): void => run("mknod", at, "c", "60", "0"),
		unlinkSync,
		true,
	] as const,
	["a FIFO without a reader", "ENXIO", (at: string): void => run("mkfifo", at), unlinkSync, false] as const,
	["a link to itself", "ELOOP", (at: string): void => symlinkSync("app.log", at), unlinkSync, false] as const,
	[
		"a link into a folder that is not there",
		"ENOENT",
		(at: string): void => symlinkSync("missing/app.log", at),
		(path: string): void => mkdirSync(join(dirname(path), "missing")),
		false,
	] as const,
].map(([name, code, make, mend, needsRoot]) => ({
	name,
	code,
	needsRoot,
	fail: (path) => replaceFile(path, make),
	mend: (path) => mend(path),
	before: isAside,
}));

export const outputFailures: readonly OutputFailure[] = [
	...inItsPlace,
	{
		name: "a socket",
		code: "ENXIO",
		needsRoot: false,
		fail: async (path) => {
			const server = createServer().unref();
			onTestFinished(() => void server.close());
			await new Promise<void>((resolve) => server.listen(`${path}.1`, resolve));
			exchange(path, `${path}.1`);
		},
		mend: (path) => unlinkSync(path),
		before: isAside,
	},
	{
		name: "a file in the place of its folder",
		code: "ENOTDIR",
		needsRoot: false,
		fail: (path) => replaceFile(dirname(path), (at) => writeFileSync(at, "")),
		mend: (path) => unlinkSync(dirname(path)),
		before: (path) => join(`${dirname(path)}.1`, "app.log"),
	},
	{
		name: "a read-only file",
		code: "EPERM",
		needsRoot: true,
		fail: (path) => {
			run("chattr", "+i", path);
			onTestFinished(() => void spawnSync("chattr", ["-i", path]));
		},
		mend: (path) => run("chattr", "-i", path),
		before: isSame,
	},
	{
		name: "a full disk",
		code: "ENOSPC",
		needsRoot: true,
		prepare: (path) => {
			run("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", dirname(path));
			onTestFinished(() => run("umount", "-l", dirname(path)));
		},
		fail: (path) => fillDisk(join(dirname(path), "filler")),
		mend: (path) => unlinkSync(join(dirname(path), "filler")),
		before: isSame,
	},
];

/** Takes all the room of a disk. */
function fillDisk(filler: string): void {
	const fd = openSync(filler, "w");
	const bytes = Buffer.alloc(4096);
	try {
		for (;;) writeSync(fd, bytes);
	} catch (error) {
		expect(String(error)).toContain("ENOSPC");
	} finally {
		closeSync(fd);
	}
}

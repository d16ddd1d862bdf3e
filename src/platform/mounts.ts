/** Where file systems are mounted: told by the kernel, so asking touches none of them. */

import { readFileSync, readlink } from "node:fs";
import { dirname, join, sep } from "node:path";
import { promisify } from "node:util";
import { systemCode } from "../shared/errors.ts";

const readlinkSoon = promisify(readlink);
/** As many links as Linux follows. */
const maxLinks = 40;

/** The mount point that `path` lies below, by its name: links in it are not followed. "/" where the kernel does not tell. */
export function mountPoint(path: string): string {
	return longestAbove(mountPoints(), path);
}

/**
 * Follows the links in a path, one after the other, and tells before each call on which mount it will be: if it does not
 * answer, that is the mount which is to blame. The last one told of is where the file is.
 *
 * @param onMount Gets whether it is the last one. May throw; then no call is made.
 */
export async function followLinks(path: string, onMount: (point: string, isLast: boolean) => void): Promise<void> {
	const points = mountPoints();
	let names = path.split(sep);
	let folder = "/";
	let links = 0;
	while (names.length > 0 && links < maxLinks) {
		const [name = "", ...rest] = names;
		names = rest;
		if (name === "" || name === ".") continue;
		if (name === "..") {
			folder = dirname(folder);
			continue;
		}
		onMount(longestAbove(points, folder), false);
		const target = await linkTarget(join(folder, name));
		if (target === undefined) {
			folder = join(folder, name);
			continue;
		}
		links += 1;
		if (target.startsWith(sep)) folder = "/";
		names = [...target.split(sep), ...names];
	}
	onMount(longestAbove(points, folder), true);
}

async function linkTarget(path: string): Promise<string | undefined> {
	try {
		return await readlinkSoon(path);
	} catch (error) {
		// No link, or nothing at all: whoever opens the file is told what is wrong.
		if (systemCode(error) !== undefined) return undefined;
		throw error;
	}
}

function longestAbove(points: readonly string[], path: string): string {
	let longest = "/";
	for (const point of points) {
		const isBelow = path === point || path.startsWith(point.endsWith("/") ? point : `${point}/`);
		if (isBelow && point.length > longest.length) longest = point;
	}
	return longest;
}

/** The fifth column of each line, with its blanks and such as octal escapes. */
function mountPoints(): string[] {
	let text: string;
	try {
		text = readFileSync("/proc/self/mountinfo", "utf8");
	} catch {
		return [];
	}
	return text
		.split("\n")
		.map((line) => line.split(" ")[4] ?? "")
		.map((point) =>
			point.replaceAll(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8))),
		);
}

/** Where file systems are mounted: told by the kernel, so asking touches none of them. */

import { readFileSync } from "node:fs";

/** The mount point that `path` lies below, by its name: links in it are not followed. "/" where the kernel does not tell. */
export function mountPoint(path: string): string {
	let longest = "/";
	for (const point of mountPoints()) {
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

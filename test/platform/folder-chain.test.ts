import { mkdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { makeFolder, makeFoldersSoon } from "../../src/platform/durable-file.ts";
import { temporaryDirectory } from "../temporary-directory.ts";

type Make = (path: string) => Promise<string | undefined>;
const ways: readonly [string, Make][] = [
	["at once", async (path) => makeFolder("test.step", path, 0o700, true)],
	["without blocking", (path) => makeFoldersSoon("test.step", path, 0o700)],
];

// Node's own way of making folders tries again for ever there: `pylog({ cacheDir: "/proc/x" })` never returned.
test.each(ways)(
	"where the kernel makes no folders, making some %s is an error and no endless loop",
	async (_, make) => {
		await expect(make("/proc/pylog/queue")).rejects.toMatchObject({ code: "ENOENT" });
	},
);

test.each(ways)("folders that are missing are made %s, and the first of them is named", async (_, make) => {
	const root = temporaryDirectory();
	const path = join(root, "a", "b", "c");
	expect(await make(path)).toBe(join(root, "a"));
	expect(statSync(path).mode & 0o777).toBe(0o700);
	expect(await make(path)).toBeUndefined();
	mkdirSync(join(root, "d"));
	expect(await make(join(root, "d", "e"))).toBe(join(root, "d", "e"));
});

test.each(ways)("a file in the way of a folder that is made %s is an error", async (_, make) => {
	const file = join(temporaryDirectory(), "file");
	writeFileSync(file, "");
	await expect(make(file)).rejects.toMatchObject({ code: "EEXIST" });
	await expect(make(join(file, "folder"))).rejects.toMatchObject({ code: "ENOTDIR" });
});

import { statfsSync } from "node:fs";
import { expect, it } from "vitest";
import { bootId, diskSpace, networkFileSystem } from "../../src/platform/machine.ts";
import { temporaryDirectory } from "../temporary-directory.ts";

it("the boot has an identity that stays", () => {
	expect(bootId()).toHaveLength(16);
	expect(bootId().equals(bootId())).toBe(true);
});

it("a local disk is no network file system", () => {
	expect(networkFileSystem(temporaryDirectory())).toBeUndefined();
});

it("the space of a disk is told in bytes", () => {
	const directory = temporaryDirectory();
	const { freeBytes, totalBytes } = diskSpace(directory);
	const { blocks, bsize } = statfsSync(directory);
	expect(totalBytes).toBe(blocks * bsize);
	expect(freeBytes).toBeGreaterThan(0);
	expect(freeBytes).toBeLessThanOrEqual(totalBytes);
});

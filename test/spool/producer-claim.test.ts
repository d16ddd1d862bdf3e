/** A producer whose cache directory is removed and made again while it opens. */
import fs, { existsSync, readdirSync, renameSync } from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { isLocked } from "../../src/platform/file-lock.ts";
import { observeSteps } from "../../src/platform/step.ts";
import { ControlFile } from "../../src/spool/control-file.ts";
import { aliveFile, producerDirectory, spoolPaths } from "../../src/spool/paths.ts";
import { Producer } from "../../src/spool/producer.ts";
import { temporaryDirectory } from "../temporary-directory.ts";

/** Opens a producer while the directory is replaced, so that it gives its first folder back. */
function openMeanwhile(cacheDir: string, onGiveUp: (folder: string) => void): Producer {
	ControlFile.open(cacheDir).close();
	onTestFinished(() => observeSteps(undefined));
	let isReplaced = false;
	observeSteps((step) => {
		if (step.name === "producer.draft" && !isReplaced) {
			isReplaced = true;
			renameSync(cacheDir, `${cacheDir}.old`);
			ControlFile.open(cacheDir).close();
		}
		if (step.name === "producer.give-up" && step.call === "removeTree") onGiveUp(step.path);
	});
	const producer = Producer.open({ cacheDir });
	onTestFinished(() => producer.close());
	return producer;
}

test("a folder that is given back keeps its lock until it is gone: no logman removes it first", () => {
	const cacheDir = join(temporaryDirectory(), "spool");
	const given: [string, boolean][] = [];
	const producer = openMeanwhile(cacheDir, (folder) => given.push([folder, isLocked(aliveFile(folder))]));
	expect(given).toEqual([[expect.any(String), true]]);
	expect(readdirSync(spoolPaths(cacheDir).producers)).toEqual([String(producer.number)]);
});

test("a folder whose name another one takes in the moment it is empty is left to it, and the producer opens", () => {
	const cacheDir = join(temporaryDirectory(), "spool");
	const real = fs.rmSync;
	const restore = (): void => {
		Object.assign(fs, { rmSync: real });
		syncBuiltinESMExports();
	};
	onTestFinished(restore);
	const taken: string[] = [];
	const producer = openMeanwhile(cacheDir, (folder) => {
		const refuse = (): never => {
			restore();
			taken.push(folder);
			throw Object.assign(new Error("ENOTEMPTY: directory not empty, rmdir"), { code: "ENOTEMPTY" });
		};
		Object.assign(fs, { rmSync: refuse });
		syncBuiltinESMExports();
	});
	expect(taken).toHaveLength(1);
	expect(existsSync(producerDirectory(spoolPaths(cacheDir), producer.number))).toBe(true);
});

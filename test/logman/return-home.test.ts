/** Outputs that come back from `parked/`, many at once. */
import { existsSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { LineWriter } from "../line-writer.ts";
import { cacheDirectory, linesOf, runLogman, until } from "../running-logman.ts";
import { temporaryDirectory } from "../temporary-directory.ts";

test("lines for another output do not wait while hundreds of outputs come back at once", async () => {
	const cacheDir = cacheDirectory();
	const logs = temporaryDirectory();
	const folder = join(logs, "folder");
	const good = join(logs, "good.log");
	const blocked = Array.from({ length: 200 }, (_, index) => join(folder, `${index}.log`));
	writeFileSync(folder, "a file in the way");
	const running = await runLogman(cacheDir);
	using writer = new LineWriter(cacheDir);
	for (const path of blocked) writer.write(path, "waits");
	await until(() => writer.producer.hasReached("written"));
	rmSync(folder);
	const hasBegun = (): boolean => blocked.some((path) => existsSync(path));
	const hasEnded = (): boolean => blocked.every((path) => existsSync(path));
	await until(hasBegun);
	let meanwhile = 0;
	while (!hasEnded()) {
		writer.write(good, "does not wait");
		await until(() => writer.producer.hasReached("written"));
		if (!hasEnded()) meanwhile += 1;
	}
	expect(meanwhile).toBeGreaterThan(1);
	await until(() => blocked.every((path) => linesOf(path).length === 1));
	await running.stop();
	expect(new Set(blocked.flatMap((path) => linesOf(path)))).toEqual(new Set(["waits"]));
});

import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { ControlFile } from "../../src/spool/control-file.ts";
import { ReservedSpace } from "../../src/spool/reserved-space.ts";
import { startFixture } from "../fixture-process.ts";
import { LineWriter } from "../line-writer.ts";
import { cacheDirectory, runLogman, until } from "../running-logman.ts";
import { temporaryDirectory } from "../temporary-directory.ts";

function openControl(cacheDir: string): ControlFile {
	const control = ControlFile.open(cacheDir);
	onTestFinished(() => control.close());
	return control;
}

function segmentKib({ paths }: ControlFile): number {
	const names = readdirSync(paths.producers, { recursive: true }) as string[];
	const sizes = names.filter((name) => name.endsWith(".seg")).map((name) => statSync(join(paths.producers, name)).size);
	return sizes.reduce((sum, size) => sum + size, 0) / 1024;
}

it("what a death between a segment and its count left is taken off, once it was seen twice", () => {
	const cacheDir = temporaryDirectory();
	using writer = new LineWriter(cacheDir);
	writer.write("/logs/app.log", "a line");
	const control = openControl(cacheDir);
	const reserved = new ReservedSpace(control);
	control.add("reservedKib", 4096);
	reserved.check(0);
	expect(control.load("reservedKib")).toBe(4096 + 64);
	reserved.check(500);
	expect(control.load("reservedKib")).toBe(4096 + 64);
	reserved.check(1000);
	expect(control.load("reservedKib")).toBe(64);
	// A count that was wrong the other way is put right as well, at the next look.
	control.add("reservedKib", -128);
	reserved.check(2000);
	expect(control.load("reservedKib") | 0).toBe(-64);
	reserved.check(700_000);
	reserved.check(701_000);
	expect(control.load("reservedKib")).toBe(64);
});

it("a segment that is just being made is not taken for what a death left", () => {
	const control = openControl(temporaryDirectory());
	const reserved = new ReservedSpace(control);
	control.add("reservedKib", 64);
	reserved.check(0);
	control.add("reservedKib", 192);
	reserved.check(1000);
	expect(control.load("reservedKib")).toBe(256);
	control.add("reservedKib", -256);
	reserved.check(10_000);
	reserved.check(20_000);
	expect(control.load("reservedKib")).toBe(0);
});

it("producers that make and remove segments all the time are not disturbed by looks", async () => {
	const cacheDir = cacheDirectory();
	const path = join(temporaryDirectory(), "app.log");
	const control = openControl(cacheDir);
	const running = await runLogman(cacheDir);
	const producers = ["one", "two"].map((name) => startFixture("fault-producer", cacheDir, path, name));
	for (const producer of producers) {
		await producer.line();
		producer.process.stdout.resume();
	}
	for (let look = 0; look < 40; look++) {
		const reserved = new ReservedSpace(control);
		reserved.check(0);
		await new Promise((resolve) => setTimeout(resolve, 50));
		reserved.check(1000);
	}
	for (const producer of producers) await producer.kill();
	await running.stop();
	expect(control.load("reservedKib")).toBe(segmentKib(control));
});

it("a logman takes off what deaths have left while it runs", async () => {
	const cacheDir = cacheDirectory();
	const control = openControl(cacheDir);
	control.add("reservedKib", 1_048_576);
	const running = await runLogman(cacheDir);
	await until(() => control.load("reservedKib") === 0);
	await running.stop();
	expect(control.load("reservedKib")).toBe(0);
});

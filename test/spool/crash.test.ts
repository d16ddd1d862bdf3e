/** Producers that end without a word: processes killed, threads terminated. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { describe, expect, it, onTestFinished } from "vitest";
import { isLocked } from "../../src/platform/file-lock.ts";
import { ControlFile } from "../../src/spool/control-file.ts";
import { aliveFile, producerDirectory } from "../../src/spool/paths.ts";
import { SpoolReader } from "../../src/spool/spool-reader.ts";
import { fixturePath, startFixture } from "../fixture-process.ts";
import { temporaryDirectory } from "../temporary-directory.ts";
import { type ReadRecord, ReaderNotes, readOn } from "./spool-records.ts";

function openReader(cacheDir: string): { reader: SpoolReader; notes: ReaderNotes; control: ControlFile } {
	const control = ControlFile.open(cacheDir);
	const notes = new ReaderNotes();
	const reader = new SpoolReader(control, undefined, notes);
	onTestFinished(() => {
		reader.close();
		control.close();
	});
	return { reader, notes, control };
}

describe("a producer that is killed while it appends", () => {
	it("leaves every record it was told of, whole and in order, twenty times", async () => {
		const cacheDir = temporaryDirectory();
		const { reader, notes } = openReader(cacheDir);
		for (let time = 0; time < 20; time++) {
			const writer = startFixture("spool-writer-until-killed", cacheDir);
			let acknowledged = 0;
			writer.process.stdout.on("data", (bytes: Buffer) => (acknowledged += bytes.length));
			while (acknowledged === 0) await sleep(1);
			const read: ReadRecord[] = [];
			const killAtMs = performance.now() + 5 + ((time * 7) % 40);
			// Read while it appends, every other time.
			while (performance.now() < killAtMs) {
				if (time % 2 === 0) read.push(...readOn(reader));
				await sleep(1);
			}
			await writer.kill("SIGKILL");
			reader.checkLiveness(true);
			read.push(...readOn(reader));
			while (reader.isHeldUp) {
				await sleep(2);
				read.push(...readOn(reader));
			}
			expect(read.length).toBeGreaterThanOrEqual(acknowledged);
			// One more may be committed whose return nobody saw.
			expect(read.length).toBeLessThanOrEqual(acknowledged + 1);
			read.forEach(({ message, sequence, late }, index) => {
				const number = `${index + 1}`;
				expect([message, sequence, late]).toEqual([number.padEnd((Number(number) * 37) % 400), index + 1, false]);
			});
			reader.markDelivered();
			expect(reader.retire()).toEqual([]);
		}
		expect(notes.damages).toEqual([]);
		expect(notes.gaps).toEqual([]);
		expect(readdirSync(join(cacheDir, "producers"))).toEqual([]);
	});
});

describe("worker threads", () => {
	async function start(cacheDir: string, name: string): Promise<{ worker: Worker; number: number }> {
		const worker = new Worker(fixturePath("worker-producer"), { workerData: { cacheDir, name } });
		onTestFinished(() => worker.terminate().then(() => undefined));
		const number = await new Promise<number>((resolve, reject) => {
			worker.once("message", resolve);
			worker.once("error", reject);
		});
		return { worker, number };
	}

	it("are producers of their own, and free their lock when they are terminated", async () => {
		const cacheDir = temporaryDirectory();
		const { reader, control, notes } = openReader(cacheDir);
		const workers = await Promise.all(["a", "b"].map((name) => start(cacheDir, name)));
		const alive = workers.map(({ number }) => aliveFile(producerDirectory(control.paths, number)));
		expect(new Set(alive).size).toBe(2);
		expect(alive.map(isLocked)).toEqual([true, true]);
		await workers[0]?.worker.terminate();
		expect(alive.map(isLocked)).toEqual([false, true]);
		await workers[1]?.worker.terminate();
		expect(alive.map(isLocked)).toEqual([false, false]);
		reader.checkLiveness(true);
		const records = readOn(reader);
		while (reader.isHeldUp) {
			await sleep(2);
			records.push(...readOn(reader));
		}
		for (const name of ["a", "b"]) {
			const messages = records.map(({ message }) => message).filter((message) => message.startsWith(name));
			expect(messages.length).toBeGreaterThan(100);
			expect(messages).toEqual(messages.map((_, index) => `${name}/${index}`));
		}
		expect(notes.gaps).toEqual([]);
		reader.markDelivered();
		expect(reader.retire()).toEqual([]);
		expect(readdirSync(join(cacheDir, "producers"))).toEqual([]);
	});
});

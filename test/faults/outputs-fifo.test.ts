/** A FIFO whose reader rests, reads on, or leaves: it holds up nobody, and the reader has every line in the end. */
import { appendFileSync, closeSync, constants, openSync, readdirSync, readSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { beforeEach, expect, onTestFinished, test } from "vitest";
import { systemCode } from "../../src/shared/errors.ts";
import { temporaryDirectory } from "../temporary-directory.ts";
import { run } from "./output-failures.ts";
import { lives, OutputWork } from "./output-work.ts";

const timeout = 180_000;

/** Reads a FIFO into a file while it is told to. */
class RestingReader {
	readonly file: string;
	readonly #fifo: string;
	#fd: number | undefined;
	#reading: Promise<void> = Promise.resolve();
	#isResting = true;

	constructor(fifo: string, file: string) {
		this.file = file;
		this.#fifo = fifo;
		writeFileSync(file, "");
		onTestFinished(() => this.leave());
	}

	/** Opens the FIFO, and reads nothing. */
	come(): void {
		this.#fd = openSync(this.#fifo, constants.O_RDONLY | constants.O_NONBLOCK);
	}

	read(): void {
		this.#isResting = false;
		this.#reading = this.#copy();
	}

	async leave(): Promise<void> {
		this.#isResting = true;
		await this.#reading;
		if (this.#fd !== undefined) closeSync(this.#fd);
		this.#fd = undefined;
	}

	async #copy(): Promise<void> {
		const bytes = Buffer.alloc(65_536);
		while (!this.#isResting) {
			try {
				appendFileSync(this.file, bytes.subarray(0, readSync(this.#fd as number, bytes)));
			} catch (error) {
				if (systemCode(error) !== "EAGAIN") throw error;
			}
			await sleep(2);
		}
	}
}

let good: string;
let fifo: string;
let reader: RestingReader;

beforeEach(() => {
	const logs = temporaryDirectory();
	good = join(logs, "good.log");
	fifo = join(logs, "fifo");
	run("mkfifo", fifo);
	reader = new RestingReader(fifo, join(logs, "read.log"));
});

test.for(lives)(
	"a FIFO whose reader rests holds up nobody, and has all lines when he reads on; the logman %s",
	{ timeout },
	async (life) => {
		reader.come();
		const work = await OutputWork.start([good, fifo], { unwatched: [fifo], linesPerRound: 10 });
		await work.untilParked(fifo);
		expect(work.reportOf(fifo)).toContain("EAGAIN");
		await work.goThrough(life);
		await work.untilWritten(good);
		reader.read();
		await work.untilWritten(reader.file);
		if (life === "is killed") await work.goThrough(life);
		await work.untilWritten(reader.file);
		await work.stopProducers();
		await work.untilBack(fifo);
		await work.finish();
		work.expectComplete("not held up", good);
		// Nobody can look what a FIFO has taken: what was begun when a logman is killed is written again.
		if (life === "is killed") expect(work.audit(reader.file)).toMatchObject({ disordered: 0, missing: 0 });
		else work.expectComplete("read on", reader.file);
	},
);

// Each try that the FIFO took a part of counted as a failure: the pauses between them grew, and the lines with them.
test("a FIFO that is read on catches up while its producers log on", { timeout }, async () => {
	reader.come();
	const work = await OutputWork.start([good, fifo], { unwatched: [fifo], linesPerRound: 10 });
	await work.untilParked(fifo);
	await sleep(3000);
	reader.read();
	await work.untilBack(fifo);
	await work.finish();
	work.expectComplete("not held up", good);
	work.expectComplete("read on", reader.file);
	expect(readdirSync(dirname(work.parkedFile(fifo)))).toEqual([]);
});

test("a FIFO whose reader leaves parks the lines until the next one comes", { timeout }, async () => {
	reader.come();
	reader.read();
	const work = await OutputWork.start([good, fifo], { unwatched: [fifo] });
	await work.untilWritten(reader.file);
	await reader.leave();
	await work.untilParked(fifo);
	await work.untilWritten(good);
	reader.come();
	reader.read();
	await work.untilWritten(reader.file);
	await work.stopProducers();
	await work.untilBack(fifo);
	await work.finish();
	work.expectComplete("not held up", good);
	// What the first one had not read when he left is gone with him.
	expect(work.audit(reader.file)).toMatchObject({ repeated: 0, disordered: 0 });
});

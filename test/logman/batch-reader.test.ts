import { expect, it, onTestFinished } from "vitest";
import { Batch } from "../../src/logman/batch.ts";
import { BatchReader, type ReadBatch } from "../../src/logman/batch-reader.ts";
import { OutputRule } from "../../src/logman/output-rule.ts";
import { ControlFile } from "../../src/spool/control-file.ts";
import { Producer } from "../../src/spool/producer.ts";
import { SpoolReader } from "../../src/spool/spool-reader.ts";
import { entryOf, newDefinition, ReaderNotes } from "../spool/spool-records.ts";
import { temporaryDirectory } from "../temporary-directory.ts";

/** Two of them fill a batch. */
const longText = "x".repeat(1_200_000);

function openBatches(...marks: readonly string[]): { readonly batches: BatchReader; readonly reader: SpoolReader } {
	const cacheDir = temporaryDirectory();
	const producer = Producer.open({ cacheDir });
	const definition = newDefinition();
	for (const mark of marks) expect(producer.append(1, entryOf(definition, mark + longText))).toBe(true);
	const control = ControlFile.open(cacheDir);
	const reader = new SpoolReader(control, undefined, new ReaderNotes());
	onTestFinished(() => {
		reader.close();
		control.close();
		producer.close();
	});
	const newBatch = (): Batch => new Batch(new OutputRule("/spool", undefined));
	return { batches: new BatchReader(reader, [newBatch(), newBatch()]), reader };
}

function marksOf({ batch }: ReadBatch): string {
	return [...batch.outputs.values()].map(({ lines }) => lines.bytes.toString().replace(/^.*?(\w)x+\n/gm, "$1")).join();
}

it("what is read ahead comes next, and leaves alone what was given", () => {
	const { batches, reader } = openBatches("a", "b", "c", "d", "e");
	const first = batches.next(undefined);
	expect([marksOf(first), first.hasMore]).toEqual(["ab", true]);
	batches.readAhead(undefined);
	expect(batches.hasAhead).toBe(true);
	expect(marksOf(first)).toBe("ab");
	reader.markDelivered();
	const second = batches.next(undefined);
	expect([marksOf(second), second.hasMore]).toEqual(["cd", true]);
	expect(batches.hasAhead).toBe(false);
	batches.readAhead(undefined);
	expect(marksOf(second)).toBe("cd");
	reader.markDelivered();
	const third = batches.next(undefined);
	expect([marksOf(third), third.hasMore]).toEqual(["e", false]);
	reader.markDelivered();
	expect([...batches.next(undefined).batch.outputs]).toEqual([]);
});

it("what is read ahead is in no checkpoint, not delivered with the others, and not told as written", () => {
	const { batches, reader } = openBatches("a", "b", "c", "d");
	const first = batches.next(undefined);
	const announced = structuredClone(reader.states());
	expect(announced[0]?.to.sequence).toBe(2);
	batches.readAhead(undefined);
	expect(reader.states()).toEqual(announced);
	expect(reader.readBelow()).toBe(3);
	reader.markDelivered();
	expect(marksOf(first)).toBe("ab");
	// Between two batches: the first one is confirmed, nothing is announced.
	expect(reader.states()).toEqual(announced.map((state) => ({ ...state, from: state.to })));
	expect([reader.delivered[1], reader.readBelow()]).toEqual([2, 3]);
	expect(marksOf(batches.next(undefined))).toBe("cd");
	expect(reader.states()[0]).toMatchObject({ from: { sequence: 2 }, to: { sequence: 4 } });
	reader.markDelivered();
	expect([reader.delivered[1], reader.readBelow()]).toEqual([4, 5]);
});

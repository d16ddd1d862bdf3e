/** Sequences count in 32 bits, and are compared by the sign of their difference: a lane goes on past the last of them. */
import { expect, onTestFinished, test } from "vitest";
import type { Checkpoint } from "../../src/spool/checkpoint.ts";
import { ControlFile } from "../../src/spool/control-file.ts";
import { SpoolReader } from "../../src/spool/spool-reader.ts";
import { SegmentBuilder } from "../spool/segment-builder.ts";
import { messagesOf, ReaderNotes, readOn } from "../spool/spool-records.ts";
import { temporaryDirectory } from "../temporary-directory.ts";

test.each([
	["to 31 bits", 2 ** 31 - 3],
	["to 32 bits", 2 ** 32 - 3],
])("a lane of as many records as fit in%s goes on, tells of gaps and passes over what was delivered", (_, last) => {
	const cacheDir = temporaryDirectory();
	const control = ControlFile.open(cacheDir);
	onTestFinished(() => control.close());
	control.store("nextNumber", 1000);
	const builder = new SegmentBuilder(1, "normal", 1);
	const definition = builder.addDefinition();
	// Two were delivered; one of those that follow is missing.
	[-1, 0, 1, 2, 3, 5, 6].forEach((by, at) => {
		builder.add({ sequence: (last + by) | 0, number: at + 1, definition, message: `${by}` });
	});
	builder.write(cacheDir, 1, 0);
	const from = { place: 0, index: 1, offset: 64, sequence: last };
	const chains = [{ producer: 1, nonce: 77, lane: 1, from, to: from }];
	const checkpoint: Checkpoint = { horizon: 3, delivered: [0, 2], chains, outputs: [], parked: {}, unsynced: [] };
	const notes = new ReaderNotes();
	const reader = new SpoolReader(control, checkpoint, notes);
	onTestFinished(() => reader.close());
	expect(messagesOf(readOn(reader))).toEqual(["1", "2", "3", "5", "6"]);
	expect(notes.gaps.map(({ count, sequence }) => [count, sequence | 0])).toEqual([[1, (last + 5) | 0]]);
	expect(notes.damages).toEqual([]);
	expect(reader.states()[0]?.to.sequence).toBe((last + 6) | 0);
});

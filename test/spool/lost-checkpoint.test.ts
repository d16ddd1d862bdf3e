/** A checkpoint that is lost, and what the readers after it make of the guesses that this leaves. */
import { expect, it } from "vitest";
import type { Checkpoint } from "../../src/spool/checkpoint.ts";
import { ControlFile } from "../../src/spool/control-file.ts";
import { Producer } from "../../src/spool/producer.ts";
import { SpoolReader } from "../../src/spool/spool-reader.ts";
import { temporaryDirectory } from "../temporary-directory.ts";
import { copyOf, entryOf, messagesOf, newDefinition, ReaderNotes, type ReadRecord, readOn } from "./spool-records.ts";

const definition = newDefinition();

it.each(["is in", "was read ahead behind"])(
	"a lane that %s the batch in which the next reader dies is read on",
	(how) => {
		const cacheDir = temporaryDirectory();
		// Small, so that what was read before fills several segments, and the first place is not the one that comes next.
		const producer = Producer.open({ cacheDir, segmentBytes: [4096, 4096] });
		const control = ControlFile.open(cacheDir);
		for (let index = 0; index < 300; index++) expect(producer.append(1, entryOf(definition, `p${index}`))).toBe(true);
		const first = new SpoolReader(control, undefined, new ReaderNotes());
		take(first, 200);
		first.markDelivered();
		first.publish();
		first.close();

		const second = new SpoolReader(control, undefined, new ReaderNotes(), true);
		if (how !== "is in") second.beginAhead();
		const read = take(second, 50);
		const begun = how === "is in" ? read : [];
		const checkpoint = checkpointOf(second);
		second.close();

		const third = new SpoolReader(control, checkpoint, new ReaderNotes());
		const again: ReadRecord[] = [];
		third.replay(checkpoint.chains, (record) => {
			again.push(copyOf(record));
			return "on";
		});
		expect(messagesOf(again)).toEqual(messagesOf(begun));
		third.markDelivered();
		expect(messagesOf(readOn(third))).toHaveLength(100 - begun.length);
		third.close();
		control.close();
		producer.close();
	},
);

function take(reader: SpoolReader, count: number): ReadRecord[] {
	const taken: ReadRecord[] = [];
	reader.read((record) => {
		taken.push(copyOf(record));
		return taken.length >= count ? "last" : "on";
	});
	return taken;
}

/** What the logman would store when it begins a batch. */
function checkpointOf(reader: SpoolReader): Checkpoint {
	const { horizon, delivered } = reader;
	return structuredClone({ horizon, delivered, chains: reader.states(), outputs: [], parked: {}, unsynced: [] });
}

/** What happens to a slot, and to what is stored there, when it goes from a dead producer to a new one. */
import { afterEach, expect, it, onTestFinished, vi } from "vitest";
import { ControlFile } from "../../src/spool/control-file.ts";
import { slotWords } from "../../src/spool/control-layout.ts";
import { Lease } from "../../src/spool/lease.ts";
import { Producer } from "../../src/spool/producer.ts";
import { SpoolReader } from "../../src/spool/spool-reader.ts";
import { temporaryDirectory } from "../temporary-directory.ts";
import { endSilently } from "./silent-end.ts";
import { entryOf, messagesOf, newDefinition, ReaderNotes, readOn } from "./spool-records.ts";

afterEach(() => {
	vi.restoreAllMocks();
});

function openReader(cacheDir: string): { control: ControlFile; reader: SpoolReader } {
	const control = ControlFile.open(cacheDir);
	const reader = new SpoolReader(control, undefined, new ReaderNotes());
	onTestFinished(() => {
		reader.close();
		control.close();
	});
	return { control, reader };
}

/** Runs `act` in front of the next store to a word. */
function beforeStoreTo(wanted: number, act: () => void): void {
	const original = Atomics.store;
	const spy = vi.spyOn(Atomics, "store").mockImplementation(((words: Int32Array, word: number, value: number) => {
		if (word === wanted) {
			spy.mockRestore();
			act();
		}
		return original(words, word, value);
	}) as typeof Atomics.store);
}

it("what the logman stores for a dead producer never comes to the one that takes its slot in that moment", () => {
	const cacheDir = temporaryDirectory();
	const { control, reader } = openReader(cacheDir);
	const lease = Lease.acquire(control.paths.lease);
	onTestFinished(() => lease.release());
	const dead = Producer.open({ cacheDir });
	dead.append(1, entryOf(newDefinition(), "last words"));
	expect(messagesOf(readOn(reader))).toEqual(["last words"]);
	reader.markDelivered();
	endSilently(dead);

	const written = control.slotWord(0) + slotWords.written + 1;
	const passed: boolean[] = [];
	beforeStoreTo(written, () => passed.push(control.passSlot(0, dead.number, 99)));
	reader.publish();
	expect(passed).toEqual([false]);
	expect(control.mapping.words[written]).toBe(1);
	expect(control.passSlot(0, dead.number, 99)).toBe(true);
	expect(control.mapping.words[written]).toBe(0);
});

it("a logman that died while it told producers keeps no slot from being handed on", () => {
	const cacheDir = temporaryDirectory();
	const { control } = openReader(cacheDir);
	control.claimSlot(11);
	control.store("telling", 1);
	expect(control.passSlot(0, 11, 12)).toBe(true);
});

it("the records of a producer whose slot was taken over keep their place in the order", () => {
	const cacheDir = temporaryDirectory();
	const { control, reader } = openReader(cacheDir);
	const dead = Producer.open({ cacheDir });
	const other = Producer.open({ cacheDir });
	onTestFinished(() => other.close());
	// The first look: nothing was appended yet.
	expect(readOn(reader)).toEqual([]);
	dead.append(1, entryOf(newDefinition(), "first"));
	endSilently(dead);
	expect(control.passSlot(0, dead.number, 99)).toBe(true);
	other.append(1, entryOf(newDefinition(), "second"));
	expect(readOn(reader).map(({ message, late }) => [message, late])).toEqual([
		["first", false],
		["second", false],
	]);
});

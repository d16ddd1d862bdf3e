/**
 * Where does the time of one call go? The parts of a call, a message only, are called one after the other, a burst of each
 * in each turn of the event loop, and the medians of many rounds are printed. The parts are the real ones; what is left is the
 * way between them: the method, the checks, the loop itself. A logman takes the records away on another core.
 */
import { mkdirSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { type Pylog, pylog } from "pylog";
import { ControlFile } from "../src/spool/control-file.ts";
import { controlWords, slotWords } from "../src/spool/control-layout.ts";
import { Definition } from "../src/spool/definition.ts";
import { Draft } from "../src/spool/draft.ts";
import { Producer } from "../src/spool/producer.ts";
import { recordBytes } from "../src/spool/record-codec.ts";
import { layOut } from "../src/spool/record-layout.ts";
import { Segment } from "../src/spool/segment.ts";
import { segmentHeaderBytes } from "../src/spool/segment-header.ts";
import { SpoolRoom } from "../src/spool/spool-room.ts";
import { median } from "./compare.ts";
import { Scratch } from "./run/scratch.ts";
import { message } from "./run/work.ts";

type Parts = Readonly<Record<string, (index: number) => void>>;

const rounds = 400;
const warmUpRounds = 100;
const callsPerBurst = 200;
const sizeBytes = 4 * 1024 * 1024;
const level = 30;
const lane = 1;

await using scratch = new Scratch();
await scratch.startLogman();
const { cacheDir } = scratch;
const path = scratch.newFile();
const logger: Pylog = pylog({ filename: path, cacheDir, format: "json", callSite: false, logman: "external" });
const producer = Producer.open({ cacheDir });
const definition = Definition.ofLogger({
	output: path,
	format: "json",
	logform: "",
	name: "",
	hostname: "",
	pid: process.pid,
	thread: 0,
	fields: "",
});

const draft = new Draft();
const ready = new Draft();
for (const each of [ready, draft]) {
	each.message(message(0));
	Object.assign(each, { level, definition, timeMs: Date.now() });
}
const length: number = recordBytes(ready.end);

/** A segment and a slot that nobody reads: what is stored there is never delivered. */
const control = ControlFile.open(join(scratch.folder, "aside"));
const segment = makeSegment();
const { words } = segment.mapping;
const shared = control.mapping.words;
const slot = control.slotWord(0);
let sequence = 0;
let texts = 0;

const parts: Parts = {
	"the clock": () => void Date.now(),
	"the text, one that came before": (index) => draft.message(message(index)),
	"layout, copy and checksum": () => {
		goOn();
		layOut(segment, lane, ready, (sequence += 1));
		segment.offset += length;
	},
	// As in `Producer#commit` on x86.
	"the atomic steps alone": () => {
		goOn();
		const word = segment.offset >>> 2;
		shared[slot + slotWords.bound] = Atomics.load(shared, controlWords.nextNumber) || -1;
		words[word + 2] = Atomics.add(shared, controlWords.nextNumber, 1);
		Atomics.store(words, word, length);
		shared[slot + slotWords.appended + lane] = sequence += 1;
		Atomics.store(shared, slot + slotWords.bound, 0);
		segment.offset += length;
	},
	"append of a finished draft": () => void producer.append(lane, ready),
	"the whole call": (index) => logger.info(message(index)),
	"the bare store of as many bytes": () => {
		goOn();
		const start = segment.offset >>> 2;
		const end = start + (length >>> 2);
		for (let word = start; word < end; word++) words[word] = word;
		segment.offset += length;
	},
};

/** Apart from the others: texts that never come again end the search for those that came before. */
const newTexts: Parts = {
	"the text, a new one": () => draft.message(newText()),
	"the making of a new text": () => void newText(),
};

const costs = new Map([...(await measure(parts)), ...(await measure(newTexts))]);
producer.close();
await logger.close();
segment.release();
control.close();
report();

function makeSegment(): Segment {
	const { producers } = control.paths;
	mkdirSync(producers, { recursive: true });
	const room = new SpoolRoom(control, producers, 2 * sizeBytes);
	const made = Segment.create(join(producers, "aside.seg"), 0, sizeBytes, room, true);
	if (made === undefined) throw new Error("there is no room for a segment");
	made.begin({ producer: 1, nonce: 1, lane: "normal", index: 1 });
	made.mapping.words.fill(0, made.offset >>> 2);
	return made;
}

function goOn(): void {
	if (!segment.hasRoom(length)) segment.offset = segmentHeaderBytes;
}

/** As long as the others, and never the same. */
function newText(): string {
	texts += 1;
	return `order ${texts + 1000} was paid by card, in 12 ms (shop-order)`;
}

async function measure(subjects: Parts): Promise<ReadonlyMap<string, readonly number[]>> {
	const found = new Map<string, number[]>(Object.keys(subjects).map((name) => [name, []]));
	for (let round = 0; round < warmUpRounds + rounds; round++) {
		for (const [name, part] of Object.entries(subjects)) {
			await nextTurn();
			const sinceMs = performance.now();
			for (let index = 0; index < callsPerBurst; index++) part(index);
			const spentNs = ((performance.now() - sinceMs) * 1e6) / callsPerBurst;
			if (round >= warmUpRounds) found.get(name)?.push(spentNs);
		}
	}
	return found;
}

function report(): void {
	const cores = `${cpus().length} cores of ${cpus()[0]?.model.trim()}`;
	process.stdout.write(
		`one call: Node ${process.version}, ${cores}, ${rounds} rounds of ${callsPerBurst} calls of each part\n`,
	);
	const ns = (name: string): number => median(costs.get(name) ?? []);
	const whole = ns("the whole call");
	const append = ns("append of a finished draft");
	const layout = ns("layout, copy and checksum");
	const text = ns("the text, one that came before");
	const clock = ns("the clock");
	print("the whole call, a message only", whole, whole);
	print("  clock", clock, whole);
	print("  text into the draft", text, whole);
	print("  layout, copy and checksum", layout, whole);
	print("  atomic steps, and the checks before them", append - layout, whole);
	print("  method, arguments, definition: the rest", whole - append - text - clock, whole);
	print("beside it: a text that is new", ns("the text, a new one") - ns("the making of a new text"), whole);
	print("beside it: the atomic steps alone", ns("the atomic steps alone"), whole);
	print("beside it: the bare store of as many bytes", ns("the bare store of as many bytes"), whole);
}

function print(name: string, costNs: number, wholeNs: number): void {
	const share = Math.round((costNs / wholeNs) * 100);
	process.stdout.write(`  ${name.padEnd(46)} ${costNs.toFixed(0).padStart(5)} ns ${`${share} %`.padStart(6)}\n`);
}

/**
 * Checks a whole spool without the lease and without changing anything, while producers and logman go on.
 *
 * What others do meanwhile may look like damage for a moment. So where there is a problem everything is looked at a
 * second time, and a problem counts only when it is still there.
 */

import { existsSync, lstatSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { isLocked } from "../platform/file-lock.ts";
import { lanes, laneIndex } from "../shared/lane.ts";
import { readCheckpoint } from "./checkpoint.ts";
import { controlWords } from "./control-layout.ts";
import { lookAtCheckpoint } from "./checkpoint-damage.ts";
import { type ControlSnapshot, readControl } from "./control-snapshot.ts";
import { checkLane } from "./lane-check.ts";
import { producerNumbers, segmentKib } from "./numbering.ts";
import { findPlanted } from "./planted-paths.ts";
import { aliveFile, producerDirectory, type SpoolPaths, spoolPaths } from "./paths.ts";
import { Quarantine } from "./quarantine.ts";
import { problemIdentity, type SpoolProblem } from "./spool-problem.ts";
import { isFolder, listParked, type ParkedStatus, readNote } from "./spool-status.ts";
import type { ImpossibleWord } from "./word-limits.ts";
import { toleratedKib } from "./word-watch.ts";

/** What `pylog verify --json` prints: keys are stable over minor versions. */
export interface SpoolReport {
	readonly cacheDir: string;
	readonly producers: { readonly living: number; readonly dead: number };
	readonly segments: number;
	/** Valid records in them, delivered ones that are still there included. */
	readonly records: number;
	/** Generations of the checkpoint's valid slots. */
	readonly checkpoints: readonly number[];
	readonly parked: readonly ParkedStatus[];
	/** What was damaged earlier and is kept. It is no problem of the spool any more. */
	readonly quarantine: readonly { readonly path: string; readonly bytes: number; readonly reason: string | null }[];
	readonly problems: readonly SpoolProblem[];
}

/**
 * Looks through the spool at `cacheDir`; `undefined` where there is none. Blocks for as long as reading all segments
 * takes, twice where there is a problem.
 *
 * @param betweenLooksMs Time between the two. None is needed where nobody uses the spool.
 * @throws the file system's own error for a folder that can't be read.
 */
export function verifySpool(cacheDir: string, betweenLooksMs = 100): SpoolReport | undefined {
	const first = look(cacheDir);
	if (first === undefined || first.problems.length === 0) return first;
	Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, betweenLooksMs);
	const second = look(cacheDir);
	if (second === undefined) return undefined;
	const known = new Set(first.problems.map(problemIdentity));
	return { ...second, problems: second.problems.filter((problem) => known.has(problemIdentity(problem))) };
}

function look(cacheDir: string): SpoolReport | undefined {
	const paths = spoolPaths(cacheDir);
	const control = readControl(paths.control);
	if (control === undefined && !existsSync(paths.producers)) return undefined;
	const problems: SpoolProblem[] = [];
	checkOwner(paths, problems);
	const planted = findPlanted(paths);
	problems.push(...planted);
	const isPlanted = (path: string): boolean => planted.some((problem) => problem.path === path);
	if (!isPlanted(paths.control)) checkControl(paths, control, problems);
	const checkpoints = isPlanted(paths.checkpoint) ? [] : checkCheckpoint(paths, problems);
	const producers = checkProducers(paths, control, problems);
	const parked = checkParked(paths, problems);
	const quarantine = new Quarantine(paths.quarantine)
		.list()
		.map(({ path, bytes, reason }) => ({ path, bytes, reason: reason ?? null }));
	return { cacheDir, ...producers, checkpoints, parked, quarantine, problems };
}

function checkOwner({ cacheDir }: SpoolPaths, problems: SpoolProblem[]): void {
	const stats = lstatSync(cacheDir);
	const uid = process.geteuid?.();
	const isForeign = uid !== undefined && stats.uid !== uid;
	if (!isForeign && (stats.mode & 0o077) === 0) return;
	const mode = (stats.mode & 0o777).toString(8);
	problems.push({
		kind: "unsafe",
		path: cacheDir,
		offset: undefined,
		what: isForeign
			? `it belongs to user ${stats.uid}, this process runs as ${uid}`
			: `it is open to other users (mode ${mode})`,
		meaning: "Loggers and logman of this user refuse to work with it.",
		remedy: isForeign ? "Run as that user, or choose a cache directory of your own." : `chmod go-rwx '${cacheDir}'`,
	});
}

function checkControl(paths: SpoolPaths, control: ControlSnapshot | undefined, problems: SpoolProblem[]): void {
	const what = control === undefined ? "it is not there, or empty" : control.problem;
	if (what === undefined) return;
	problems.push({
		kind: "control",
		path: paths.control,
		offset: 0,
		what,
		meaning:
			"No process can open the spool with it. What waits in segments is not lost, and numbering goes on above all seen.",
		remedy: "End the processes that log there; the next start keeps the file in quarantine/ and makes a new one.",
	});
}

function checkCheckpoint(paths: SpoolPaths, problems: SpoolProblem[]): number[] {
	const { slots, problem } = lookAtCheckpoint(paths.checkpoint);
	if (problem !== undefined) problems.push(unusableCheckpoint(paths, problem));
	const generations = slots.flatMap(({ generation }) => generation ?? []);
	for (const { offset, isTorn, damage } of slots) {
		if (!isTorn && damage === undefined) continue;
		const other = generations[0];
		problems.push({
			kind: "checkpoint",
			path: paths.checkpoint,
			offset,
			what: "this slot holds bytes that are no checkpoint",
			meaning:
				other === undefined
					? "Neither slot counts: a logman that starts goes on behind what the control file calls written, or, where that is lost as well, writes everything again that segments still hold."
					: `The other slot (generation ${other}) counts: if this was the newer one, a logman that starts may write a batch again.`,
			remedy:
				"A running logman writes both slots anew with its next batches. Otherwise look for lines that came twice.",
		});
	}
	return generations;
}

function unusableCheckpoint({ checkpoint }: SpoolPaths, what: string): SpoolProblem {
	return {
		kind: "checkpoint",
		path: checkpoint,
		offset: undefined,
		what,
		meaning: "No logman starts with it; producers go on, and what they log waits.",
		remedy: `Move it away: mv '${checkpoint}' '${checkpoint}.aside'. The next logman goes on behind what the control file calls written.`,
	};
}

function checkProducers(
	paths: SpoolPaths,
	control: ControlSnapshot | undefined,
	problems: SpoolProblem[],
): Pick<SpoolReport, "producers" | "segments" | "records"> {
	const numbers = isFolder(paths.producers) ? producerNumbers(paths) : [];
	const slots = new Map(control?.slots.map((slot) => [slot.producer, slot]));
	const checkpoint = (): ReturnType<typeof readCheckpoint> => readCheckpoint(paths.checkpoint);
	const lastNumbers: number[] = [];
	let [living, segments, records] = [0, 0, 0];
	for (const producer of numbers) {
		const directory = producerDirectory(paths, producer);
		const ofProducer: SpoolProblem[] = [];
		if (isLocked(aliveFile(directory))) living += 1;
		for (const lane of lanes) {
			const appended = slots.get(producer)?.appended[laneIndex[lane]];
			const findings = checkLane({ directory, producer, lane, appended, checkpoint });
			segments += findings.segments;
			records += findings.records;
			ofProducer.push(...findings.problems);
			if (findings.lastNumber !== undefined) lastNumbers.push(findings.lastNumber);
		}
		// A folder that is gone was retired meanwhile, all of it delivered.
		if (existsSync(directory)) problems.push(...ofProducer);
	}
	checkNumbering(paths, lastNumbers, problems);
	if (control?.hasWrongSlotCount === true) problems.push(wrongSlotCount(paths));
	problems.push(...(control?.impossibleWords ?? []).map((word) => impossibleWord(paths, word)));
	const isCountable = control?.problem === undefined && isFolder(paths.producers);
	if (control !== undefined && isCountable) checkReserved(paths, control, problems);
	if (control?.problem === undefined) checkSlots(paths, control, new Set(numbers), problems);
	return { producers: { living, dead: numbers.length - living }, segments, records };
}

function wrongSlotCount({ control }: SpoolPaths): SpoolProblem {
	return {
		kind: "slot",
		path: control,
		offset: controlWords.slotsUsed * 4,
		what: "the count of slots is wrong: it leaves out some that have an owner",
		meaning: "A producer there may be passed over in the middle of an append: its line comes late. Nothing is lost.",
		remedy: "The next logman that starts mends it. Was the control file restored from a copy?",
	};
}

function checkReserved(paths: SpoolPaths, control: ControlSnapshot, problems: SpoolProblem[]): void {
	const [found, meant] = [control.word("reservedKib") | 0, segmentKib(paths)];
	if (Math.abs(found - meant) < toleratedKib) return;
	problems.push(impossibleWord(paths, { word: "reservedKib", found, limit: `segments take ${meant} KiB`, meant }));
}

function impossibleWord({ control }: SpoolPaths, { word, found, limit }: ImpossibleWord): SpoolProblem {
	return {
		kind: "word",
		path: control,
		offset: controlWords[word] * 4,
		what: `the word ${word} holds what no Pylog writes (${found}): ${limit}`,
		meaning:
			"It is believed no further than it can be. Another program of this user writes there, or the disk is at fault.",
		remedy: "A running logman brings it back, and tells so in pylog_error.log.",
	};
}

/** Of an earlier boot the counter may be older than the records: it is set above them when the file is renewed. */
function checkNumbering(paths: SpoolPaths, taken: readonly number[], problems: SpoolProblem[]): void {
	const control = readControl(paths.control);
	if (control?.isOfThisBoot !== true || control.problem !== undefined) return;
	const next = control.word("nextNumber");
	if (taken.every((number) => ((next - number) | 0) > 0)) return;
	problems.push({
		kind: "numbering",
		path: paths.control,
		offset: undefined,
		what: "the counter of queue numbers stands below a number that a record has",
		meaning: "Numbers are given twice: records that wait are written in the wrong order.",
		remedy: "Was the control file restored from a copy? End the processes that log there and drain the spool.",
	});
}

function checkSlots(
	paths: SpoolPaths,
	control: ControlSnapshot | undefined,
	numbers: ReadonlySet<number>,
	problems: SpoolProblem[],
): void {
	for (const { slot, producer } of control?.slots ?? []) {
		if (numbers.has(producer)) continue;
		problems.push({
			kind: "slot",
			path: paths.control,
			offset: undefined,
			what: `slot ${slot} is of producer ${producer}, which has no folder in ${paths.producers}`,
			meaning: "Its folder was removed: what it had not delivered is lost, and what it logs now is lost as well.",
			remedy: "Restart the process that logs there. Never remove files of the cache directory while processes log.",
		});
	}
}

function checkParked(paths: SpoolPaths, problems: SpoolProblem[]): readonly ParkedStatus[] {
	const broughtBack = readCheckpoint(paths.checkpoint)?.parked ?? {};
	const parked = listParked(paths.parked, broughtBack);
	const names = isFolder(paths.parked) ? readdirSync(paths.parked) : [];
	for (const name of names.filter((each) => each.endsWith(".log"))) {
		const path = join(paths.parked, name);
		const output = readNote(path.replace(/log$/, "json"));
		const bytes = lstatSync(path, { throwIfNoEntry: false })?.size;
		if (bytes === undefined || (output !== undefined && bytes >= (broughtBack[output] ?? 0))) continue;
		problems.push({
			kind: "parked",
			path,
			offset: undefined,
			what:
				output === undefined
					? "no note beside it says which file its lines are for"
					: "it is shorter than what was brought back from it",
			meaning: output === undefined ? "Nothing brings its lines back." : "Some of its lines are lost.",
			remedy: `Append what is in it to its file by hand${output === undefined ? "" : ` (${output})`}, then remove it.`,
		});
	}
	return parked;
}

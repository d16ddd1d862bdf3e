/**
 * While producers log to many outputs, something happens to some of them. The others go on; these get their lines when
 * they are mended: each is once in the file, or in the file that it was before, in the order of the calls.
 */
import {
	chmodSync,
	chownSync,
	linkSync,
	mkdirSync,
	renameSync,
	rmSync,
	symlinkSync,
	truncateSync,
	unlinkSync,
	writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { beforeEach, expect, test } from "vitest";
import { temporaryDirectory } from "../temporary-directory.ts";
import { lives, OutputWork } from "./output-work.ts";
import { outputFailures, replaceFile } from "./output-failures.ts";

const timeout = 180_000;
const isRoot = process.getuid?.() === 0;

let logs: string;
let good: string;
let other: string;

beforeEach(() => {
	logs = temporaryDirectory();
	good = join(logs, "good.log");
	other = join(logs, "other.log");
});

/** An output in a folder of its own. */
function outputIn(folder: string): string {
	mkdirSync(join(logs, folder));
	return join(logs, folder, "app.log");
}

test.for(lives)(
	"outputs that can't be written, each for another reason, hold up no other and are all made good; the logman %s",
	{ timeout },
	async (life) => {
		const failing = outputFailures
			.filter(({ needsRoot }) => isRoot || !needsRoot)
			.map((failure, index) => ({ failure, path: outputIn(`failing-${index}`) }));
		for (const { failure, path } of failing) failure.prepare?.(path);
		const work = await OutputWork.start([good, ...failing.map(({ path }) => path), other]);
		for (const { failure, path } of failing) await failure.fail(path);
		if (life === "is killed") await work.goThrough(life);
		for (const { path } of failing) await work.untilParked(path);
		if (life === "is stopped and started") await work.goThrough(life);
		await work.untilWritten(good);
		await work.untilWritten(other);
		expect(await work.flush(good)).toBe("flushed");
		for (const { failure, path } of failing) {
			const { name, code } = failure;
			expect(await work.flush(path), name).toBe("PYLOG_OUTPUT_PARKED");
			expect(work.reportOf(path), name).toContain(code);
			expect(work.reportOf(path), name).toMatch(/failing message: \d+ (one|two) \d+/);
		}
		for (const { failure, path } of failing) failure.mend(path);
		for (const { path } of failing) await work.untilWritten(path);
		await work.finish();
		for (const { failure, path } of failing) work.expectComplete(failure.name, failure.before(path), path);
		for (const file of [good, other]) work.expectComplete("not held up", file);
	},
);

/** The output can be written at once again, if as another file. */
interface Change {
	readonly name: string;
	readonly make: (path: string) => void;
	/** Where the lines are that went to the file before. */
	readonly before: (path: string) => string;
	/** Where the next lines are. @default the same path */
	readonly after?: (path: string) => string;
	/** Whether a logman that starts later can find the file that the output was before. */
	readonly isFound: boolean;
}

/** Another name of a file, in another folder, by which a test can look at it when it is gone for everybody else. */
const kept = (path: string): string => `${dirname(path)}.kept`;

function filesOf({ before, after }: Change, path: string): string[] {
	return [before(path), after?.(path) ?? path];
}

const changes: readonly Change[] = [
	{
		name: "renamed",
		make: (path) => renameSync(path, `${path}.1`),
		before: (path) => `${path}.1`,
		isFound: true,
	},
	{
		name: "renamed, and an empty one made",
		make: (path) => replaceFile(path, (at) => writeFileSync(at, "")),
		before: (path) => `${path}.1`,
		isFound: true,
	},
	{
		name: "deleted",
		make: (path) => {
			linkSync(path, kept(path));
			unlinkSync(path);
		},
		before: kept,
		isFound: false,
	},
	{
		name: "replaced",
		make: (path) => {
			linkSync(path, kept(path));
			writeFileSync(`${path}.new`, "");
			renameSync(`${path}.new`, path);
		},
		before: kept,
		isFound: false,
	},
	{
		name: "deleted with its folder",
		make: (path) => {
			linkSync(path, kept(path));
			renameSync(dirname(path), `${dirname(path)}.gone`);
			rmSync(`${dirname(path)}.gone`, { recursive: true });
		},
		before: kept,
		isFound: false,
	},
	{
		name: "in a folder that is moved and replaced by a link",
		make: (path) => {
			mkdirSync(`${dirname(path)}.new`);
			replaceFile(dirname(path), (at) => symlinkSync(`${dirname(path)}.new`, at));
		},
		before: (path) => join(`${dirname(path)}.1`, "app.log"),
		after: (path) => join(`${dirname(path)}.new`, "app.log"),
		isFound: false,
	},
];

test("outputs that are renamed, deleted or replaced have the next lines in the new file, none twice and none left out", {
	timeout,
}, async () => {
	const changing = changes.map((change, index) => ({ change, path: outputIn(`changing-${index}`) }));
	const work = await OutputWork.start([good, ...changing.map(({ path }) => path)]);
	for (const { change, path } of changing) change.make(path);
	for (const { path } of changing) await work.untilWritten(path);
	await work.finish();
	for (const { change, path } of changing) work.expectComplete(change.name, ...filesOf(change, path));
	work.expectComplete("not held up", good);
	expect(work.reports()).toBe("");
});

test("outputs that are renamed, deleted or replaced while the logman is killed leave out no line, and no file has one twice", {
	timeout,
}, async () => {
	const changing = changes.map((change, index) => ({ change, path: outputIn(`changing-${index}`) }));
	const work = await OutputWork.start([good, ...changing.map(({ path }) => path)]);
	const killing = sleep(Math.random() * 20).then(() => work.logman.kill());
	await sleep(Math.random() * 20);
	for (const { change, path } of changing) change.make(path);
	await killing;
	await work.startLogman();
	for (const { path } of changing) await work.untilWritten(path);
	await work.finish();
	for (const { change, path } of changing) {
		if (change.isFound) work.expectComplete(change.name, ...filesOf(change, path));
		else expectNoneLeftOut(work, change.name, filesOf(change, path));
	}
	work.expectComplete("not held up", good);
});

/** What was begun when the file went out of reach is written again: nobody can know how much of it is in the old one. */
function expectNoneLeftOut(work: OutputWork, name: string, files: readonly string[]): void {
	expect(work.audit(...files), name).toMatchObject({ disordered: 0, missing: 0, broken: [] });
	for (const file of files) expect(work.audit(file), name).toMatchObject({ repeated: 0, disordered: 0, broken: [] });
}

test.for(lives)(
	"an output that is emptied goes on at its new end, with every line logged from then on; the logman %s",
	{ timeout },
	async (life) => {
		const path = outputIn("emptied");
		const work = await OutputWork.start([good, path]);
		for (let round = 0; round < 20; round++) {
			truncateSync(path, 0);
			await sleep(20);
		}
		const counts = await work.counts();
		await work.goThrough(life);
		for (const file of work.files) await work.untilWritten(file);
		await work.finish();
		work.expectCompleteSince(counts, path);
		work.expectComplete("not held up", good);
		expect(work.reports()).toBe("");
	},
);

test("an output whose name is too long waits for good, and holds up nobody", { timeout }, async () => {
	const long = join(logs, "x".repeat(300));
	const work = await OutputWork.start([good, long, other], { unwatched: [long] });
	await work.untilParked(long);
	await work.untilWritten(good);
	expect(await work.flush(good)).toBe("flushed");
	expect(await work.flush(long)).toBe("PYLOG_OUTPUT_PARKED");
	expect(work.reportOf(long)).toContain("ENAMETOOLONG");
	await work.goThrough("is stopped and started");
	await work.untilWritten(other);
	await work.finish();
	for (const file of [good, other]) work.expectComplete("not held up", file);
	work.expectComplete("waiting", work.parkedFile(long));
});

test("an output that is /dev/null takes all lines and keeps none", { timeout }, async () => {
	const work = await OutputWork.start([good, "/dev/null"], { unwatched: ["/dev/null"] });
	expect(await work.flush("/dev/null")).toBe("flushed");
	expect((await work.status()).parked).toEqual([]);
	await work.finish();
	work.expectComplete("not held up", good);
	expect(work.reports()).toBe("");
});

test("a file that the logman's user may not write parks its lines when it is opened again, until he may", {
	timeout,
	skip: !isRoot,
}, async () => {
	const uid = 65_534;
	const path = outputIn("closed");
	for (const folder of [logs, dirname(path)]) chownSync(folder, uid, -1);
	const work = await OutputWork.start([good, path], { uid });
	chmodSync(path, 0o400);
	// A file that is open stays writable, whatever its mode.
	await work.untilWritten(path);
	await work.goThrough("is killed");
	await work.untilParked(path);
	await work.untilWritten(good);
	expect(work.reportOf(path)).toContain("EACCES");
	chmodSync(path, 0o600);
	await work.untilWritten(path);
	await work.finish();
	for (const file of work.files) work.expectComplete("made good", file);
});

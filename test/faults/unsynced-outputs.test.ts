/**
 * A disk that takes writes and fails to keep them: each sync fails, and what it was about is gone when memory is needed for
 * something else. Once syncs work again the file has every line.
 */
import { appendFileSync, readdirSync, readFileSync, renameSync, unlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { FaultyMount, faultyMountRefusal } from "../faulty-mount.ts";
import { temporaryDirectory } from "../temporary-directory.ts";
import { OutputWork } from "./output-work.ts";

const timeout = 180_000;

let mount: FaultyMount;
let failing: string;
let good: string;
let work: OutputWork;

async function failSyncs(): Promise<void> {
	await mount.fail("sync", "EIO", { loses: true });
	await work.untilParked(failing);
	expect(work.reportOf(failing)).toContain("EIO");
	expect(savedTails().length).toBeGreaterThan(0);
	await work.untilWritten(good);
	expect(await work.flush(good)).toBe("flushed");
}

/** @param evicts What is lost is gone at once, now and then, and not only in the end. */
async function failNowAndThen(evicts: boolean): Promise<void> {
	for (let round = 0; round < 15; round++) {
		await mount.fail("sync", "EIO", { loses: true });
		await sleep(Math.random() * 300);
		if (evicts && round % 3 === 0) await mount.evict();
		await mount.goOn();
		if (evicts && round % 2 === 0) await mount.evict();
		await sleep(Math.random() * 300);
	}
}

async function untilMadeGood(): Promise<void> {
	await work.untilWritten(failing);
	await work.finish();
	work.expectComplete("not held up", good);
	expect(readdirSync(parkedFolder())).toEqual([]);
}

/** What others had not synced is lost, and leaves zeros. Ours may have come behind it. */
function expectOursOnce(): void {
	const lines = readFileSync(failing, "utf8").split(/[\n\0]+/);
	const ours = join(temporaryDirectory(), "ours.log");
	writeFileSync(ours, lines.filter((line) => line !== "" && !line.startsWith("theirs")).join("\n"));
	expect(work.audit(ours)).toMatchObject({ missing: 0, repeated: 0, broken: [] });
}

function parkedFolder(): string {
	return dirname(work.parkedFile(failing));
}

function savedTails(): string[] {
	return readdirSync(parkedFolder()).filter((name) => name.endsWith(".tail"));
}

describe.skipIf(faultyMountRefusal !== undefined)(`on a mount (${faultyMountRefusal ?? "as root"})`, () => {
	beforeEach(async () => {
		mount = await FaultyMount.start();
		failing = join(mount.path, "failing.log");
		good = join(temporaryDirectory(), "good.log");
		work = await OutputWork.start([good, failing]);
	}, timeout);

	test.each([
		["the logman lives on", false],
		["the logman is killed again and again", true],
	])(
		"syncs that fail for seconds, and lose lines, hold up nobody and cost no line; %s",
		{ timeout },
		async (_, isKilled) => {
			await failSyncs();
			for (let round = 0; round < 6; round++) {
				await sleep(500);
				await mount.evict();
				if (isKilled) await work.goThrough("is killed");
			}
			// Saved once, not once for each sync that failed: the rest waits in its parked file.
			expect(savedTails().length).toBeLessThanOrEqual(isKilled ? 8 : 2);
			await work.untilWritten(good);
			await mount.evict();
			await mount.goOn();
			await untilMadeGood();
			work.expectComplete("made good", failing);
		},
	);

	test("a file that was renamed after its sync failed gets its lines under its new name", { timeout }, async () => {
		await failSyncs();
		renameSync(failing, `${failing}.1`);
		await mount.evict();
		await work.goThrough("is stopped and started");
		await mount.goOn();
		await untilMadeGood();
		work.expectComplete("made good", `${failing}.1`, failing);
		expect(savedTails()).toEqual([]);
	});

	test("a file that was removed after its sync failed is nobody's business any more", { timeout }, async () => {
		await failSyncs();
		unlinkSync(failing);
		await mount.goOn();
		await untilMadeGood();
		expect(work.audit(failing)).toMatchObject({ repeated: 0, disordered: 0, broken: [] });
	});

	test("a file that others write to has every line once, though its syncs failed", { timeout }, async () => {
		const theirs = setInterval(() => appendFileSync(failing, "theirs\n"), 5);
		await sleep(500);
		await failSyncs();
		clearInterval(theirs);
		await mount.evict();
		await mount.goOn();
		await untilMadeGood();
		expectOursOnce();
	});

	// They were found in memory while they were written again, not written for that, and gone when a sync had worked.
	test("a file that others write to has every line once, though syncs fail now and then", { timeout }, async () => {
		const theirs = setInterval(() => appendFileSync(failing, "theirs\n"), 2);
		onTestFinished(() => clearInterval(theirs));
		await failNowAndThen(false);
		clearInterval(theirs);
		await untilMadeGood();
		await mount.evict();
		expectOursOnce();
	});

	test("syncs that fail now and then cost no line", { timeout }, async () => {
		await failNowAndThen(true);
		await untilMadeGood();
		work.expectComplete("made good", failing);
		expect(savedTails()).toEqual([]);
	});
});

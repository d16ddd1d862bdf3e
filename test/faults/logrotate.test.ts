/**
 * The real logrotate turns log files over again and again while four producers log fast. Where it renames a file, every
 * line is in one of the files, once and in order. Where it copies the file and empties it, the lines are lost that came in
 * between: how many is measured here, and that the logman adds nothing to it.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { temporaryDirectory } from "../temporary-directory.ts";
import { isBackup, isLogrotateInstalled, LogRotation, mostRotations } from "./log-rotation.ts";
import { OutputWork } from "./output-work.ts";

const timeout = 600_000;
/** How often each file is turned over at least. */
const leastRotations = Number(process.env["PYLOG_TEST_ROTATIONS"] ?? 15);

test("logrotate is installed where the project is checked", ({ skip }) => {
	skip(process.env["CI"] !== "true", "asked for only where CI=true");
	expect(isLogrotateInstalled, "logrotate is missing: apt-get install logrotate").toBe(true);
});

interface Mode {
	readonly name: string;
	readonly directives: readonly string[];
	/** Words for logrotate. @default ["--force"] */
	readonly words?: readonly string[];
	/** Between two runs. @default 0 */
	readonly pauseMs?: number;
}

const renaming: readonly Mode[] = [
	{ name: "create", directives: ["create"] },
	{ name: "nocreate", directives: ["nocreate"] },
	{ name: "maxsize", directives: ["create", "monthly", "maxsize 20k"], words: [] },
	// Names of one second are the same, and logrotate leaves a file alone whose new name is taken.
	{ name: "dateext", directives: ["create", "dateext", "dateformat -%s"], pauseMs: 1000 },
	{ name: "delaycompress", directives: ["create", "compress", "delaycompress"] },
	{ name: "olddir", directives: ["create", "olddir old"] },
	{ name: "compress", directives: ["create", "compress"] },
];
const copying: Mode = { name: "copytruncate", directives: ["copytruncate"] };

interface Turned {
	readonly mode: Mode;
	readonly rotation: LogRotation;
	rotations: number;
}

/** Lets a logrotate for each mode run without a pause while there are lines, and the logman die now and then if it is to. */
async function turnOver(modes: readonly Mode[], isKilled: boolean): Promise<[OutputWork, readonly Turned[]]> {
	const turned = modes.map((mode) => ({ mode, rotation: new LogRotation(mode.directives), rotations: 0 }));
	const other = join(temporaryDirectory(), "other.log");
	const work = await OutputWork.start([other, ...turned.map(({ rotation }) => rotation.path)], {
		names: ["one", "two", "three", "four"],
		// A logman that lives for less than a second at a time must get through with what comes meanwhile.
		linesPerRound: isKilled ? 1 : 3,
		pauseMs: 5,
		// logrotate syncs, too: it would wait for the logman's.
		logmanOptions: { syncIntervalMs: 1000 },
	});
	const least = isKilled ? leastRotations / 3 : leastRotations;
	const isOver = (): boolean => turned.every(({ rotations }) => rotations >= least);
	const rotate = async (each: Turned): Promise<void> => {
		const { words = ["--force"], pauseMs = 0 } = each.mode;
		while (!isOver() && each.rotations < mostRotations) {
			if (await each.rotation.rotate(...words)) each.rotations += 1;
			await sleep(pauseMs);
		}
	};
	const kill = async (): Promise<void> => {
		while (isKilled && !isOver()) {
			await sleep(Math.random() * 700);
			await work.goThrough("is killed");
		}
	};
	await Promise.all([...turned.map(rotate), kill()]);
	await work.finish();
	work.expectComplete("not rotated", other);
	expect(work.reports()).toBe("");
	return [work, turned];
}

describe.skipIf(!isLogrotateInstalled)("logrotate", () => {
	test("that renames leaves every line in one of the files, once and in order", { timeout }, async () => {
		const [work, turned] = await turnOver(renaming, false);
		for (const { mode, rotation, rotations } of turned) {
			const files = rotation.files();
			const audit = work.audit(...files);
			work.expectComplete(mode.name, ...files);
			expect(audit, mode.name).toMatchObject({ repeated: 0, disordered: 0, broken: [] });
			const unasked = files.filter(isBackup);
			expect(files, mode.name).toHaveLength(rotations + 1 + unasked.length);
			console.info(
				`${mode.name}: ${rotations} rotations, ${audit.lines} lines, ${audit.missing} lost, ${unasked.length} unasked for`,
			);
		}
	});

	test("that renames, and the logman killed again and again: every line is in one of the files, once and in order", {
		timeout,
	}, async () => {
		const [work, turned] = await turnOver(renaming, true);
		for (const { mode, rotation, rotations } of turned) {
			const files = rotation.files();
			const audit = work.audit(...files);
			work.expectComplete(mode.name, ...files);
			expect(audit, mode.name).toMatchObject({ repeated: 0, disordered: 0, broken: [] });
			console.info(`${mode.name}: ${rotations} rotations, ${audit.lines} lines, ${audit.missing} lost, none repeated`);
		}
	});

	test.for([
		["lives on", false],
		["is killed again and again", true],
	] as const)(
		"that copies and empties loses the lines that come in between, and no others; the logman %s",
		{ timeout },
		async ([, isKilled]) => {
			const [work, turned] = await turnOver([copying], isKilled);
			const [{ rotation, rotations }] = turned as readonly [Turned];
			const files = rotation.files();
			const audit = work.audit(...files);
			expect(audit.disordered).toBe(0);
			// What was begun when a logman is killed may be in the copy, where nobody looks: it is written again.
			if (!isKilled) expect(audit.repeated).toBe(0);
			// A copy may end within a line; nothing else may be cut.
			expect(audit.broken.length).toBeLessThanOrEqual(rotations);
			for (const file of files) expect(readFileSync(file).includes(0)).toBe(false);
			console.info(
				`copytruncate: ${rotations} rotations, ${audit.lines} lines there, ` +
					`${audit.missing} lost, ${audit.broken.length} cut, ${audit.repeated} repeated`,
			);
		},
	);
});

/** `pylog verify`: is the spool whole? */

import { resolveCacheDir } from "../spool/cache-dir.ts";
import { visible } from "../shared/visible-text.ts";
import type { SpoolProblem } from "../spool/spool-problem.ts";
import { type SpoolReport, verifySpool } from "../spool/verify-spool.ts";
import { byteSize, counted } from "./byte-size.ts";
import { type ExitCode, exitCodes } from "./exit-code.ts";
import type { Flags } from "./flag-table.ts";
import { notice, print, printJson, styled } from "./terminal.ts";

export async function verify(flags: Flags): Promise<ExitCode> {
	const cacheDir = resolveCacheDir(flags.cacheDir);
	const report = verifySpool(cacheDir);
	if (report === undefined) {
		notice(`there is no spool at ${cacheDir}`);
		if (flags.json === true) await printJson({ cacheDir, exists: false });
		return exitCodes.failed;
	}
	await (flags.json === true ? printJson({ ...report, exists: true }) : print(describe(report)));
	return report.problems.length === 0 ? exitCodes.ok : exitCodes.failed;
}

function describe({
	cacheDir,
	producers,
	segments,
	records,
	checkpoints,
	parked,
	quarantine,
	problems,
}: SpoolReport): string {
	const { living, dead } = producers;
	const lines = [
		visible(cacheDir),
		`${counted(living, "living producer")}, ${dead} dead; ${counted(segments, "segment")} with ${counted(records, "record")}`,
		checkpoints.length === 0 ? "no checkpoint" : `checkpoint generation ${Math.max(...checkpoints)}`,
		...parked.map(({ output, bytes }) => `parked: ${byteSize(bytes)} of lines for ${visible(output)}`),
		...quarantine.map(({ path, bytes, reason }) =>
			visible(`in quarantine: ${path}, ${byteSize(bytes)}: ${reason ?? "no reason was written"}`),
		),
		...problems.map(describeProblem),
		problems.length === 0
			? styled("green", "no problem found")
			: styled("red", `${counted(problems.length, "problem")} found`),
	];
	return `${lines.join("\n")}\n`;
}

function describeProblem({ kind, path, offset, what, meaning, remedy }: SpoolProblem): string {
	const where = offset === undefined ? path : `${path}, byte ${offset}`;
	return [
		`${styled("red", `problem (${kind})`)}: ${visible(where)}`,
		visible(`  what     ${what}`),
		visible(`  meaning  ${meaning}`),
		visible(`  remedy   ${remedy}`),
	].join("\n");
}

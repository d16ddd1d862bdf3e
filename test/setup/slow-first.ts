/**
 * The order of the test files: those that take longest come first, else one of them runs alone in the end. Vitest knows
 * how long each took, but not in a fresh clone. In the list, files that compute stand between files that mostly wait.
 */
import { BaseSequencer, type TestSpecification } from "vitest/node";

const slowFiles: readonly string[] = [
	"faults/failing-calls",
	"faults/stalled-outputs",
	"faults/stopped-openers",
	"faults/crash-points",
	"faults/security-hostile-producer",
	"faults/corrupt-by-hand",
	"faults/stopped-producers",
	"faults/stalled-exits",
	"faults/power-loss",
	"faults/exit-paths",
	"faults/outputs",
	"faults/clocks-and-locks",
	"faults/full-disk",
	"platform/thread-mappings",
	"faults/unsynced-outputs",
	"faults/logrotate",
	"faults/stopped-groups",
	"logger/flush",
	"faults/outputs-fifo",
	"faults/storm",
	"faults/soak",
	"logger/exit",
	"launch/start-logman",
	"logman/recovery",
	"spool/full-policy",
	"examples/main-job",
	"spool/append-steps",
	"cli/drain",
];

export class SlowFirst extends BaseSequencer {
	override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
		const sorted = await super.sort(files);
		return sorted.toSorted((one, other) => rank(one) - rank(other));
	}
}

function rank({ moduleId }: TestSpecification): number {
	const at = slowFiles.findIndex((name) => moduleId.endsWith(`/test/${name}.test.ts`));
	return at < 0 ? slowFiles.length : at;
}

/** What a power failure may leave on the disk, at every moment of a small piece of work: see test/fixtures/faults/power.ts. */
import { expect, test } from "vitest";
import { runFaults } from "./run-faults.ts";

const seed = process.env["PYLOG_TEST_SEED"] ?? String(Date.now() % 1_000_000);

test(`what flush() acknowledged is in its file after a power failure, once (PYLOG_TEST_SEED=${seed})`, async () => {
	const { line, failures } = await runFaults("power", {
		short: { seed, images: "120" },
		long: { seed, images: "20000" },
	});
	expect(failures).toEqual([]);
	console.info(line);
}, 3_600_000);

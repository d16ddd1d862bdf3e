import { defineConfig } from "vitest/config";
import { SlowFirst } from "./test/setup/slow-first.ts";

export default defineConfig({
	test: {
		include: ["test/**/*.test.ts"],
		pool: "forks",
		// More than the two cores that these tests are made for: many wait for processes, pauses and deadlines.
		maxWorkers: 4,
		sequence: { sequencer: SlowFirst },
		testTimeout: 60_000,
		hookTimeout: 60_000,
		globalSetup: ["test/setup/build.ts"],
		setupFiles: ["test/setup/process-warnings.ts"],
	},
});

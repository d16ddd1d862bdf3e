/** What does a ring cost the producer, and how long does the sleeper take to wake? */
import { closeSync, openSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Doorbell } from "../src/platform/doorbell.ts";
import { Mapping } from "../src/platform/mapping.ts";
import { reserve } from "../src/platform/reserve.ts";
import { compare, median, print } from "./compare.ts";

const path = join(tmpdir(), `pylog-bench-${process.pid}`);
const fd = openSync(path, "w+");
reserve("test.step", fd, 4096);
const mapping = Mapping.map(fd, 4096);
closeSync(fd);
rmSync(path);
const doorbell = new Doorbell(mapping, 0);

compare("ring", {
	"nobody sleeps": () => doorbell.ring(),
	"somebody is said to sleep": () => {
		doorbell.prepare();
		doorbell.ring();
	},
});

const wakesMs: number[] = [];
for (let round = 0; round < 100; round++) {
	doorbell.prepare();
	const asleep = doorbell.sleep(1000);
	await sleep(5);
	const rungMs = performance.now();
	doorbell.ring();
	await asleep;
	wakesMs.push(performance.now() - rungMs);
}
print("from ring to awake", `${(median(wakesMs) * 1000).toFixed(0)} µs`);

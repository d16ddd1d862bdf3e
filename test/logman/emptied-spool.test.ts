/** A cache directory whose files are removed and made anew, while the directory itself stays: `rm -r queue/*`. */
import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { startFixture } from "../fixture-process.ts";
import { cacheDirectory, linesOf, untilLogman } from "../running-logman.ts";
import { temporaryDirectory } from "../temporary-directory.ts";

const calls = 60;
const patienceMs = 60_000;

// The logman went on with the removed control file: it wrote the new spool's lines as late, and flush() waited for ever.
test(
	"a spool that was emptied while its logman runs is served by another one, each line once",
	async () => {
		const cacheDir = cacheDirectory();
		const filename = join(temporaryDirectory(), "app.log");
		const logger = startFixture("logman-logger", JSON.stringify({ cacheDir, filename, format: "json" }));
		const ask = (command: string): Promise<string> => {
			logger.tell(command);
			return logger.line();
		};
		await logger.line();
		await ask("log 1 before");
		expect(await ask("flush")).toBe("flushed");
		const first = await untilLogman(cacheDir);
		for (const name of readdirSync(cacheDir)) rmSync(join(cacheDir, name), { recursive: true });
		// What is logged into the removed files is gone, and flush() says so. From then on the logger is in the new ones.
		await ask("log 1 lost");
		expect(await ask("flush")).toBe("PYLOG_SPOOL_GONE");
		for (let call = 0; call < calls; call++) {
			await ask("log 1 after");
			await sleep(20);
		}
		expect(await ask("flush")).toBe("flushed");
		await untilLogman(cacheDir, first);
		const lines = linesOf(filename).map((line) => JSON.parse(line) as { msg: string; late?: boolean });
		expect(lines.map(({ msg }) => msg).filter((msg) => msg.startsWith("after"))).toEqual(
			Array.from({ length: calls }, (_, index) => `after ${index + 3}`),
		);
		expect(lines.filter(({ late }) => late === true)).toEqual([]);
	},
	patienceMs,
);

/**
 * Whatever stands in the place of a file or folder of the spool: it is refused with an error that names it and the remedy,
 * or does no harm. What a link leads to is never changed, nothing waits for a FIFO, and an application that logs goes on.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { ControlFile } from "../../src/spool/control-file.ts";
import { fixturePath, startFixture } from "../fixture-process.ts";
import { cacheDirectory } from "../running-logman.ts";
import { temporaryDirectory } from "../temporary-directory.ts";

const isRoot = process.geteuid?.() === 0;
const slowMs = 600_000;

interface Failure {
	readonly code: string;
	readonly message: string;
}

interface Case {
	readonly name: string;
	readonly kind: string;
	readonly path: string;
	readonly existing: "ok" | Failure;
	readonly making: "ok" | Failure;
	readonly logman: "ok" | Failure;
	readonly status: "ok" | Failure;
	readonly verify: "ok" | Failure;
	readonly isVerified: boolean;
	readonly found: readonly string[];
	readonly lines: readonly string[];
	readonly isSame: boolean;
}

/** What is taken away or set aside before anybody uses it: nothing for verify to find. */
const passing = /\.new$|^inbox\/normal\/message|^quarantine\/|^producers\/9/;
/** Whoever takes the producers' folder away takes with it what was logged there. */
const takesLinesAway = /^producers (?:.*folder|directory)$/;

/** What a logger says whose folder is gone: it goes on in a new one. */
const movedAway = /^\(.*(?:PylogWarning: The cache directory \S+ was removed or moved|--trace-warnings).*\n/gm;

function expectNamed(outcome: "ok" | Failure, path: string): void {
	if (outcome === "ok") return;
	expect(outcome.code).toMatch(/^PYLOG_SPOOL_/);
	expect(outcome.message).toContain(path);
	expect(outcome.message).toMatch(/Remedy: |End those processes|See `pylog verify`/);
}

test(
	"what is planted in the place of any file or folder is refused with its path, or harmless, and no target is changed",
	() => {
		const directory = temporaryDirectory();
		const { stdout, stderr, status } = spawnSync(process.execPath, [fixturePath("hostile-planter"), directory], {
			encoding: "utf8",
			timeout: slowMs / 2,
			maxBuffer: 64 * 1024 * 1024,
		});
		const cases = stdout
			.split("\n")
			.slice(0, -1)
			.map((line) => JSON.parse(line) as Case);
		const errors = stderr.replaceAll(movedAway, "");
		expect({ status, errors, last: status === 0 ? "" : cases.at(-1) }).toMatchObject({ status: 0, errors: "" });
		expect(cases.length).toBeGreaterThan(300);
		for (const each of cases) {
			const { name, kind, path } = each;
			try {
				expect(each.isSame).toBe(true);
				expect(each.existing).toBe("ok");
				for (const outcome of [each.making, each.logman, each.status, each.verify]) expectNamed(outcome, path);
				if (each.logman === "ok" && !takesLinesAway.test(`${name} ${kind}`)) {
					expect(each.lines).toEqual(["before", "with it"]);
				}
				if (each.isVerified && !passing.test(name)) expect(each.found).toContain(path);
			} catch (cause) {
				throw new Error(`with a ${kind} in the place of ${name}`, { cause });
			}
		}
		console.info(`${cases.length} things planted, ${cases.filter(({ logman }) => logman !== "ok").length} refused`);
	},
	slowMs,
);

test.each(["logman.starting", "logman.starting.said"])("a logman is not started over a planted %s", async (name) => {
	const cacheDir = cacheDirectory();
	ControlFile.open(cacheDir).close();
	const target = join(temporaryDirectory(), "target");
	// A new spool has these names from its start.
	rmSync(join(cacheDir, name));
	symlinkSync(target, join(cacheDir, name));
	const said = JSON.parse(await startFixture("logman-starter", cacheDir).line()) as Failure;
	expect(said.code).toBe("PYLOG_SPOOL_UNSAFE");
	expect(said.message).toContain(join(cacheDir, name));
	expect(existsSync(target)).toBe(false);
});

test("a cache directory that is a link, a file, or a FIFO is refused with the remedy", () => {
	const directory = temporaryDirectory();
	mkdirSync(join(directory, "real"), { mode: 0o700 });
	symlinkSync(join(directory, "real"), join(directory, "link"));
	symlinkSync(join(directory, "nothing"), join(directory, "dangling"));
	writeFileSync(join(directory, "file"), "");
	execFileSync("mkfifo", [join(directory, "fifo")]);
	for (const name of ["link", "dangling", "file", "fifo"]) {
		const error = expect.objectContaining({
			code: "PYLOG_SPOOL_UNSAFE",
			message: expect.stringMatching(/Remedy: remove it or choose another cacheDir/) as string,
		}) as Error;
		expect(() => ControlFile.open(join(directory, name))).toThrow(error);
	}
	expect(readdirSync(join(directory, "real"))).toEqual([]);
});

test("a spool below a folder like /tmp works, and one that all may write to is refused", () => {
	const directory = join(temporaryDirectory(), "tmp");
	mkdirSync(directory);
	chmodSync(directory, 0o1777);
	ControlFile.open(join(directory, "pylog")).close();
	expect(() => ControlFile.open(directory)).toThrow(`name a directory in it, such as '${directory}/pylog'`);
});

test.runIf(isRoot)("a link on the way that somebody else planted where all may write is refused", () => {
	const directory = join(temporaryDirectory(), "tmp");
	const elsewhere = temporaryDirectory();
	mkdirSync(directory);
	chmodSync(directory, 0o1777);
	const plant = (name: string, owner: number): string => {
		symlinkSync(elsewhere, join(directory, name));
		execFileSync("chown", ["-h", String(owner), join(directory, name)]);
		return join(directory, name, "pylog");
	};
	const foreign = plant("foreign", 12_345);
	symlinkSync(join(directory, "foreign"), join(elsewhere, "to-foreign"));
	for (const path of [foreign, join(elsewhere, "to-foreign", "pylog")]) {
		expect(() => ControlFile.open(path)).toThrow(`the way leads through ${join(directory, "foreign")}`);
	}
	expect(readdirSync(elsewhere)).toEqual(["to-foreign"]);
	// Our own link there, and somebody's where not all may write, are as good as the folder they lead to.
	ControlFile.open(plant("own", process.geteuid?.() ?? 0)).close();
	chmodSync(directory, 0o755);
	ControlFile.open(foreign).close();
});

test.runIf(isRoot)("another user can neither use nor read a spool", () => {
	const directory = temporaryDirectory();
	chmodSync(directory, 0o755);
	const cacheDir = join(directory, "spool");
	ControlFile.open(cacheDir).close();
	const asOther = (script: string): string => {
		const words = ["--reuid", "12345", "--regid", "12345", "--clear-groups", process.execPath, "-e", script];
		return spawnSync("setpriv", words, { encoding: "utf8", cwd: "/" }).stdout.trim();
	};
	const entry = new URL("../../dist/index.js", import.meta.url).href;
	const make = `import(${JSON.stringify(entry)}).then(({ pylog }) => pylog({ cacheDir: ${JSON.stringify(cacheDir)} }))`;
	expect(asOther(`${make}.catch((error) => console.log(error.code))`)).toMatch(/^PYLOG_SPOOL_UN(SAFE|USABLE)$/);
	expect(asOther(`require("fs").readdir(${JSON.stringify(cacheDir)}, (e) => console.log(e.code))`)).toBe("EACCES");
	// The other way round: root does not use a spool of somebody else's, who could change it at any time.
	chownSync(cacheDir, 12_345, 12_345);
	expect(() => ControlFile.open(cacheDir)).toThrow("it belongs to user 12345");
});

import { execFileSync } from "node:child_process";
import {
	chmodSync,
	chownSync,
	closeSync,
	linkSync,
	mkdirSync,
	readdirSync,
	statSync,
	symlinkSync,
	writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { ensureOwnedDirectory, openOwnedFile } from "../../src/platform/owned-files.ts";
import { temporaryDirectory } from "../temporary-directory.ts";

const isRoot = process.geteuid?.() === 0;
const unsafe = (what: string): Error =>
	expect.objectContaining({
		code: "PYLOG_SPOOL_UNSAFE",
		message: expect.stringContaining(what) as string,
	}) as Error;

describe("ensureOwnedDirectory", () => {
	it("makes a private folder with its parents, and makes it once more without harm", () => {
		const path = join(temporaryDirectory(), "a", "b");
		ensureOwnedDirectory("test.step", path);
		ensureOwnedDirectory("test.step", path);
		expect(statSync(path).mode & 0o777).toBe(0o700);
		expect(statSync(join(path, "..")).mode & 0o777).toBe(0o700);
	});

	it("closes an empty folder of ours that is open to others, and refuses one with content", () => {
		const path = join(temporaryDirectory(), "open");
		mkdirSync(path);
		chmodSync(path, 0o755);
		ensureOwnedDirectory("test.step", path);
		expect(statSync(path).mode & 0o777).toBe(0o700);
		writeFileSync(join(path, "planted"), "");
		chmodSync(path, 0o750);
		expect(() => ensureOwnedDirectory("test.step", path)).toThrow(unsafe("mode 750"));
	});

	it("refuses a link and a file", () => {
		const directory = temporaryDirectory();
		mkdirSync(join(directory, "real"), { mode: 0o700 });
		symlinkSync(join(directory, "real"), join(directory, "link"));
		writeFileSync(join(directory, "file"), "");
		expect(() => ensureOwnedDirectory("test.step", join(directory, "link"))).toThrow(unsafe("symbolic link"));
		expect(() => ensureOwnedDirectory("test.step", join(directory, "file"))).toThrow(unsafe("not a directory"));
	});

	it.runIf(isRoot)("refuses a folder of somebody else", () => {
		const path = join(temporaryDirectory(), "foreign");
		mkdirSync(path, { mode: 0o700 });
		chownSync(path, 12_345, 12_345);
		expect(() => ensureOwnedDirectory("test.step", path)).toThrow(unsafe("12345"));
	});
});

describe("openOwnedFile", () => {
	it("makes a file of mode 0600, whatever the umask allows", () => {
		const path = join(temporaryDirectory(), "file");
		const before = process.umask(0);
		try {
			closeSync(openOwnedFile("test.step", path, "missing"));
		} finally {
			process.umask(before);
		}
		expect(statSync(path).mode & 0o777).toBe(0o600);
	});

	it("creates as it is told", () => {
		const path = join(temporaryDirectory(), "file");
		closeSync(openOwnedFile("test.step", path, "exclusive"));
		expect(() => openOwnedFile("test.step", path, "exclusive")).toThrow("EEXIST");
		closeSync(openOwnedFile("test.step", path, "missing"));
		closeSync(openOwnedFile("test.step", path, "missing"));
	});

	it("refuses links, dangling ones too, and creates nothing through them", () => {
		const directory = temporaryDirectory();
		symlinkSync(join(directory, "elsewhere"), join(directory, "link"));
		expect(() => openOwnedFile("test.step", join(directory, "link"), "missing")).toThrow(unsafe("symbolic link"));
		expect(readdirSync(directory)).toEqual(["link"]);
	});

	it("refuses what is no regular file, without waiting and without keeping a descriptor", () => {
		const directory = temporaryDirectory();
		execFileSync("mkfifo", ["-m", "600", join(directory, "fifo")]);
		writeFileSync(join(directory, "open"), "", { mode: 0o600 });
		chmodSync(join(directory, "open"), 0o644);
		const before = readdirSync("/proc/self/fd").length;
		for (let time = 0; time < 10; time++) {
			expect(() => openOwnedFile("test.step", join(directory, "fifo"), "missing")).toThrow(
				unsafe("not a regular file"),
			);
			expect(() => openOwnedFile("test.step", join(directory, "open"), "missing")).toThrow(unsafe("mode 644"));
		}
		expect(readdirSync("/proc/self/fd").length).toBe(before);
	});

	it("refuses a file with a second name, a socket and a directory, and says what they are", async () => {
		const directory = temporaryDirectory();
		writeFileSync(join(directory, "file"), "", { mode: 0o600 });
		linkSync(join(directory, "file"), join(directory, "hard"));
		mkdirSync(join(directory, "folder"));
		const server = createServer();
		await new Promise<void>((resolve) => server.listen(join(directory, "socket"), resolve));
		onTestFinished(() => new Promise<void>((resolve) => server.close(() => resolve())));
		const open = (name: string) => () => openOwnedFile("test.step", join(directory, name), "missing");
		expect(open("hard")).toThrow(unsafe("2 names"));
		expect(open("folder")).toThrow(unsafe("a directory"));
		expect(open("socket")).toThrow(unsafe("not a regular file"));
	});

	it.runIf(isRoot)("refuses a file of somebody else", () => {
		const path = join(temporaryDirectory(), "foreign");
		writeFileSync(path, "", { mode: 0o600 });
		chownSync(path, 12_345, 12_345);
		expect(() => openOwnedFile("test.step", path, "missing")).toThrow(unsafe("user 12345"));
	});
});

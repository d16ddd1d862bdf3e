import { execFileSync } from "node:child_process";
import {
	closeSync,
	constants,
	linkSync,
	mkdirSync,
	readdirSync,
	readFileSync,
	renameSync,
	statSync,
	symlinkSync,
	writeFileSync,
	writeSync,
} from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { PylogError } from "../../../src/shared/errors.ts";
import { isBelowRoots, openWithinRoots, statWithinRoots } from "../../../src/sinks/file/rooted-path.ts";
import { startFixture } from "../../fixture-process.ts";
import { temporaryDirectory } from "../../temporary-directory.ts";

const append = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT;
const isRoot = process.geteuid?.() === 0;

let root: string;
let outside: string;

beforeEach(() => {
	root = join(temporaryDirectory(), "root");
	outside = temporaryDirectory();
	mkdirSync(root);
});

async function write(path: string, text = "line\n", roots = [root]): Promise<readonly string[]> {
	const { fd, newIn } = await openWithinRoots(roots, path, append, 0o640);
	writeSync(fd, text);
	closeSync(fd);
	return newIn;
}

async function refusal(path: string, roots = [root]): Promise<unknown> {
	const before = readdirSync("/proc/self/fd").length;
	const error = await write(path, "line\n", roots).catch((cause: unknown) => cause);
	expect(readdirSync("/proc/self/fd").length).toBe(before);
	return error instanceof PylogError ? `${error.code} ${String(error.details["reason"])}` : error;
}

describe("isBelowRoots", () => {
	it.each([
		["/logs/app.log", true],
		["/logs/a/b/app.log", true],
		["/logs//a/./app.log", true],
		["//logs/app.log", true],
		["/logs", false],
		["/logs/", false],
		["/logs/a/", false],
		["/logs/.", false],
		["/logsapp.log", false],
		["/logs-2/app.log", false],
		["/logs/../etc/passwd", false],
		["/logs/a/../app.log", false],
		["/logs/a/..", false],
		["/var/other/app.log", true],
		["/var/app.log", false],
		["logs/app.log", false],
		["", false],
		["/logs/a\0b", false],
		["/proc/self/root/logs/app.log", false],
		["/logs/..app/..log", true],
	])("%j: %j", (path, expected) => {
		expect(isBelowRoots(["/logs", "/var/other/"], path)).toBe(expected);
	});

	it("takes every path without '..' below the root of all", () => {
		expect(isBelowRoots(["/"], "/etc/app.log")).toBe(true);
		expect(isBelowRoots(["/"], "/")).toBe(false);
	});
});

describe("openWithinRoots", () => {
	it("makes the file with its folders, tells where something new stands, and appends the next time", async () => {
		const path = join(root, "a", "b", "app.log");
		expect(await write(path, "one\n")).toEqual([root, join(root, "a"), join(root, "a", "b")]);
		expect(await write(path, "two\n")).toEqual([]);
		expect(readFileSync(path, "utf8")).toBe("one\ntwo\n");
		expect(statSync(path).mode & 0o777 & ~0o640).toBe(0);
		expect(statSync(join(root, "a")).mode & 0o777 & ~0o750).toBe(0);
	});

	it("makes nothing without O_CREAT", async () => {
		const opening = openWithinRoots([root], join(root, "a", "app.log"), constants.O_RDONLY, 0);
		await expect(opening).rejects.toThrow("ENOENT");
		expect(readdirSync(root)).toEqual([]);
	});

	it("follows links on the way to a root, for the root is trusted", async () => {
		symlinkSync(root, join(outside, "link"));
		await write(join(outside, "link", "app.log"), "line\n", [join(outside, "link")]);
		expect(readdirSync(root)).toEqual(["app.log"]);
	});

	it("refuses what is outside by its text", async () => {
		expect(await refusal(join(outside, "app.log"))).toBe("PYLOG_OUTPUT_REFUSED it is outside of the logman's roots");
		expect(await refusal(`${root}/a/../../app.log`)).toContain("outside");
		expect(readdirSync(outside)).toEqual([]);
	});

	it("refuses a link in the place of the file, dangling or not, and in any place on the way", async () => {
		writeFileSync(join(outside, "target"), "mine");
		symlinkSync(join(outside, "target"), join(root, "file.log"));
		symlinkSync(join(outside, "missing"), join(root, "dangling.log"));
		symlinkSync(outside, join(root, "folder"));
		mkdirSync(join(root, "a"));
		symlinkSync("../../", join(root, "a", "up"));
		expect(await refusal(join(root, "file.log"))).toContain("it is a symbolic link");
		expect(await refusal(join(root, "dangling.log"))).toContain("it is a symbolic link");
		expect(await refusal(join(root, "folder", "new.log"))).toContain("a symbolic link, folder");
		expect(await refusal(join(root, "a", "up", "new.log"))).toContain("a symbolic link, up");
		expect(readdirSync(outside)).toEqual(["target"]);
		expect(readFileSync(join(outside, "target"), "utf8")).toBe("mine");
	});

	it("refuses a file with a second name", async () => {
		writeFileSync(join(outside, "target"), "mine");
		try {
			linkSync(join(outside, "target"), join(root, "app.log"));
		} catch {
			linkSync(join(root, "..", "target"), join(root, "app.log"));
		}
		expect(await refusal(join(root, "app.log"))).toBe("PYLOG_OUTPUT_REFUSED it has 2 names (hard links)");
		await expect(statWithinRoots([root], join(root, "app.log"))).rejects.toThrow("2 names");
		expect(readFileSync(join(outside, "target"), "utf8")).toBe("mine");
	});

	it("refuses a FIFO without waiting for it, also one with a reader", async () => {
		execFileSync("mkfifo", [join(root, "fifo")]);
		expect(await refusal(join(root, "fifo"))).toContain("no regular file");
	});

	it.runIf(isRoot)("refuses a device without opening it", async () => {
		execFileSync("mknod", [join(root, "null"), "c", "1", "3"]);
		expect(await refusal(join(root, "null"))).toContain("no regular file");
	});

	it("refuses the links of /proc where a root is that wide", async () => {
		expect(await refusal("/proc/self/fd/1", ["/"])).toContain("a symbolic link, self");
		expect(await refusal(`/proc/${process.pid}/fd/1`, ["/"])).toContain("it is a symbolic link");
		expect(await refusal(`/proc/${process.pid}/cwd/app.log`, ["/"])).toContain("a symbolic link, cwd");
	});

	it("lets the file system speak where something is merely in the way", async () => {
		mkdirSync(join(root, "folder.log"));
		writeFileSync(join(root, "file"), "");
		expect(String(await refusal(join(root, "folder.log")))).toContain("EISDIR");
		expect(String(await refusal(join(root, "file", "app.log")))).toContain("ENOTDIR");
		expect(String(await refusal(join(root, "x".repeat(300))))).toContain("ENAMETOOLONG");
	});

	it("tells what stands at a path, and undefined for nothing", async () => {
		await write(join(root, "app.log"));
		expect((await statWithinRoots([root], join(root, "app.log")))?.size).toBe(5);
		expect(await statWithinRoots([root], join(root, "a", "b.log"))).toBeUndefined();
		expect(readdirSync(root)).toEqual(["app.log"]);
	});

	it("stays in its root while somebody swaps a folder on the way for a link, as fast as they can", async () => {
		const folder = join(root, "a", "b");
		mkdirSync(folder, { recursive: true });
		mkdirSync(join(outside, "c"));
		const swapper = startFixture("hostile-swapper", folder, outside);
		await swapper.line();
		const outcomes = new Map<string, number>();
		for (let time = 0; time < 4000; time++) {
			const outcome = await write(join(folder, "c", `${time % 7}.log`)).then(
				() => "written",
				(error: unknown) => (error instanceof PylogError ? error.code : (error as NodeJS.ErrnoException).code),
			);
			outcomes.set(outcome ?? "?", (outcomes.get(outcome ?? "?") ?? 0) + 1);
		}
		swapper.tell("enough");
		expect(Number(await swapper.line())).toBeGreaterThan(10);
		expect(readdirSync(join(outside, "c"))).toEqual([]);
		expect(readdirSync(outside)).toEqual(["c"]);
		expect(outcomes.get("written")).toBeGreaterThan(0);
		expect(outcomes.get("PYLOG_OUTPUT_REFUSED")).toBeGreaterThan(0);
	});
});

it("a root that was moved away holds no file that was meant for it", async () => {
	renameSync(root, `${root}.aside`);
	expect(String(await refusal(join(root, "app.log")))).toContain("ENOENT");
	expect(readdirSync(`${root}.aside`)).toEqual([]);
});

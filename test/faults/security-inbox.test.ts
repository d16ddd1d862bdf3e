/**
 * The inbox takes files from programs of any kind: floods of them, bombs, what is no message at all, and what can't be taken
 * away. Lines of others keep flowing, memory stays bounded, each message is logged once, and what is none is kept with its
 * reason.
 */
import { execFileSync, spawnSync } from "node:child_process";
import {
	chownSync,
	closeSync,
	ftruncateSync,
	linkSync,
	mkdirSync,
	openSync,
	readdirSync,
	readFileSync,
	symlinkSync,
	writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { beforeEach, expect, onTestFinished, test } from "vitest";
import { LogQueue } from "../../src/logger/log-queue.ts";
import { ControlFile } from "../../src/spool/control-file.ts";
import { Inbox } from "../../src/spool/inbox.ts";
import { type SpoolPaths, spoolPaths } from "../../src/spool/paths.ts";
import { Quarantine } from "../../src/spool/quarantine.ts";
import { fixturePath, startFixture } from "../fixture-process.ts";
import { LineWriter } from "../line-writer.ts";
import { cacheDirectory, drain, linesOf, until } from "../running-logman.ts";
import { temporaryDirectory } from "../temporary-directory.ts";

const slowMs = 240_000;
/** A hundred thousand took 78 seconds on a machine that had much other work. */
const flood = Number(process.env["PYLOG_TEST_FLOOD"] ?? 30_000);
const maxMemoryKib = 400 * 1024;
const isRoot = process.geteuid?.() === 0;

let cacheDir: string;
let paths: SpoolPaths;
let folder: string;
let output: string;

beforeEach(() => {
	cacheDir = cacheDirectory();
	paths = spoolPaths(cacheDir);
	ControlFile.open(cacheDir).close();
	folder = join(paths.inbox, "normal");
	output = join(temporaryDirectory(), "app.log");
});

function peakMemoryKib(pid: number): number {
	return Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);
}

function put(name: string | Buffer, text: string | Buffer, inFolder = folder): void {
	const path = typeof name === "string" ? join(inFolder, name) : Buffer.concat([Buffer.from(`${inFolder}/`), name]);
	writeFileSync(path, text, { mode: 0o600 });
}

function message(msg: string): string {
	return JSON.stringify({ msg, logTo: output });
}

/** Of what is kept; one that is being written at this moment is not told yet. */
function reasons(): string[] {
	return new Quarantine(paths.quarantine).list().flatMap(({ reason }) => reason ?? []);
}

test(
	"a flood of messages delays the lines of others by little, and each is logged once",
	async () => {
		let source = "";
		for (let index = 0; index < flood; index++) {
			// Many names of few files: another name is another message, and made much faster.
			if (index % 10_000 === 0) {
				source = join(paths.inbox, "tmp", `source-${index}`);
				writeFileSync(source, message("flood"), { mode: 0o600 });
			}
			linkSync(source, join(folder, `flood-${index}`));
		}
		const other = join(temporaryDirectory(), "other.log");
		using writer = new LineWriter(cacheDir);
		const logman = startFixture("logman-process", cacheDir);
		await logman.line();
		const waiting: number[] = [];
		for (let line = 0; line < 20; line++) {
			writer.write(other, `line ${line}`);
			await until(() => linesOf(other).length > line);
			waiting.push(readdirSync(folder).length);
		}
		// All of them came while most of the flood was still to be taken.
		expect(waiting.at(-1)).toBeGreaterThan(flood / 10);
		// Not looked at more often: that would hold up whoever removes them.
		while (readdirSync(folder).length > 0) await sleep(500);
		logman.process.kill("SIGTERM");
		const peakKib = peakMemoryKib(logman.pid);
		expect(await logman.line()).toBe("left");
		expect(linesOf(output)).toHaveLength(flood);
		expect(peakKib).toBeLessThan(maxMemoryKib);
		console.info(`${flood} messages, peak ${Math.round(peakKib / 1024)} MiB; 20 lines with ${waiting.at(-1)} to go`);
	},
	slowMs,
);

/** A file that claims a tebibyte and takes no space. */
function putSparse(name: string): void {
	const fd = openSync(join(folder, name), "w", 0o600);
	ftruncateSync(fd, 2 ** 40);
	closeSync(fd);
}

const mebibytes = 1024 * 1024;

test(
	"bombs and what is no message go to quarantine with a reason, and hold up neither messages nor lines",
	async () => {
		const server = createServer();
		await new Promise<void>((resolve) => server.listen(join(folder, "socket"), resolve));
		onTestFinished(() => new Promise<void>((resolve) => server.close(() => resolve())));
		put("01-deep", `{"msg":${"[".repeat(1_000_000)}${"]".repeat(1_000_000)},"logTo":"${output}"}`);
		put("02-deep-objects", `{"msg":${'{"a":'.repeat(1_000_000)}1${"}".repeat(1_000_000)},"logTo":"${output}"}`);
		const keys = Array.from({ length: 1_000_000 }, (_, index) => `"k${index}":1`).join(",");
		put("03-keys", `{${keys},"msg":"m","logTo":"${output}"}`);
		put("04-number", `{"msg":"m","logTo":"${output}","time":1e999}`);
		put("05-long-number", `{"msg":"m","logTo":"${output}","time":${"9".repeat(1_000_000)}}`);
		put("06-proto", `{"__proto__":{"msg":"m"},"constructor":1,"logTo":"${output}"}`);
		put("07-own-proto", `{"msg":"m","__proto__":1,"logTo":"${output}"}`);
		put("08-half", message("m").slice(0, -3));
		put("09-utf-16", Buffer.from(message("m"), "utf16le"));
		put("10-no-utf-8", Buffer.from([0x7b, 0xff, 0xfe, 0x7d]));
		put("11-array", `[${message("m")}]`);
		put("12-relative", `{"msg":"m","logTo":"relative.log"}`);
		put("13-zeros", Buffer.alloc(16 * mebibytes));
		put("14-quotes", '"'.repeat(16 * mebibytes));
		put("15-escapes", `{"msg":"${"\\u0000".repeat(2 * mebibytes)}","x":1}`);
		put("16-too-large", Buffer.alloc(17 * mebibytes, 0x20));
		putSparse("17-sparse");
		execFileSync("mkfifo", [join(folder, "18-fifo")]);
		mkdirSync(join(folder, "19-directory", "in it"), { recursive: true });
		symlinkSync("/etc/passwd", join(folder, "20-link"));
		symlinkSync("/dev/zero", join(folder, "21-link-to-zeros"));
		put("22\u001b[2J\n\u202e", "{");
		put(Buffer.from([0x32, 0x33, 0xff, 0xfe, 0x0a]), "{");
		put("2".repeat(255), "{");
		const bad = readdirSync(folder).length;
		// What is unusual and a message all the same.
		put("30-twice", `{"msg":"first","msg":"the last one counts","logTo":"${output}"}`);
		put("31-large", message("L".repeat(15 * mebibytes)));
		put(Buffer.from([0x33, 0xff]), message("name that is no UTF-8"));
		put(`3\n\u001b${"3".repeat(200)}`, message("name with escapes"));
		put("33-bom", `\ufeff${message("with a byte order mark")}`);
		put("zz-last", message("last"));
		const other = join(temporaryDirectory(), "other.log");
		using writer = new LineWriter(cacheDir);
		const logman = startFixture("logman-process", cacheDir);
		await logman.line();
		writer.write(other, "a line");
		await until(() => linesOf(other).length === 1);
		await until(() => linesOf(output).length === 6 && readdirSync(folder).length === 0);
		const peakKib = peakMemoryKib(logman.pid);
		logman.process.kill("SIGTERM");
		expect(await logman.line()).toBe("left");
		expect(linesOf(output).map((line) => line.slice(0, 30))).toEqual(
			expect.arrayContaining([
				"the last one counts",
				"name that is no UTF-8",
				"name with escapes",
				"with a byte order mark",
				"last",
			]),
		);
		expect(reasons()).toHaveLength(bad);
		expect(reasons().join("\n")).toMatch(/1099511627776 bytes/);
		expect(peakKib).toBeLessThan(2 * maxMemoryKib);
		console.info(`${bad} bombs, peak ${Math.round(peakKib / 1024)} MiB`);
	},
	slowMs,
);

test("a hundred of the largest messages there can be delay a line by no more than a few of them", async () => {
	const source = join(paths.inbox, "tmp", "source");
	writeFileSync(source, `{"msg":[${"1,".repeat(8 * mebibytes - 100)}1]}`, { mode: 0o600 });
	for (let index = 0; index < 100; index++) linkSync(source, join(folder, `large-${index}`));
	const other = join(temporaryDirectory(), "other.log");
	using writer = new LineWriter(cacheDir);
	const logman = startFixture("logman-process", cacheDir);
	await logman.line();
	writer.write(other, "a line");
	await until(() => linesOf(other).length === 1);
	expect(readdirSync(folder).length).toBeGreaterThan(50);
	expect(peakMemoryKib(logman.pid)).toBeLessThan(3 * maxMemoryKib);
});

test("a file that is written while it is read is never logged as a mixture", async () => {
	const logman = startFixture("logman-process", cacheDir);
	await logman.line();
	const senders = ["one", "two"].map((name) => startFixture("hostile-sender", join(folder, name), output));
	for (const sender of senders) await sender.line();
	await until(() => linesOf(output).length > 3 || reasons().length > 3);
	for (const sender of senders) {
		sender.tell("enough");
		await sender.line();
	}
	await until(() => readdirSync(folder).length === 0);
	logman.process.kill("SIGTERM");
	expect(await logman.line()).toBe("left");
	const lengths = new Set(linesOf(output).map((line) => (/^(a+|b+)$/.test(line) ? line.length : line.slice(0, 50))));
	expect([...lengths].filter((each) => each !== 200_000)).toEqual([]);
});

test.runIf(isRoot)("a message of another user is kept, not logged; one of root is logged for anybody", async () => {
	put("foreign", message("foreign"));
	chownSync(join(folder, "foreign"), 12_345, 12_345);
	put("own", message("own"));
	await drain(cacheDir);
	expect(linesOf(output)).toEqual(["own"]);
	expect(reasons()).toEqual([expect.stringContaining("it belongs to user 12345")]);
});

/** Whether files can be made immutable here; that needs root, and a file system that knows it. */
function canFreeze(): boolean {
	const path = join(temporaryDirectory(), "probe");
	writeFileSync(path, "");
	const isFrozen = spawnSync("chattr", ["+i", path]).status === 0;
	spawnSync("chattr", ["-i", path]);
	return isFrozen;
}

/** Makes files immutable, until the end of the test at the latest. */
function freeze(names: readonly string[]): void {
	const files = names.map((name) => join(folder, name));
	onTestFinished(() => void spawnSync("chattr", ["-f", "-i", ...files]));
	execFileSync("chattr", ["+i", ...files]);
}

test("a message whose file can't be removed is logged once, whoever comes next", async (context) => {
	context.skip(!canFreeze(), "files can't be made immutable here");
	put("frozen", message("frozen"));
	put("bad", "{");
	freeze(["frozen", "bad"]);
	put("usual", message("usual"));
	for (let time = 0; time < 3; time++) {
		await drain(cacheDir);
		expect(linesOf(output).sort()).toEqual(["frozen", "usual"]);
	}
	expect(readdirSync(folder).sort()).toEqual(["bad", "frozen"]);
	const reports = readFileSync(paths.errorLog, "utf8");
	expect(reports).toContain("remove a message of the inbox that is in the queue");
	expect(reports).toContain("move a message of the inbox to quarantine/");
	expect(readFileSync(paths.taken, "utf8")).toContain("frozen:");
	execFileSync("chattr", ["-i", join(folder, "frozen"), join(folder, "bad")]);
	await drain(cacheDir);
	expect(readdirSync(folder)).toEqual([]);
	expect(linesOf(output)).toHaveLength(2);
	await drain(cacheDir);
	expect(readdirSync(cacheDir)).not.toContain("inbox.taken");
});

test("a file that can't be removed is handed out by LogQueue.get once, and hides none behind it", (context) => {
	context.skip(!canFreeze(), "files can't be made immutable here");
	put("1-frozen", message("frozen"));
	freeze(["1-frozen"]);
	put("2-usual", message("usual"));
	const take = (): (string | undefined)[] => {
		using queue = new LogQueue(cacheDir);
		return [1, 2, 3].map(() => queue.get("normal")?.message);
	};
	expect(take()).toEqual(["frozen", "usual", undefined]);
	expect(take()).toEqual([undefined, undefined, undefined]);
});

test("more files that can't be removed than a run takes hide none of those that came later", async (context) => {
	context.skip(!canFreeze(), "files can't be made immutable here");
	const names = Array.from({ length: 1200 }, (_, index) => `1-frozen-${index}`);
	for (const name of names) put(name, message(name));
	freeze(names);
	const later = Array.from({ length: 20 }, (_, index) => `2-later ${index}`);
	for (const name of later) put(name, message(name));
	await drain(cacheDir);
	await drain(cacheDir);
	expect(linesOf(output).sort()).toEqual([...names, ...later].sort());
	expect(readdirSync(folder)).toHaveLength(names.length);
});

test("messages on a read-only mount are logged once", (context) => {
	const script = `mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" || exit 77; shift; "$@"; "$@"`;
	new Inbox(cacheDir).ensure();
	put("mounted", message("mounted"));
	const words = ["-m", "sh", "-c", script, "sh", paths.inbox, process.execPath, fixturePath("hostile-drain"), cacheDir];
	const { status, stdout } = spawnSync("unshare", words, { encoding: "utf8" });
	context.skip(status === null || status === 77 || stdout === "", "no mounts can be made here");
	expect(stdout).toBe("drained\ndrained\n");
	expect(linesOf(output)).toEqual(["mounted"]);
	expect(readdirSync(folder)).toEqual(["mounted"]);
});

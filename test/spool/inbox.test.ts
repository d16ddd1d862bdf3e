import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import {
	chmodSync,
	chownSync,
	existsSync,
	lstatSync,
	mkdirSync,
	mkdtempSync,
	readdirSync,
	readFileSync,
	renameSync,
	rmSync,
	statSync,
	symlinkSync,
	truncateSync,
	unlinkSync,
	utimesSync,
	writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type Lane, lanes } from "../../src/shared/lane.ts";
import { Inbox, type InboxFile, maxInboxFileBytes } from "../../src/spool/inbox.ts";
import { Quarantine } from "../../src/spool/quarantine.ts";

const isRoot = process.geteuid?.() === 0;
const message = { msg: "hello", logTo: "/logs/app.log" };
const senderScript = fileURLToPath(new URL("../fixtures/inbox-sender.mjs", import.meta.url));

describe("Inbox", () => {
	let cacheDir: string;
	let inbox: Inbox;
	let normal: string;

	beforeEach(() => {
		cacheDir = mkdtempSync(join(tmpdir(), "pylog-inbox-"));
		inbox = new Inbox(cacheDir);
		inbox.ensure();
		normal = join(cacheDir, "inbox", "normal");
	});
	afterEach(() => {
		vi.useRealTimers();
		rmSync(cacheDir, { recursive: true, force: true });
	});

	function listOne(lane: Lane = "normal"): InboxFile {
		const [file, ...more] = inbox.list(lane, 10);
		expect(more).toEqual([]);
		if (file === undefined) throw new Error(`nothing is in the ${lane} lane`);
		return file;
	}
	function received(file: InboxFile): string {
		const receipt = inbox.receive(file);
		return receipt.kind === "message" ? receipt.message.msg : receipt.kind;
	}
	const put = (name: string, content: string | Uint8Array): void => writeFileSync(join(normal, name), content);

	it("makes its folders private, and makes them once more without harm", () => {
		inbox.ensure();
		for (const folder of ["", "tmp", "priority", "normal"]) {
			const stats = lstatSync(join(cacheDir, "inbox", folder));
			expect(stats.isDirectory()).toBe(true);
			expect(stats.mode & 0o777).toBe(0o700);
		}
	});

	it("refuses folders that are links or open to others", () => {
		const elsewhere = mkdtempSync(join(cacheDir, "elsewhere-"));
		rmSync(normal, { recursive: true });
		symlinkSync(elsewhere, normal);
		expect(() => inbox.ensure()).toThrow(expect.objectContaining({ code: "PYLOG_SPOOL_UNSAFE" }) as Error);
		unlinkSync(normal);
		mkdirSync(normal);
		put("planted", "{}");
		chmodSync(normal, 0o777);
		expect(() => inbox.ensure()).toThrow(expect.objectContaining({ code: "PYLOG_SPOOL_UNSAFE" }) as Error);
	});

	it("delivers a message as a private file in its lane, and leaves nothing in tmp", () => {
		const path = inbox.deliver({ ...message, level: "error", time: 5 }, "priority", { sync: true });
		expect(statSync(path).mode & 0o777).toBe(0o600);
		const file = listOne("priority");
		expect(file.path).toBe(path);
		expect(inbox.receive(file)).toEqual({
			kind: "message",
			message: { ...message, level: "error", priority: true, time: 5 },
		});
		expect(inbox.list("normal", 10)).toEqual([]);
		expect(readdirSync(join(cacheDir, "inbox", "tmp"))).toEqual([]);
	});

	it("makes the folders for whoever delivers first", () => {
		const other = new Inbox(join(cacheDir, "new", "cache"));
		expect(other.list("normal", 10)).toEqual([]);
		expect(existsSync(other.deliver(message, "normal"))).toBe(true);
	});

	it("gives a message without a time the time its file was written", () => {
		const path = inbox.deliver(message, "normal");
		utimesSync(path, 1_700_000_000, 1_700_000_000);
		expect(inbox.receive(listOne())).toMatchObject({ message: { time: 1_700_000_000_000 } });
	});

	it("takes what a shell script writes and renames", () => {
		const script = `printf '{"msg": "from sh", "logTo": "/logs/app.log"}' > "$0/tmp/$$" && mv "$0/tmp/$$" "$0/normal/$$"`;
		execFileSync("sh", ["-c", script, join(cacheDir, "inbox")]);
		expect(received(listOne())).toBe("from sh");
	});

	it("refuses to deliver what could not be understood, and writes nothing", () => {
		expect(() => inbox.deliver({ msg: "x", logTo: "relative" }, "normal")).toThrow(
			expect.objectContaining({ code: "PYLOG_INBOX_MESSAGE_INVALID" }) as Error,
		);
		expect(() => inbox.deliver({ ...message, msg: "x".repeat(maxInboxFileBytes) }, "normal")).toThrow("in parts");
		expect(inbox.list("normal", 10)).toEqual([]);
		expect(readdirSync(join(cacheDir, "inbox", "tmp"))).toEqual([]);
	});

	it("leaves nothing behind when the lane can't be written", () => {
		rmSync(normal, { recursive: true });
		expect(() => inbox.deliver(message, "normal")).toThrow(
			expect.objectContaining({
				code: "PYLOG_SYSTEM_CALL",
				details: expect.objectContaining({ errno: "ENOENT" }),
			}) as Error,
		);
		expect(readdirSync(join(cacheDir, "inbox", "tmp"))).toEqual([]);
	});

	it("leaves no half message behind when the disk takes only a part", () => {
		const dist = JSON.stringify(new URL("../../dist/spool/inbox.js", import.meta.url).href);
		const script = `process.on("SIGXFSZ", () => {});
			const { Inbox } = await import(${dist});
			try {
				new Inbox(${JSON.stringify(cacheDir)}).deliver({ msg: "x".repeat(5000), logTo: "/logs/app.log" }, "normal");
			} catch (error) {
				console.log(error.code, error.details.errno);
			}`;
		const limited = 'ulimit -f 1; exec "$0" --input-type=module -e "$1"';
		const answer = execFileSync("bash", ["-c", limited, process.execPath, script], { encoding: "utf8" });
		expect(answer).toBe("PYLOG_SYSTEM_CALL EFBIG\n");
		expect(inbox.list("normal", 10)).toEqual([]);
		expect(readdirSync(join(cacheDir, "inbox", "tmp"))).toEqual([]);
	});

	it("lists the oldest first, and what is equally old by name", () => {
		for (const [name, seconds] of [
			["d", 30],
			["c", 10],
			["b", 20],
			["a", 20],
		] as const) {
			put(name, JSON.stringify({ ...message, msg: name }));
			utimesSync(join(normal, name), seconds, seconds);
		}
		expect(inbox.list("normal", 10).map(({ name }) => name)).toEqual(["c", "a", "b", "d"]);
		expect(inbox.list("normal", 2).map(({ name }) => name)).toEqual(["c", "a"]);
		expect(inbox.list("normal", 2).map(({ name }) => name)).toEqual(["c", "a"]);
	});

	it("gives the messages of one process in the order of its calls, though the clocks stand", () => {
		vi.useFakeTimers({ toFake: ["Date"] });
		for (let index = 0; index < 300; index++) {
			utimesSync(inbox.deliver({ ...message, msg: `${index}` }, "normal"), 1_700_000_000, 1_700_000_000);
		}
		const order: string[] = [];
		for (let files = inbox.list("normal", 7); files.length > 0; files = inbox.list("normal", 7)) {
			for (const file of files) {
				order.push(received(file));
				expect(inbox.remove(file)).toEqual({ kind: "removed" });
			}
		}
		expect(order).toEqual(Array.from({ length: 300 }, (_, index) => `${index}`));
	});

	it("shows new messages at once when it holds fewer than were asked for", () => {
		inbox.deliver(message, "normal");
		expect(inbox.list("normal", 10)).toHaveLength(1);
		inbox.deliver(message, "normal");
		expect(inbox.list("normal", 10)).toHaveLength(2);
	});

	it("sees what comes into a folder that was empty for long, each time", async () => {
		for (let round = 0; round < 5; round++) {
			await new Promise((resolve) => setTimeout(resolve, 110));
			expect(inbox.list("normal", 10)).toEqual([]);
			for (let quick = 0; quick < 50; quick++) {
				inbox.deliver(message, "normal");
				expect(inbox.remove(listOne())).toEqual({ kind: "removed" });
				expect(inbox.list("normal", 10)).toEqual([]);
			}
		}
	});

	it("goes on past files that are taken away under it", () => {
		for (let index = 0; index < 10; index++) inbox.deliver(message, "normal");
		const [first, second] = inbox.list("normal", 5) as [InboxFile, InboxFile];
		unlinkSync(second.path);
		expect(inbox.list("normal", 5)).toHaveLength(5);
		expect(inbox.list("normal", 5)[0]).toEqual(first);
		expect(inbox.list("normal", 20)).toHaveLength(9);
	});

	it("knows a file again, and another of the same name as another", () => {
		put("fixed", JSON.stringify({ ...message, msg: "one" }));
		const one = listOne();
		expect(listOne()).toEqual(one);
		writeFileSync(join(cacheDir, "inbox", "tmp", "fixed"), JSON.stringify({ ...message, msg: "two" }));
		renameSync(join(cacheDir, "inbox", "tmp", "fixed"), one.path);
		const two = listOne();
		expect(two.identity).not.toBe(one.identity);
		expect(inbox.receive(one)).toEqual({ kind: "gone" });
		expect(inbox.remove(one)).toEqual({ kind: "replaced" });
		expect(received(two)).toBe("two");
		expect(inbox.remove(two)).toEqual({ kind: "removed" });
		expect(inbox.remove(two)).toEqual({ kind: "gone" });
	});

	it("says that a file is gone when it vanished between listing and reading", () => {
		inbox.deliver(message, "normal");
		const file = listOne();
		unlinkSync(file.path);
		expect(inbox.receive(file)).toEqual({ kind: "gone" });
	});

	it("says that it can't remove, instead of throwing", () => {
		mkdirSync(join(normal, "folder"));
		expect(inbox.remove(listOne())).toMatchObject({ kind: "failed", error: { code: "PYLOG_SYSTEM_CALL" } });
	});

	it("takes a byte order mark for what it is", () => {
		put("bom", `\ufeff${JSON.stringify(message)}`);
		expect(received(listOne())).toBe("hello");
	});

	const text = JSON.stringify(message);
	const hostile: [what: string, reason: string, make: (path: string) => unknown][] = [
		["a folder", "it is a directory", (path) => mkdirSync(path)],
		["a folder with content", "it is a directory", (path) => mkdirSync(join(path, "inner"), { recursive: true })],
		["a FIFO", "it is not a regular file", (path) => execFileSync("mkfifo", [path])],
		["a link to a message", "it is a symbolic link", (path) => symlinkSync(senderScript, path)],
		["a link to nothing", "it is a symbolic link", (path) => symlinkSync("/nonexistent", path)],
		["a link to a device", "it is a symbolic link", (path) => symlinkSync("/dev/zero", path)],
		["an empty file", "it is empty", (path) => writeFileSync(path, "")],
		["half of a message", "it is not JSON", (path) => writeFileSync(path, text.slice(0, -5))],
		["two messages", "it is not JSON", (path) => writeFileSync(path, `${text}\n${text}`)],
		[
			"a byte that is not UTF-8",
			"it is not UTF-8",
			(path) => writeFileSync(path, Buffer.from(text).fill(0xff, 10, 11)),
		],
		["UTF-16", "it is not UTF-8", (path) => writeFileSync(path, Buffer.from(`\ufeff${text}`, "utf16le"))],
		["zeros", "it is not JSON", (path) => writeFileSync(path, Buffer.alloc(4096))],
		[
			"a huge file",
			`a message at most ${maxInboxFileBytes}`,
			(path) => {
				writeFileSync(path, "");
				truncateSync(path, 40 * 1024 ** 3);
			},
		],
	];

	it.each(hostile)("refuses %s, and quarantine takes it", (_, reason, make) => {
		make(join(normal, "hostile"));
		const file = listOne();
		const receipt = inbox.receive(file);
		expect(receipt).toEqual({ kind: "bad", reason: expect.stringContaining(reason) as string });
		if (receipt.kind !== "bad") return;
		// Small, so that the huge file is cut: its copy would need room for its holes.
		const quarantine = new Quarantine(join(cacheDir, "quarantine"), { maxEntryBytes: 100_000 });
		expect(quarantine.take(file.path, receipt.reason)).toMatchObject({ kind: "kept" });
		expect(inbox.list("normal", 10)).toEqual([]);
		expect(quarantine.list()).toMatchObject([{ reason: receipt.reason }]);
	});

	it("refuses a socket", async () => {
		// The path of a socket must be short.
		const server = createServer().listen(join(normal, "s"));
		await once(server, "listening");
		expect(inbox.receive(listOne())).toEqual({ kind: "bad", reason: "it is not a regular file" });
		server.close();
	});

	it.runIf(isRoot)("refuses a file of another user", () => {
		put("foreign", text);
		chownSync(join(normal, "foreign"), 12_345, 12_345);
		expect(inbox.receive(listOne())).toEqual({ kind: "bad", reason: "it belongs to user 12345, the reader runs as 0" });
	});

	it.skipIf(isRoot)("refuses a file it may not read", () => {
		put("closed", text);
		chmodSync(join(normal, "closed"), 0);
		expect(inbox.receive(listOne())).toEqual({ kind: "bad", reason: "it can't be read (EACCES)" });
	});

	it("finds files whose names are not UTF-8", () => {
		for (const byte of [0xff, 0xfe]) {
			writeFileSync(Buffer.concat([Buffer.from(`${normal}/a`), Buffer.from([byte])]), text);
		}
		inbox.list("normal", 10);
		expect(inbox.list("normal", 10).map(received)).toEqual(["hello", "hello"]);
	});

	it("sweeps what was left in tmp for more than a day, and nothing younger", () => {
		const leftover = join(cacheDir, "inbox", "tmp", "leftover");
		writeFileSync(leftover, "half");
		utimesSync(leftover, 1000, 1000);
		expect(inbox.sweep()).toBe(0);
		expect(readFileSync(leftover, "utf8")).toBe("half");
		vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 25 * 60 * 60 * 1000 });
		expect(inbox.sweep()).toBe(1);
		expect(existsSync(leftover)).toBe(false);
		rmSync(join(cacheDir, "inbox"), { recursive: true });
		expect(inbox.sweep()).toBe(0);
	});

	it("gives each message of several sending processes exactly once to the one who takes", async () => {
		const senders = 4;
		const count = 400;
		const taken: string[] = [];
		const takeAll = (): number => {
			const files = lanes.flatMap((lane) => inbox.list(lane, 50));
			for (const file of files) {
				taken.push(received(file));
				expect(inbox.remove(file)).toEqual({ kind: "removed" });
			}
			return files.length;
		};
		const children = Array.from({ length: senders }, (_, index) =>
			spawn(process.execPath, [senderScript, cacheDir, `sender${index}`, `${count}`], { stdio: "inherit" }),
		);
		const ended = Promise.all(children.map(async (child) => (await once(child, "exit"))[0] as unknown));
		let isOver = false;
		void ended.then(() => {
			isOver = true;
		});
		let takenWhileSending = 0;
		while (!isOver) {
			takenWhileSending += takeAll();
			await new Promise((resolve) => setTimeout(resolve, 1));
		}
		expect(await ended).toEqual(children.map(() => 0));
		while (takeAll() > 0);
		const sent = children.flatMap((_, sender) =>
			Array.from({ length: count }, (__, index) => `sender${sender}-${index}`),
		);
		expect(taken.toSorted()).toEqual(sent.toSorted());
		expect(takenWhileSending).toBeGreaterThan(0);
	});
});

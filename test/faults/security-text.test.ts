/**
 * Text that wants to be more: it ends its line and begins another that looks like one of ours, or steers the terminal that
 * shows it. Whatever door it comes through, one record is one line and the indented lines below it.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { Inbox } from "../../src/spool/inbox.ts";
import { spoolPaths } from "../../src/spool/paths.ts";
import { fixturePath } from "../fixture-process.ts";
import { LineWriter } from "../line-writer.ts";
import { cacheDirectory, drain, linesOf, runLogman, until } from "../running-logman.ts";
import { temporaryDirectory } from "../temporary-directory.ts";

const command = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
const forged = "ERROR - 2026-01-31 12:00:00.000 - name - app.ts:1 | forged";

/** What ends a line somewhere, steers a terminal, or turns the direction of text; and halves of characters. */
const breaks = [
	"\n",
	"\r",
	"\r\n",
	"\n\n",
	"\u2028",
	"\u2029",
	"\u0085",
	"\v",
	"\f",
	"\0",
	"\n\t",
	"\b\b\b\b",
	"\ud800",
	"\udfff\n",
];
const escapes = [
	"\u001b[2J",
	"\u001b]0;title\u0007",
	"\u001b]8;;http://example.com\u001b\\link\u001b]8;;\u001b\\",
	"\u009b31m",
	"\u009d0;title\u009c",
	"\u0090q\u009c",
	"\u007f",
	"\u001bP",
	"\u202e\u2066\u2069\u202a\u202b\u202c\u202d\u2067\u2068",
];
const texts = [
	...breaks.map((each) => `begin${each}${forged}`),
	...breaks.map((each) => `${each}${forged}`),
	...escapes,
];

/** Bytes of a file: valid UTF-8, with no character that acts but newline and tab. */
function plainText(path: string): string {
	const text = new TextDecoder("utf-8", { fatal: true }).decode(readFileSync(path));
	const acting = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/.exec(text);
	expect(acting === null ? "" : JSON.stringify(text.slice(acting.index - 20, acting.index + 20))).toBe("");
	return text;
}

/** Lines that are not indented. */
function heads(path: string): string[] {
	return plainText(path)
		.split("\n")
		.slice(0, -1)
		.filter((line) => !/^[ \t]/.test(line));
}

test("no text forges a line or steers a terminal, through any door, as text and as JSON", async () => {
	const cacheDir = cacheDirectory();
	const directory = temporaryDirectory();
	const paths = ["text.log", "json.log", "finished.log", "inbox.log", "sent.log"].map((name) => join(directory, name));
	const [text = "", json = "", finished = "", inboxed = "", sent = ""] = paths;
	const words = [fixturePath("hostile-text"), cacheDir, text, json, finished, JSON.stringify(texts)];
	const count = JSON.parse(execFileSync(process.execPath, words, { encoding: "utf8" })) as {
		records: number;
		finished: number;
	};
	const inbox = new Inbox(cacheDir);
	for (const hostile of texts) {
		inbox.deliver({ msg: hostile, logTo: inboxed }, "normal");
		inbox.deliver({ msg: hostile, logTo: inboxed, level: "error", exception: hostile }, "priority");
	}
	// A process each: a few of them.
	const sendable = texts.filter((each, index) => index % 4 === 0 && !each.includes("\0"));
	for (const hostile of sendable) {
		const { status } = spawnSync(process.execPath, [command, "send", "--to", sent, "--level", "info", "--", hostile], {
			env: { ...process.env, PYLOG_CACHE_DIR: cacheDir },
		});
		expect(status).toBe(0);
	}
	await drain(cacheDir);
	const prefix = /^(INFO|ERROR) - .* - a name\\u202e - .* \| /;
	expect(heads(text).filter((line) => !prefix.test(line))).toEqual([]);
	expect(heads(text)).toHaveLength(count.records);
	const members = heads(json).map((line) => JSON.parse(line) as Record<string, unknown>);
	expect(members).toHaveLength(count.records);
	expect(heads(finished)).toHaveLength(count.finished);
	expect(heads(inboxed)).toHaveLength(texts.length * 2);
	expect(heads(sent)).toHaveLength(sendable.length);
	// As JSON nothing is lost by it: the text is what was logged, but for halves of characters.
	const whole = texts.filter((each) => !/[\ud800-\udfff]/.test(each));
	const messages = new Set(members.map(({ msg }) => msg));
	expect(whole.filter((each) => !messages.has(each))).toEqual([]);
});

test("a hostile definition, and fields and an error that are no JSON, stay on their line", async () => {
	const cacheDir = cacheDirectory();
	const path = join(temporaryDirectory(), "app.log");
	using writer = new LineWriter(cacheDir);
	const { producer } = writer;
	writer.write(path, "first", { logform: "%loglevel% | " });
	for (const bytes of ["\u00ff\u00fe\n", "\u009b31m\u0085", "\u00e2\u0080\n", "\u00c2\n\u00c2\u0085"]) {
		writer.write(path, bytes, { logform: "%loglevel% | " });
	}
	const definition = { segment: [0, 0], offset: [0, 0], kind: 2, text: definitionText(path) } as never;
	producer.append(1, {
		level: 255,
		timeMs: 0,
		flags: 0,
		definition,
		callSite: undefined,
		message: "m",
		fields: '}\n"\u001b',
		error: "{\n",
	});
	await drain(cacheDir);
	expect(heads(path)).toHaveLength(6);
	expect(heads(path).every((line) => line.includes(" | "))).toBe(true);
});

function definitionText(output: string): string {
	const hostile = `\n${forged}\u001b[2J`;
	const definition = { output, format: "text", logform: "%loglevel% %name% %hostname% | ", name: hostile };
	return JSON.stringify({ ...definition, hostname: hostile, pid: 1, thread: 0, fields: `"a":1\n${forged}` });
}

test("the commands and the error log print names of files and reasons so that they can't steer a terminal", async () => {
	const cacheDir = cacheDirectory();
	const directory = join(temporaryDirectory(), "evil\u001b[2J\u202e\u009b31m\ndir");
	mkdirSync(join(directory, "in the way.log"), { recursive: true });
	using writer = new LineWriter(cacheDir);
	const running = await runLogman(cacheDir);
	writer.write(join(directory, "in the way.log"), "a line");
	writer.write("no path\u001b[2J\n\u009b31m", "another");
	const paths = spoolPaths(cacheDir);
	writeFileSync(join(paths.inbox, "normal", "evil\u001b[2J\u009b\n.json"), "{");
	const { errorLog } = paths;
	await until(() => {
		const reports = linesOf(errorLog).join("\n");
		return reports.includes("in the way.log") && reports.includes("no path") && reports.includes(".json");
	});
	plainText(errorLog);
	await running.stop();
	for (const words of [["status"], ["verify"], ["status", "--json"], ["verify", "--json"], ["drain"], ["stop"]]) {
		const { stdout, stderr } = spawnSync(process.execPath, [command, ...words, "--cache-dir", cacheDir]);
		const file = join(temporaryDirectory(), "out");
		writeFileSync(file, Buffer.concat([stdout, stderr]));
		const said = plainText(file);
		expect(said).not.toBe("");
		if (words[0] !== "stop") expect(said).toContain("in the way.log");
		if (words[1] === "--json") expect(said).toContain(JSON.stringify("in the way.log").slice(1, -1));
	}
});

test("a lease that says anything else than who holds it is not repeated", async () => {
	const cacheDir = cacheDirectory();
	const running = await runLogman(cacheDir);
	writeFileSync(spoolPaths(cacheDir).lease, JSON.stringify({ pid: "1\u001b[2J", started: "\u001b]0;x\u0007" }));
	const { stdout } = spawnSync(process.execPath, [command, "status", "--cache-dir", cacheDir], { encoding: "utf8" });
	expect(stdout).toContain("runs as process ? since ?");
	await running.stop();
});

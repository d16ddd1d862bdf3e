/** The logger from the call to the line in the file, through a real spool and a real logman. */
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type LoggerOptions, pylog, type Pylog } from "../../src/index.ts";
import { cacheDirectory, drain, linesOf } from "../running-logman.ts";
import { temporaryDirectory } from "../temporary-directory.ts";

interface Scene {
	readonly logger: Pylog;
	/** Drains the queue and gives the lines of the file. */
	readonly lines: () => Promise<string[]>;
	/** The same, as JSON. */
	readonly objects: () => Promise<Record<string, unknown>[]>;
}

function scene(options: LoggerOptions = {}): Scene {
	const cacheDir = cacheDirectory();
	const filename = join(temporaryDirectory(), "deep", "app.log");
	const logger = pylog({ logform: "%loglevel% | ", cacheDir, filename, logman: "external", ...options });
	const lines = async (): Promise<string[]> => {
		await drain(cacheDir);
		return linesOf(filename);
	};
	const objects = async (): Promise<Record<string, unknown>[]> =>
		(await lines()).map((line) => JSON.parse(line) as Record<string, unknown>);
	return { logger, lines, objects };
}

describe("a text line", () => {
	it("has prefix, message and fields, in each order of the arguments", async () => {
		const { logger, lines } = scene({ priority: [] });
		logger.trace("a");
		logger.debug("b", { x: 1 });
		logger.info({ x: 1 }, "c");
		logger.warning("d %s %d", "e", 5);
		logger.warn("f", 7, true);
		logger.fatal({ only: "fields" });
		expect(await lines()).toEqual([
			"TRACE | a",
			'DEBUG | b {"x":1}',
			'INFO | c {"x":1}',
			"WARNING | d e 5",
			'WARNING | f {"args":[7,true]}',
			'FATAL |  {"only":"fields"}',
		]);
	});

	it("is followed by the error's stack and its causes", async () => {
		const { logger, lines } = scene();
		const error = new Error("refused", { cause: new TypeError("no card") });
		logger.error("payment failed", error, { orderId: 7 });
		logger.error(error);
		logger.error({ err: error }, "pino's way");
		const text = (await lines()).join("\n");
		expect(text).toMatch(/^ERROR \| payment failed \{"orderId":7\}\n {4}Error: refused\n {8}at /);
		expect(text.match(/caused by: TypeError: no card/g)).toHaveLength(3);
		expect(text).toMatch(/\nERROR \| refused\n {4}Error: refused\n/);
		expect(text).toMatch(/\nERROR \| pino's way\n {4}Error: refused\n/);
	});

	it("can't be forged by a message, a field or an error", async () => {
		const { logger, lines } = scene();
		logger.info("one\nINFO | forged\r\nINFO | forged\u001b[2J\u2028INFO | forged");
		logger.info("two", { text: "x\nINFO | forged" });
		logger.error(new Error("three\nINFO | forged"));
		logger.queueIn("four\nINFO | forged");
		const starts = (await lines()).filter((line) => /^[A-Z]+ \|/.test(line));
		expect(starts).toHaveLength(3);
		const all = (await lines()).join("\n");
		expect(all).not.toMatch(/[\u0000-\u0008\u000b-\u001f\u2028]/);
		expect(all).toContain("four\\nINFO | forged");
	});

	it("has debug lines first while others wait, unless other levels are named", async () => {
		const first = scene();
		first.logger.info("late");
		first.logger.debug("early");
		expect(await first.lines()).toEqual(["DEBUG | early", "INFO | late"]);
		const second = scene({ priority: ["error", "warn"] });
		second.logger.debug("late");
		second.logger.warning("early");
		second.logger.error("early too");
		expect(await second.lines()).toEqual(["WARNING | early", "ERROR | early too", "DEBUG | late"]);
	});

	it("knows the file and line of the caller, through a child as well", async () => {
		const { logger, lines } = scene({ logform: "%file% | " });
		logger.info("here");
		logger.child({ a: 1 }).info("there");
		// The test runner moves lines about: that they are right is proved in call-site.test.ts, by real programs.
		const [here, there] = (await lines()).map((line) =>
			Number(/^test\/logger\/logger\.test\.ts:(\d+) \| /.exec(line)?.[1]),
		);
		expect(there).toBe((here ?? 0) + 1);
	});

	it("prints every placeholder", async () => {
		const { logger, lines } = scene({
			logform: "%loglevel% %time% %date% %pid% %hostname% %name% %queue% %% | ",
			name: "n",
		});
		logger.info("x");
		expect((await lines())[0]).toMatch(
			new RegExp(`^INFO \\d{4}-\\d\\d-\\d\\dT\\S{18} \\d{4}-\\d\\d-\\d\\d ${process.pid} \\S+ n 1 % \\| x$`),
		);
	});

	it("is finished as it is given to queueIn", async () => {
		const { logger, lines } = scene({ level: "silent" });
		logger.queueIn("a line\n");
		logger.queueIn("first", { priority: true });
		expect(await lines()).toEqual(["first", "a line"]);
	});
});

describe("a JSON line", () => {
	it("has time, level, queue, pid, file, msg, the fields and the error", async () => {
		const { logger, objects } = scene({ format: "json", name: "api" });
		logger.error("failed", new RangeError("too far"), { orderId: 7 });
		const [line] = await objects();
		expect(Object.keys(line ?? {})).toEqual(["time", "level", "queue", "pid", "name", "file", "msg", "orderId", "err"]);
		expect(line).toMatchObject({ level: "error", queue: 1, pid: process.pid, name: "api", msg: "failed", orderId: 7 });
		expect(line?.["file"]).toMatch(/^test\/logger\/logger\.test\.ts:\d+$/);
		expect(line?.["err"]).toMatchObject({ type: "RangeError", message: "too far" });
		expect(Math.abs(Date.parse(line?.["time"] as string) - Date.now())).toBeLessThan(60_000);
	});

	it("has no key twice and loses no value", async () => {
		const { logger, lines } = scene({ format: "json", callSite: false });
		logger.child({ a: 1, same: true }).info("m", { a: 2, msg: "mine", time: 3, same: true });
		const [line = ""] = await lines();
		const keys = Array.from(line.matchAll(/"(\w+)":/g), ([, key]) => key);
		expect(new Set(keys).size).toBe(keys.length);
		expect(JSON.parse(line)).toMatchObject({ msg: "m", a: 2, a_: 1, msg_: "mine", time_: 3, same: true });
	});

	it("holds any text and any value", async () => {
		await fc.assert(
			fc.asyncProperty(fc.string({ unit: "grapheme" }), fc.jsonValue(), async (text, value) => {
				const { logger, objects } = scene({ format: "json", callSite: false });
				logger.info(text, { value });
				const [line] = await objects();
				expect(line).toMatchObject({ msg: text, value: JSON.parse(JSON.stringify(value)) as unknown });
			}),
			{ numRuns: 25 },
		);
	});
});

describe("fields that can't be serialised", () => {
	it("cost themselves at most, never the line and never the application", async () => {
		const { logger, lines } = scene();
		const cycle: Record<string, unknown> = { name: "ring" };
		cycle["self"] = cycle;
		const trap = {
			fine: 1,
			get broken(): never {
				throw new Error("no");
			},
		};
		const { proxy, revoke } = Proxy.revocable({}, {});
		revoke();
		logger.info("cycle", cycle);
		logger.info("bigint", { big: 10n ** 30n });
		logger.info("getter", { trap, after: 2 });
		logger.info("proxy", { proxy, after: 3 });
		logger.info("huge", { text: "x".repeat(20_000_000), after: 4 });
		logger.info(proxy, "proxy first");
		logger.info("y".repeat(20_000_000));
		const all = await lines();
		expect(all).toHaveLength(7);
		expect(all[0]).toMatch(/^INFO \| cycle \{"name":"ring","self":.*"\[Circular\]"\}+$/);
		expect(all[1]).toBe(`INFO | bigint {"big":1${"0".repeat(30)}}`);
		expect(all[2]).toMatch(/^INFO \| getter \{"trap":\{"fine":1,"broken":".*no.*"\},"after":2\}$/);
		expect(all[3]).toMatch(/^INFO \| proxy \{"proxy":".*","after":3\}$/);
		expect(all[4]).toMatch(/^INFO \| huge .*cut \d+ .*"after":4\}$/);
		expect(all[5]).toMatch(/^INFO \| proxy first/);
		expect(all[6]).toMatch(/^INFO \| y+…\[cut \d+ bytes\]$/);
	});
});

describe("a logger", () => {
	it("logs nothing below its level, which can be changed and asked for", async () => {
		const { logger, lines } = scene({ level: "WARN" as "warn" });
		expect(logger.level).toBe("warning");
		expect([logger.isLevelEnabled("info"), logger.isLevelEnabled("warn")]).toEqual([false, true]);
		logger.info("no");
		logger.level = "info";
		logger.info("yes");
		logger.level = "silent";
		logger.fatal("no");
		expect(logger.level).toBe("silent");
		expect(await lines()).toEqual(["INFO | yes"]);
		expect(() => (logger.level = "loud" as "info")).toThrow(/loud/);
	});

	it("gives its children its fields, and theirs to their children", async () => {
		const { logger, lines } = scene({ fields: { app: "shop" } });
		const child = logger.child({ request: 1 });
		child.child({ step: 2 }).info("x", { y: 3 });
		child.info("z");
		expect(await lines()).toEqual([
			'INFO | x {"app":"shop","request":1,"step":2,"y":3}',
			'INFO | z {"app":"shop","request":1}',
		]);
	});

	it("can be passed on without this", async () => {
		const { logger, lines } = scene();
		await Promise.reject(new Error("from a promise")).catch(logger.error);
		["one", "two"].forEach((each) => logger.info(each));
		const { info } = logger;
		info("three");
		expect((await lines()).filter((line) => line.includes(" | "))).toEqual([
			"ERROR | from a promise",
			"INFO | one",
			"INFO | two",
			"INFO | three",
		]);
	});

	it("shows the prefix as it would be now", () => {
		const { logger } = scene({ logform: "%loglevel% %file% %queue% | " });
		expect(logger.parseLogform("INFO")).toMatch(/^INFO test\/logger\/logger\.test\.ts:\d+ - \| $/);
		expect(logger.parseLogform("warn")).toMatch(/^WARNING /);
	});

	it("takes a line that comes after it was closed", async () => {
		const { logger, lines } = scene();
		logger.info("before");
		await logger.close();
		logger.info("after");
		expect(await lines()).toEqual(["INFO | before", "INFO | after"]);
	});

	it("shares its file with one of another logform", async () => {
		const cacheDir = cacheDirectory();
		const filename = join(cacheDir, "both.log");
		const one = pylog({ cacheDir, filename, logman: "external", logform: "one %loglevel% | " });
		const two = pylog({ cacheDir, filename, logman: "external", logform: "two | " });
		one.info("a");
		two.info("b");
		one.info("c");
		await drain(cacheDir);
		expect(linesOf(filename)).toEqual(["one INFO | a", "two | b", "one INFO | c"]);
	});
});

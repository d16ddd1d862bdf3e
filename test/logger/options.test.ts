import { hostname } from "node:os";
import { join, resolve } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { validateLevel, validateOptions } from "../../src/logger/options.ts";
import { PylogError } from "../../src/shared/errors.ts";
import { block, dropLowest, dropNew } from "../../src/spool/full-policy.ts";
import { revokedProxy, throwingProxy } from "./hostile-values.ts";

/** The error that these options cause. */
function problem(options: unknown): PylogError {
	try {
		validateOptions(options);
	} catch (error) {
		if (error instanceof PylogError) return error;
		throw error;
	}
	throw new Error("the options were accepted");
}

describe("validateOptions", () => {
	beforeEach(() => {
		for (const name of ["PYLOG_LEVEL", "PYLOG_CACHE_DIR", "XDG_STATE_HOME"]) vi.stubEnv(name, undefined);
	});

	afterEach(() => {
		vi.unstubAllEnvs();
	});

	it("has defaults for everything", () => {
		vi.stubEnv("XDG_STATE_HOME", "/state");
		const options = validateOptions(undefined);
		expect(options).toEqual({
			filename: expect.stringMatching(/^\/.*\/logs\/\d{4}-\d\d-\d\d\.log$/) as string,
			logform: "%loglevel% - %time% - %file% | ",
			format: "text",
			level: "trace",
			priority: ["debug"],
			cacheDir: "/state/pylog",
			logman: "auto",
			name: "",
			fields: {},
			callSite: true,
			callerSkip: 0,
			onFull: dropNew,
			maxSpoolBytes: 1024 ** 3,
		});
		expect(validateOptions({})).toEqual(options);
		expect(validateOptions({ level: undefined, filename: undefined })).toEqual(options);
	});

	it("takes what it is given", () => {
		const given = {
			filename: "/var/log/app.log",
			logform: "%loglevel% ",
			format: "json",
			level: "error",
			priority: ["error", "fatal"],
			cacheDir: "/var/spool/pylog",
			logman: "external",
			name: "api",
			fields: { region: "eu" },
			callSite: false,
			callerSkip: 2,
			onFull: "drop-new",
			maxSpoolBytes: 1024 ** 2,
		};
		expect(validateOptions(given)).toEqual({ ...given, onFull: dropNew });
	});

	it("takes levels in any case, with warn for warning, and each once", () => {
		const { level, priority } = validateOptions({ level: "WARN", priority: ["warn", "Warning", "DEBUG"] });
		expect(level).toBe("warning");
		expect(priority).toEqual(["warning", "debug"]);
		expect(validateOptions({ level: "silent", priority: [] })).toMatchObject({ level: "silent", priority: [] });
	});

	it.each([
		["drop-new", dropNew],
		[{ policy: "drop-new" }, dropNew],
		["block", block(1000)],
		[{ policy: "block" }, block(1000)],
		[{ policy: "block", deadlineMs: undefined }, block(1000)],
		[{ policy: "block", deadlineMs: 600_000 }, block(600_000)],
		["drop-lowest", dropLowest(40, 0.8)],
		[{ policy: "drop-lowest", below: "error" }, dropLowest(50, 0.8)],
		[{ policy: "drop-lowest", below: "WARN", share: 0.5 }, dropLowest(40, 0.5)],
	])("takes a policy for a full spool by its name or with its settings: %o", (onFull, policy) => {
		expect(validateOptions({ onFull }).onFull).toEqual(policy);
	});

	it("says what a policy for a full spool takes", () => {
		expect(problem({ onFull: "blok" }).message).toBe(
			'pylog(): option "onFull" got "blok"; it takes one of drop-new, block, drop-lowest, ' +
				'or { policy: "block", deadlineMs: 1 to 600000 }, or { policy: "drop-lowest", ' +
				'below: debug | info | warning | error | fatal, share: 0.05 to 0.95 }. Did you mean "block"?',
		);
		expect(problem({ onFull: { policy: "block", deadlineMs: 0 } }).message).toContain(
			"got { policy: 'block', deadlineMs: 0 }; it takes one of",
		);
	});

	it("looks up call sites where they are printed", () => {
		expect(validateOptions({ logform: "%time% " }).callSite).toBe(false);
		expect(validateOptions({ logform: "%time% ", format: "json" }).callSite).toBe(true);
		expect(validateOptions({ logform: "%file% ", callSite: false }).callSite).toBe(false);
	});

	it("makes paths absolute and expands placeholders in the file name", () => {
		const { filename, cacheDir } = validateOptions({
			filename: "logs/%name%-%pid%@%hostname%-100%%.log",
			name: "a/b",
			cacheDir: "spool/../queue",
		});
		expect(filename).toBe(resolve(`logs/a_b-${process.pid}@${hostname()}-100%.log`));
		expect(cacheDir).toBe(resolve("queue"));
	});

	it("asks the environment for what is not given", () => {
		vi.stubEnv("PYLOG_LEVEL", "Warn");
		vi.stubEnv("PYLOG_CACHE_DIR", "/somewhere");
		expect(validateOptions({})).toMatchObject({ level: "warning", cacheDir: "/somewhere" });
		expect(validateOptions({ level: "info", cacheDir: "/else" })).toMatchObject({ level: "info", cacheDir: "/else" });
		vi.stubEnv("PYLOG_LEVEL", "");
		vi.stubEnv("PYLOG_CACHE_DIR", "");
		vi.stubEnv("XDG_STATE_HOME", "/state");
		expect(validateOptions({})).toMatchObject({ level: "trace", cacheDir: join("/state", "pylog") });
	});

	it("names the option, what it got and what it takes", () => {
		const error = problem({ level: "inof" });
		expect(error.code).toBe("PYLOG_OPTION_INVALID");
		expect(error.message).toBe(
			'pylog(): option "level" got "inof"; it takes one of trace, debug, info, warning, error, fatal, silent. Did you mean "info"?',
		);
		expect(error.details).toEqual({ options: ["level"] });
	});

	it("names an environment variable as such", () => {
		vi.stubEnv("PYLOG_LEVEL", "verbose");
		expect(problem({}).message).toMatch(/^pylog\(\): environment variable PYLOG_LEVEL got "verbose"; it takes one of /);
	});

	it("names the nearest option for one that does not exist, or all", () => {
		expect(problem({ fileName: "x" }).message).toBe(
			'pylog(): option "fileName" does not exist. Did you mean "filename"?',
		);
		expect(problem({ zzz: 1 }).message).toMatch(
			/^pylog\(\): option "zzz" does not exist\. Known are filename, logform, /,
		);
	});

	it("tells all problems at once", () => {
		const { code, message, details } = problem({ level: 7, format: "yaml", callerSkip: 33, logform: "%tiem%" });
		expect(code).toBe("PYLOG_OPTION_INVALID");
		expect(message.split("\n")).toEqual([
			"pylog(): 4 problems:",
			'  option "level" got 7; it takes one of trace, debug, info, warning, error, fatal, silent.',
			'  option "format" got "yaml"; it takes one of text, json.',
			'  option "callerSkip" got 33; it takes a whole number from 0 to 32.',
			expect.stringContaining('The logform "%tiem%" holds %tiem%'),
		]);
		expect(details).toEqual({ options: ["level", "format", "callerSkip", "logform"] });
		expect(problem({ level: 7, format: "yaml" }).message).toMatch(/^pylog\(\): 2 problems:\n/);
	});

	it("says by its code when only a placeholder is wrong", () => {
		expect(problem({ logform: "%tiem%" })).toMatchObject({
			code: "PYLOG_PLACEHOLDER_UNKNOWN",
			cause: expect.any(PylogError),
		});
		expect(problem({ filename: "%tiem%.log" }).code).toBe("PYLOG_PLACEHOLDER_UNKNOWN");
	});

	const wrongValues: readonly (readonly [option: string, value: unknown])[] = [
		["filename", ""],
		["filename", "logs/"],
		["filename", "logs/.."],
		["filename", "a\0b"],
		["filename", 1],
		["logform", "two\nlines"],
		["logform", null],
		["format", null],
		["level", Number.NaN],
		["level", ["info"]],
		["priority", "debug"],
		["priority", ["silent"]],
		["cacheDir", ""],
		["cacheDir", "a\0b"],
		["cacheDir", new URL("file:///x")],
		["logman", true],
		["name", "a\nb"],
		["name", "x".repeat(256)],
		["fields", null],
		["fields", [1]],
		["fields", new Map()],
		["callSite", "yes"],
		["callerSkip", -1],
		["callerSkip", 1.5],
		["callerSkip", "1"],
		["onFull", "drop-old"],
		["onFull", null],
		["onFull", {}],
		["onFull", ["block"]],
		["onFull", { policy: "block", deadlineMs: 0 }],
		["onFull", { policy: "block", deadlineMs: 600_001 }],
		["onFull", { policy: "block", deadlineMs: 1.5 }],
		["onFull", { policy: "block", deadlineMs: "1000" }],
		["onFull", { policy: "block", below: "error" }],
		["onFull", { policy: "drop-new", deadlineMs: 5 }],
		["onFull", { policy: "drop-lowest", below: "trace" }],
		["onFull", { policy: "drop-lowest", below: "silent" }],
		["onFull", { policy: "drop-lowest", share: 0 }],
		["onFull", { policy: "drop-lowest", share: 1 }],
		["onFull", { policy: "drop-lowest", share: Number.NaN }],
		["maxSpoolBytes", 1000],
		["maxSpoolBytes", Number.POSITIVE_INFINITY],
	];
	it.each(wrongValues)("refuses %s %o", (option, value) => {
		const { code, message } = problem({ [option]: value });
		expect(code).toBe("PYLOG_OPTION_INVALID");
		expect(message).toContain(option);
		expect(message.length).toBeLessThan(340);
	});

	it("refuses values that can't be looked at", () => {
		expect(problem({ priority: revokedProxy(), fields: throwingProxy() }).details).toEqual({
			options: ["priority", "fields"],
		});
	});

	it("refuses what are no options at all", () => {
		for (const options of [null, 5, "info", [], () => undefined, revokedProxy(), throwingProxy()]) {
			expect(problem(options).code).toBe("PYLOG_OPTION_INVALID");
		}
		expect(problem("info").message).toBe('pylog(): got "info"; it takes an object of options.');
	});

	it("takes inherited options, as spreading would not", () => {
		expect(validateOptions(Object.create({ level: "error" })).level).toBe("error");
	});

	it("prints what it got without running the code in it", () => {
		const value = {
			get secret(): never {
				throw new Error("must not run");
			},
			[Symbol.for("nodejs.util.inspect.custom")](): never {
				throw new Error("must not run");
			},
		};
		expect(problem({ level: value }).message).toContain("got { secret: [Getter]");
		expect(problem({ name: { text: "x".repeat(10_000) } }).message.length).toBeLessThan(250);
	});
});

describe("validateLevel", () => {
	it("gives a level in its one spelling, or says what is one", () => {
		expect(validateLevel("WARN")).toBe("warning");
		expect(validateLevel("silent")).toBe("silent");
		expect(() => validateLevel("wran")).toThrow(/level got "wran"; .* Did you mean "warning"\?$/);
	});
});

import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
	compileLogform,
	defaultLogform,
	type PrefixValues,
	placeholders,
	renderPrefix,
} from "../../src/line/logform.ts";
import { PylogError } from "../../src/shared/errors.ts";
import { someTimeMs } from "./record-builder.ts";

const values: PrefixValues = {
	loglevel: "INFO",
	timeMs: someTimeMs,
	utcOffsetMinutes: 60,
	callSite: "src/app.ts:12",
	pid: 4711,
	hostname: "host-1",
	name: "api",
	queue: 99,
};

function render(template: string, changes: Partial<PrefixValues> = {}): string {
	return renderPrefix(compileLogform(template), { ...values, ...changes });
}

function errorOf(act: () => unknown): PylogError {
	try {
		act();
	} catch (error) {
		expect(error).toBeInstanceOf(PylogError);
		return error as PylogError;
	}
	throw new Error("nothing was thrown");
}

describe("a logform", () => {
	it("prints the default as documented", () => {
		expect(render(defaultLogform)).toBe("INFO - 2026-11-22T07:25:28.123+01:00 - src/app.ts:12 | ");
	});

	it("knows every placeholder", () => {
		expect(render("%date% %pid% %hostname% %name% %queue%")).toBe("2026-11-22 4711 host-1 api 99");
		expect(placeholders).toHaveLength(8);
		for (const placeholder of placeholders) expect(render(`%${placeholder}%`)).not.toContain("%");
	});

	it("prints - for what is empty or not known yet", () => {
		expect(render("%file% %name% %queue%", { callSite: "", name: "", queue: undefined })).toBe("- - -");
	});

	it("says which placeholders it uses", () => {
		const { uses } = compileLogform("%loglevel% %file%");
		expect(uses.file).toBe(true);
		expect(uses.loglevel).toBe(true);
		expect(uses.time).toBe(false);
		expect(compileLogform("%%file%%").uses.file).toBe(false);
	});

	it("is compiled once", () => {
		expect(compileLogform("%time% once ")).toBe(compileLogform("%time% once "));
	});

	it("takes %% as a percent sign, and a percent sign that opens no word as itself", () => {
		expect(render("100%% %loglevel%")).toBe("100% INFO");
		expect(render("100% of %loglevel%")).toBe("100% of INFO");
		expect(render("%")).toBe("%");
		expect(render("50%-60% %loglevel%%%")).toBe("50%-60% INFO%");
		expect(render("%%loglevel%%")).toBe("%loglevel%");
	});

	it("refuses an unknown word and names the template, the word, the nearest name and all of them", () => {
		const error = errorOf(() => compileLogform("%loglevel% %tiem% | "));
		expect(error.code).toBe("PYLOG_PLACEHOLDER_UNKNOWN");
		expect(error.message).toContain('"%loglevel% %tiem% | "');
		expect(error.message).toContain("%tiem%, which");
		expect(error.message).toContain("nearest is %time%");
		for (const placeholder of placeholders) expect(error.message).toContain(`%${placeholder}%`);
		expect(error.details).toMatchObject({ word: "tiem", nearest: "time" });
	});

	it("finds the nearest name whatever the case", () => {
		const nearest = (word: string) => errorOf(() => compileLogform(`%${word}%`)).details["nearest"];
		expect(nearest("LogLevel")).toBe("loglevel");
		expect(nearest("level")).toBe("loglevel");
		expect(nearest("host")).toBe("hostname");
		expect(nearest("files")).toBe("file");
		expect(nearest("TIME")).toBe("time");
	});

	it("refuses newlines and other control characters, but not tabs", () => {
		for (const character of ["\n", "\r", "\u0000", "\u001b", "\u007f", "\u0085", "\u2028", "\u202e"]) {
			const error = errorOf(() => compileLogform(`%loglevel%${character}`));
			expect(error.code).toBe("PYLOG_OPTION_INVALID");
			expect(error.message).toMatch(/U\+[0-9A-F]{4}/);
		}
		expect(render("%loglevel%\t|")).toBe("INFO\t|");
	});

	it("refuses what is no string and what is too long", () => {
		expect(errorOf(() => compileLogform(7 as unknown as string)).code).toBe("PYLOG_OPTION_INVALID");
		expect(errorOf(() => compileLogform("x".repeat(1025))).message).toContain("1025");
	});

	it("takes or refuses any text, and never fails otherwise", () => {
		fc.assert(
			fc.property(fc.string({ unit: fc.constantFrom("%", "time", "a", " ", "\n", "é") }), (template) => {
				try {
					expect(render(template)).not.toContain("\n");
				} catch (error) {
					expect(error).toBeInstanceOf(PylogError);
				}
			}),
		);
	});

	it("indents with what no prefix of it starts with", () => {
		expect(compileLogform("%time% ").indent).toBe("    ");
		expect(compileLogform("  %time% ").indent).toBe("\t");
		expect(compileLogform("\t%time% ").indent).toBe("    ");
		expect(compileLogform("").indent).toBe("");
		fc.assert(
			fc.property(fc.constantFrom("%name% ", " %name%", "%hostname%", "\t%file%"), fc.string(), (template, value) => {
				const prefix = render(template, { name: value, hostname: value, callSite: value });
				expect(prefix.startsWith(compileLogform(template).indent)).toBe(false);
			}),
		);
	});

	it("escapes its values", () => {
		expect(render("[%name%] ", { name: "a\nINFO\u001b[2J\u202e" })).toBe("[a\\nINFO\\x1b[2J\\u202e] ");
		expect(render("%name% ", { name: "  two blanks" })).toBe("\\x20 two blanks ");
		expect(render("%name% ", { name: "\ttab" })).toBe("\\ttab ");
	});

	it("cuts a value that is longer than any name", () => {
		expect(render("%name%", { name: "x".repeat(5000) })).toBe(`${"x".repeat(4096)}…`);
	});
});

import { describe, expect, it } from "vitest";
import { levelName, levelNumber, levels, upperLevelName } from "../../src/line/level.ts";

describe("levels", () => {
	it("have the numbers of pino", () => {
		expect(levels).toEqual({ trace: 10, debug: 20, info: 30, warning: 40, error: 50, fatal: 60 });
	});

	it("are found by name in any case, and by the alias warn", () => {
		expect(levelNumber("info")).toBe(30);
		expect(levelNumber("INFO")).toBe(30);
		expect(levelNumber("warn")).toBe(levelNumber("warning"));
	});

	it("are all below silent", () => {
		expect(levelNumber("silent")).toBe(Number.POSITIVE_INFINITY);
	});

	it("are not found by what every object has", () => {
		for (const name of ["constructor", "__proto__", "toString", "", "35"]) expect(levelNumber(name)).toBeUndefined();
	});

	it("print in lower case in JSON and in upper case in text", () => {
		for (const [name, number] of Object.entries(levels)) {
			expect(levelName(number)).toBe(name);
			expect(upperLevelName(number)).toBe(name.toUpperCase());
		}
		expect(upperLevelName(40)).toBe("WARNING");
	});

	it("print their number where there is no name", () => {
		expect(levelName(35)).toBe("level35");
		expect(upperLevelName(35)).toBe("LEVEL35");
	});
});

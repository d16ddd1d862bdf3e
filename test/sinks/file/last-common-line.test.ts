import { expect, test } from "vitest";
import { endOfLastCommonLine } from "../../../src/sinks/file/last-common-line.ts";

const bytes = Buffer.from("one\ntwo\nthree\nfour\n");

function endIn(found: string): string {
	return bytes.toString("latin1", 0, endOfLastCommonLine(Buffer.from(found), bytes));
}

test("a line that differs, is missing or is more in the file does not hide what is behind it", () => {
	expect(endIn("one\nTWO\nthree\n")).toBe("one\ntwo\nthree\n");
	expect(endIn("one\nthree\n")).toBe("one\ntwo\nthree\n");
	expect(endIn("one\ntwo\nmore\nthree\n")).toBe("one\ntwo\nthree\n");
	expect(endIn("one\ntwo\nTHREE\nfour\n")).toBe(bytes.toString());
});

test("lines of others behind the last one are left out", () => {
	expect(endIn("one\nTWO\nthree\ntheirs\nmore of theirs\n")).toBe("one\ntwo\nthree\n");
});

test("a last line that is cut counts as far as it is there", () => {
	expect(endIn("one\nTWO\nthr")).toBe("one\ntwo\nthr");
	// It could be either of the two.
	expect(endIn("one\nTWO\nt")).toBe("one\n");
});

test("a line counts only where most of those before it are there, in their order", () => {
	expect(endIn("theirs\nfour\n")).toBe("");
	expect(endIn("three\ntwo\nfour\n")).toBe("");
	expect(endIn("theirs\n")).toBe("");
	expect(endIn("")).toBe("");
});

test("a line that is in the append more than once tells nothing", () => {
	const same = Buffer.from("one\nsame\nsame\nlast\n");
	expect(endOfLastCommonLine(Buffer.from("one\nsame\n"), same)).toBe("one\n".length);
	expect(endOfLastCommonLine(Buffer.from("one\nsame\nsame\nlast\n"), same)).toBe(same.length);
});

// Each line that was not found was looked for in the whole file, for each of the last lines: minutes for two mebibytes.
test("an append of many lines of which few are in the file is compared in one pass", () => {
	const many = (word: string) =>
		Array.from({ length: 40_000 }, (_, at) => `${word} ${at} ${"-".repeat(40)}\n`).join("");
	const found = Buffer.from(`${many("theirs")}${many("ours").split("\n").slice(-64).join("\n")}`);
	expect(endOfLastCommonLine(found, Buffer.from(many("ours")))).toBe(0);
}, 20_000);

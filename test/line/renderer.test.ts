import { describe, expect, it } from "vitest";
import { compileRenderer, rendererFor } from "../../src/line/renderer.ts";
import { makeDefinition, makeRecord, renderText } from "./record-builder.ts";

describe("rendererFor", () => {
	it("gives equal definitions one renderer", () => {
		const renderer = rendererFor(makeDefinition({ name: "shared" }));
		expect(rendererFor(makeDefinition({ name: "shared" }))).toBe(renderer);
		expect(rendererFor(makeDefinition({ name: "shared", output: "/elsewhere.log", thread: 3 }))).toBe(renderer);
	});

	it("tells apart definitions whose lines differ", () => {
		const changes = [
			{ name: "b" },
			{ hostname: "b" },
			{ pid: 1 },
			{ fields: '"a":1' },
			{ logform: "%time% " },
			{ format: "json" as const },
			{ name: '","' },
		];
		const renderers = [{}, ...changes].map((change) => rendererFor(makeDefinition(change)));
		expect(new Set(renderers).size).toBe(renderers.length);
	});

	it("keeps a bounded number, and makes forgotten ones again", () => {
		const first = rendererFor(makeDefinition({ name: "forgotten" }));
		for (let index = 0; index < 1100; index++) rendererFor(makeDefinition({ name: `child-${index}` }));
		const again = rendererFor(makeDefinition({ name: "forgotten" }));
		expect(again).not.toBe(first);
		const record = makeRecord({ message: "m" });
		expect(renderText(again, record)).toBe(renderText(first, record));
	});

	it("makes a renderer for a definition that is too large to be kept", () => {
		const fields = `"a":"${"x".repeat(10_000)}"`;
		expect(renderText(rendererFor(makeDefinition({ fields })), makeRecord({ message: "m" }))).toContain(fields);
	});
});

describe("a definition that no logger makes", () => {
	it("gets the default logform if its own does not compile", () => {
		for (const logform of ["%nope% ", "two\nlines", "x".repeat(2000)]) {
			expect(renderText(compileRenderer(makeDefinition({ logform })), makeRecord({ message: "m" }))).toBe(
				"INFO - 2026-11-22T06:25:28.123+00:00 - app.ts:7 | m\n",
			);
		}
	});
});

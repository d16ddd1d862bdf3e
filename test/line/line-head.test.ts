import { describe, expect, it } from "vitest";
import { compileRenderer } from "../../src/line/renderer.ts";
import { repeatableRandom } from "../spool/spool-records.ts";
import { makeDefinition, makeRecord, renderText, someTimeMs } from "./record-builder.ts";

const logforms = [
	"%loglevel% - %time% - %file% | ",
	"%queue%%file%%queue% %date%T%time%%time%",
	"%time%%queue%",
	"%name%: ",
];
const definitions = [
	...logforms.map((logform) => makeDefinition({ logform, name: "billing" })),
	makeDefinition({ format: "json", name: "billing" }),
];

describe("what comes before a message", () => {
	it("is the same whatever was rendered before it", () => {
		const random = repeatableRandom(7);
		const warm = definitions.map(compileRenderer);
		let timeMs = someTimeMs;
		for (let index = 0; index < 3000; index++) {
			timeMs += [0, 0, 1, 999, -5, 86_400_000][random(6)] as number;
			const record = makeRecord(
				{ message: "m" },
				{
					timeMs,
					level: [10, 30, 35, 60][random(4)] as number,
					utcOffsetMinutes: [0, 60, -210][random(3)] as number,
					callSite: ["", "app.ts:7", "b.ts:1", "x".repeat(700)][random(4)] as string,
				},
			);
			const which = random(definitions.length);
			const fresh = compileRenderer(definitions[which] as (typeof definitions)[number]);
			expect(renderText(warm[which] as typeof fresh, record)).toBe(renderText(fresh, record));
		}
	});

	it("is right beyond the number of call sites that are kept", () => {
		const render = compileRenderer(definitions[0] as (typeof definitions)[number]);
		for (let round = 0; round < 2; round++) {
			for (let site = 0; site < 5000; site++) {
				const line = renderText(render, makeRecord({ message: "m" }, { callSite: `f${site}.ts:1` }));
				expect(line).toBe(`INFO - 2026-11-22T06:25:28.123+00:00 - f${site}.ts:1 | m\n`);
			}
		}
	});
});

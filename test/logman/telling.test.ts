import { expect, it } from "vitest";
import { Telling } from "../../src/logman/telling.ts";

it("what is delivered behind a pause is told at once", () => {
	const telling = new Telling();
	expect(telling.isDue(1000, true, false)).toBe(true);
	expect(telling.isDone).toBe(true);
	expect(telling.isDue(1030, true, false)).toBe(true);
});

it("what follows closely is told when nothing more follows", () => {
	const telling = new Telling();
	telling.isDue(1000, true, false);
	expect(telling.isDue(1005, true, false)).toBe(false);
	expect(telling.isDone).toBe(false);
	expect(telling.isDue(1010, false, false)).toBe(true);
	expect(telling.isDone).toBe(true);
});

it("under a flood, and in a trickle that does not end, it is told ten times a second", () => {
	for (const hasMore of [true, false]) {
		const telling = new Telling();
		telling.isDue(1000, true, false);
		let told = 0;
		for (let nowMs = 1005; nowMs <= 2000; nowMs += 5) told += telling.isDue(nowMs, true, hasMore) ? 1 : 0;
		expect(told).toBe(10);
	}
});

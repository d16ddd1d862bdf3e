import { setTimeout as sleep } from "node:timers/promises";
import { expect, it, onTestFinished } from "vitest";
import { Upkeep } from "../../src/spool/upkeep.ts";

function countingUpkeep(): { readonly upkeep: Upkeep; readonly works: number[] } {
	const works: number[] = [];
	const upkeep = new Upkeep(
		() => works.push(performance.now()),
		() => true,
	);
	onTestFinished(() => upkeep.stop());
	return { upkeep, works };
}

it("work that is wanted earlier than what is due is done earlier, and once", async () => {
	const { upkeep, works } = countingUpkeep();
	upkeep.soon(60_000);
	upkeep.soon(1);
	upkeep.soon(30_000);
	await sleep(50);
	expect(works).toHaveLength(1);
});

it("work that is wanted later than what is due does not put it off", async () => {
	const { upkeep, works } = countingUpkeep();
	upkeep.soon(1);
	upkeep.soon(60_000);
	await sleep(50);
	expect(works).toHaveLength(1);
	upkeep.soon(1);
	await sleep(50);
	expect(works).toHaveLength(2);
});

it("nothing is done once it was stopped", async () => {
	const { upkeep, works } = countingUpkeep();
	upkeep.soon(1);
	upkeep.stop();
	await sleep(50);
	expect(works).toHaveLength(0);
});

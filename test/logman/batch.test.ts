import { describe, expect, it } from "vitest";
import { Batch } from "../../src/logman/batch.ts";
import { OutputRule } from "../../src/logman/output-rule.ts";
import { makeDefinition, makeRecord } from "../line/record-builder.ts";

function linesOf(batch: Batch, output: string): Buffer {
	return batch.outputs.get(output)?.lines.bytes ?? Buffer.alloc(0);
}

describe("the memory of a batch", () => {
	const definition = makeDefinition({ logform: "" });
	const { output } = definition;

	it("is used again for the next one", () => {
		const batch = new Batch(new OutputRule("/spool", undefined));
		batch.add(makeRecord({ message: "first" }, { definition }));
		const memory = linesOf(batch, output).buffer;
		batch.clear();
		batch.add(makeRecord({ message: "second" }, { definition }));
		expect(linesOf(batch, output).toString()).toBe("second\n");
		expect(linesOf(batch, output).buffer).toBe(memory);
	});

	it("is left alone as long as a write that did not answer may read it", () => {
		const inUse = new Set<ArrayBufferLike>();
		const batch = new Batch(new OutputRule("/spool", undefined), (memory) => inUse.has(memory));
		batch.add(makeRecord({ message: "first" }, { definition }));
		const stuck = linesOf(batch, output);
		inUse.add(stuck.buffer);
		for (let round = 0; round < 3; round++) {
			batch.clear();
			batch.add(makeRecord({ message: "other" }, { definition }));
			expect(linesOf(batch, output).buffer).not.toBe(stuck.buffer);
		}
		expect(stuck.toString()).toBe("first\n");
	});
});

import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { LineBuffer } from "../../src/line/line-buffer.ts";

describe("LineBuffer", () => {
	it("holds what was written, in order, however often it had to grow", () => {
		const write = fc.oneof(
			fc.string({ unit: "binary" }).map((text) => ({ kind: "text" as const, bytes: Buffer.from(text), text })),
			fc
				.uint8Array({ maxLength: 400 })
				.map((bytes) => ({ kind: "bytes" as const, bytes: Buffer.from(bytes), text: "" })),
			fc
				.uint8Array({ maxLength: 400 })
				.map((bytes) => ({ kind: "whole" as const, bytes: Buffer.from(bytes), text: "" })),
			fc.nat({ max: 255 }).map((byte) => ({ kind: "byte" as const, bytes: Buffer.of(byte), text: "" })),
		);
		fc.assert(
			fc.property(fc.array(write), (writes) => {
				const out = new LineBuffer({ initialBytes: 1 });
				for (const { kind, bytes, text } of writes) {
					if (kind === "text") out.writeText(text);
					if (kind === "bytes") out.writeBytes(Buffer.concat([Buffer.of(1), bytes, Buffer.of(2)]), 1, 1 + bytes.length);
					if (kind === "whole") out.writeBytes(bytes);
					if (kind === "byte") out.writeByte(bytes[0] as number);
				}
				const expected = Buffer.concat(writes.map(({ bytes }) => bytes));
				expect(out.bytes.equals(expected)).toBe(true);
				expect(out.length).toBe(expected.length);
			}),
		);
	});

	it("forgets the end on truncate and everything on clear", () => {
		const out = new LineBuffer();
		out.writeText("one two");
		out.truncate(3);
		expect(out.bytes.toString()).toBe("one");
		out.truncate(100);
		expect(out.length).toBe(3);
		out.clear();
		expect(out.length).toBe(0);
		out.writeText("three");
		expect(out.bytes.toString()).toBe("three");
	});

	it("keeps its memory on clear, unless it has grown beyond its bound", () => {
		const out = new LineBuffer({ initialBytes: 16, maxKeptBytes: 1024 });
		out.writeText("x".repeat(300));
		const kept = out.storage;
		out.clear();
		expect(out.storage).toBe(kept);
		out.writeText("x".repeat(2000));
		out.clear();
		expect(out.storage.length).toBe(16);
		expect(out.view.byteLength).toBe(16);
		out.writeText("still usable, and grows again");
		expect(out.bytes.toString()).toBe("still usable, and grows again");
	});

	it("takes text eight bytes at a time, whatever its length", () => {
		fc.assert(
			fc.property(fc.array(fc.string({ unit: "binary" })), (texts) => {
				const out = new LineBuffer({ initialBytes: 1 });
				for (const text of texts) {
					const bytes = Buffer.from(text);
					const doubles = new Float64Array(Math.ceil(bytes.length / 8));
					bytes.copy(new Uint8Array(doubles.buffer));
					out.writeDoubles(doubles, bytes.length);
				}
				expect(out.bytes.equals(Buffer.concat(texts.map((text) => Buffer.from(text))))).toBe(true);
			}),
		);
	});
});

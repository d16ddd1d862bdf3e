import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { findInFile } from "../../src/logman/chunk-search.ts";

describe("findInFile", () => {
	let folder: string;
	beforeEach(() => {
		folder = mkdtempSync(join(tmpdir(), "pylog-chunk-search-"));
	});
	afterEach(() => {
		rmSync(folder, { recursive: true, force: true });
	});

	function withFile<Result>(bytes: Uint8Array, use: (fd: number) => Result): Result {
		const path = join(folder, "searched");
		writeFileSync(path, bytes);
		const fd = openSync(path, "r");
		try {
			return use(fd);
		} finally {
			closeSync(fd);
		}
	}

	it("finds what Buffer.indexOf finds, whatever the size of the chunks", () => {
		// Two letters only: needles that begin, fail and begin again are the ones that break a search over borders.
		const letters = (minLength: number, maxLength: number): fc.Arbitrary<Buffer> =>
			fc.array(fc.constantFrom(97, 98), { minLength, maxLength }).map((codes) => Buffer.from(codes));
		fc.assert(
			fc.property(
				letters(0, 200),
				letters(1, 12),
				fc.integer({ min: 1, max: 40 }),
				fc.nat({ max: 220 }),
				(bytes, needle, chunkBytes, from) => {
					const found = withFile(bytes, (fd) => findInFile(fd, needle, { chunkBytes, from }));
					expect(found).toBe(from > bytes.length ? -1 : bytes.indexOf(needle, from));
				},
			),
			{ numRuns: 500 },
		);
	});

	it("finds a needle at every place around the border of two chunks", () => {
		const needle = Buffer.from("needle");
		for (let at = 58; at <= 70; at++) {
			const bytes = Buffer.alloc(160, ".");
			needle.copy(bytes, at);
			expect(withFile(bytes, (fd) => findInFile(fd, needle, { chunkBytes: 64 }))).toBe(at);
		}
	});

	it("finds a needle longer than a chunk", () => {
		const needle = Buffer.from("0123456789".repeat(10));
		const bytes = Buffer.concat([Buffer.alloc(33, "x"), needle]);
		expect(withFile(bytes, (fd) => findInFile(fd, needle, { chunkBytes: 7 }))).toBe(33);
	});

	it("goes on behind an earlier find when it is told where to start", () => {
		withFile(Buffer.from("one two one two"), (fd) => {
			expect(findInFile(fd, Buffer.from("two"), { chunkBytes: 4 })).toBe(4);
			expect(findInFile(fd, Buffer.from("two"), { chunkBytes: 4, from: 5 })).toBe(12);
			expect(findInFile(fd, Buffer.from("two"), { chunkBytes: 4, from: 13 })).toBe(-1);
		});
	});

	it("finds nothing in an empty file", () => {
		expect(withFile(Buffer.alloc(0), (fd) => findInFile(fd, Buffer.from("x")))).toBe(-1);
	});

	it("refuses an empty needle and an impossible chunk", () => {
		withFile(Buffer.from("abc"), (fd) => {
			expect(() => findInFile(fd, Buffer.alloc(0))).toThrow("invariant");
			expect(() => findInFile(fd, Buffer.from("a"), { chunkBytes: 0 })).toThrow("invariant");
			expect(() => findInFile(fd, Buffer.from("a"), { from: -1 })).toThrow("invariant");
		});
	});
});

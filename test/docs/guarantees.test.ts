/** Each row of docs/guarantees.md names what proves it: a test that exists, or a command that does. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

const root = new URL("../../", import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, root), "utf8");
const rows = read("docs/guarantees.md")
	.split("\n")
	.filter((line) => line.startsWith("| ") && !line.startsWith("| fault |") && !line.startsWith("| what |"))
	.map((line) => line.split("|").slice(1, -1));

test("every row says under which fault, what, and by which proof", () => {
	expect(rows.length).toBeGreaterThan(20);
	for (const cells of rows) {
		expect(cells).toHaveLength(3);
		expect(cells[2]).toMatch(/`(test\/|npm run )/);
	}
});

test("every test that is named exists under that name", () => {
	for (const [, , proof = ""] of rows) {
		let file = "";
		for (const [, path, name] of proof.matchAll(/`(test\/[\w/.-]+)`|"([^"]+)"/g)) {
			if (path !== undefined) file = read(path);
			else expect(file, proof).toContain(name);
		}
	}
});

test("every command that is named is there", () => {
	const { scripts } = JSON.parse(read("package.json")) as { scripts: Record<string, string> };
	const faults = read("test/fixtures/faults/fault-table.ts");
	for (const [, , proof = ""] of rows) {
		for (const [, script = "", fault] of proof.matchAll(/`npm run (\w+)(?: -- (\w+))?`/g)) {
			expect(Object.keys(scripts)).toContain(script);
			if (fault !== undefined) expect(faults).toContain(`/${fault}.ts"`);
		}
	}
});

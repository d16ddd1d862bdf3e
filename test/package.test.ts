/** What would be published: whatever its files load is in it. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));
const loads =
	/(?:\bfrom |\bimport |\bimport\(|\brequire\(|createRequire\(import\.meta\.url\)\(|\bnew URL\()"(\.{1,2}\/[^"]+)"/g;

test("every file that the published ones load is published", () => {
	const published = publishedFiles();
	expect(published).toContain("dist/index.js");
	for (const path of published.filter((each) => /^dist\/.*\.c?js$/.test(each))) {
		for (const [, loaded = ""] of read(path).matchAll(loads)) {
			expect(published, `${path} loads it`).toContain(join(dirname(path), loaded));
		}
	}
});

test("every declaration that the published ones refer to is published, and every source that a map names", () => {
	const published = publishedFiles();
	for (const path of published.filter((each) => each.endsWith(".d.ts"))) {
		for (const [, from = ""] of read(path).matchAll(/(?:\bfrom |\bimport\()"(\.{1,2}\/[^"]+)\.ts"/g)) {
			expect(published, `${path} refers to it`).toContain(`${join(dirname(path), from)}.d.ts`);
		}
	}
	for (const path of published.filter((each) => each.endsWith(".map"))) {
		const { sources } = JSON.parse(read(path)) as { readonly sources: readonly string[] };
		for (const source of sources) expect(published, `${path} names it`).toContain(join(dirname(path), source));
	}
});

function publishedFiles(): string[] {
	const said = execFileSync("npm", ["pack", "--dry-run", "--json", "--ignore-scripts"], {
		cwd: root,
		encoding: "utf8",
	});
	const [pack] = JSON.parse(said) as readonly { readonly files: readonly { readonly path: string }[] }[];
	return (pack?.files ?? []).map(({ path }) => path);
}

function read(path: string): string {
	return readFileSync(join(root, path), "utf8");
}

/** Whoever can pass an option can name its type: each type that a public one is made of is exported as well. */
import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";

const src = new URL("../src/", import.meta.url);
const declarations = new Map<string, string>();
for (const entry of readdirSync(src, { recursive: true, encoding: "utf8" })) {
	if (!entry.endsWith(".ts") || entry === "index.ts") continue;
	const text = readFileSync(new URL(entry, src), "utf8").replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, "");
	for (const [body, interfaceName, name = ""] of text.matchAll(
		/^export (?:interface (\w+)[\s\S]*?^\}|type (\w+)[\s\S]*?;$)/gm,
	)) {
		declarations.set(interfaceName ?? name, body);
	}
}
const index = readFileSync(new URL("index.ts", src), "utf8");
const exported = new Set(
	[...index.matchAll(/\{([^}]*)\}/g)].flatMap(([, names = ""]) =>
		names.split(",").map((name) => name.trim().replace(/^type /, "")),
	),
);

test("each type that a public option is made of is exported", () => {
	const options = [...exported].filter((name) => /Options?$/.test(name) && declarations.has(name));
	expect(options.length).toBeGreaterThan(5);
	for (const name of options) {
		// A property of a type is not that type.
		const body = (declarations.get(name) ?? "").replaceAll(/\b\w+\["\w+"\]/g, "");
		for (const [used] of body.matchAll(/\b[A-Z]\w+/g)) {
			if (declarations.has(used)) expect([...exported], `${used}, of which ${name} is made`).toContain(used);
		}
	}
});

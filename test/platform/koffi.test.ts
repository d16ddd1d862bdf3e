import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { koffiVersion, loadKoffi } from "../../src/platform/koffi.ts";

it("the binary of the version that package.json names is loaded", () => {
	const { dependencies } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
	expect(koffiVersion).toBe(dependencies.koffi);
	const koffi = loadKoffi();
	expect(koffi.version).toBe(koffiVersion);
	expect(koffi.load(null).func("int getpid()")()).toBe(process.pid);
});

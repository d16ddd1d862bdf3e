/** The web server: its file, read by other code than its own; and its comparison, which must be able to fail. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { compare } from "../../examples/cluster-server/compare.ts";
import { until } from "../running-logman.ts";
import { temporaryDirectory } from "../temporary-directory.ts";
import { startExample } from "./example-process.ts";

test("two server processes log each of 20,000 requests once to one JSON file", async () => {
	const example = startExample("cluster-server");
	expect([await example.ended, example.errors()]).toEqual([0, ""]);

	const text = readFileSync(join(example.directory(), "requests.log"), "utf8");
	const lines = text
		.trimEnd()
		.split("\n")
		.map((line) => JSON.parse(line) as Record<string, unknown>);
	expect(lines).toHaveLength(20_000);
	expect(new Set(lines.map((line) => line["requestId"])).size).toBe(20_000);
	expect(new Set(lines.map((line) => line["pid"])).size).toBe(2);
	expect(new Set(lines.map((line) => line["url"]))).toEqual(new Set(["/orders/7", "/orders/8?verbose=1"]));
	for (const { level, name, msg, method, status, durationMs } of lines) {
		expect([level, name, msg, method, status]).toEqual(["info", "shop", "request", "GET", 200]);
		expect(durationMs).toBeGreaterThanOrEqual(0);
	}
	expect(example.output()).toMatch(/responses with 2xx +20000\nlines in the file +20000/);
	await until(() => example.processes().length === 0);
});

test("the server leaves no process behind when it is interrupted", async () => {
	const example = startExample("cluster-server");
	await until(() => example.output().includes("processes listen"));
	expect(example.processes().length).toBeGreaterThan(2);

	example.process.kill("SIGINT");

	expect(await example.ended).toBe(1);
	await until(() => example.processes().length === 0);
});

test("the comparison finds lines that are missing, repeated or of no response, and requests that failed", () => {
	const file = join(temporaryDirectory(), "requests.log");
	const problems = (requestIds: readonly string[], logged: readonly string[], failures = 0): readonly string[] => {
		writeFileSync(file, logged.map((requestId) => `${JSON.stringify({ pid: 1, requestId })}\n`).join(""));
		return compare({ requestIds, failures, seconds: 1 }, file).problems;
	};
	expect(problems(["a", "b"], ["b", "a"])).toEqual([]);
	expect(problems(["a", "b"], ["a"])).toEqual(["1 responses have no line"]);
	expect(problems(["a", "b"], ["a", "b", "b"])).toEqual(["1 lines repeat a request id"]);
	expect(problems(["a"], ["a", "b"])).toEqual(["1 lines belong to no response"]);
	expect(problems(["a", "a"], ["a"])).toEqual(["1 responses have the request id of another one"]);
	expect(problems(["a"], ["a"], 3)).toEqual(["3 requests failed"]);
});

/** Logging while the stack is used up: handlers of a runaway recursion do that. */
import { join } from "node:path";
import { expect, it, onTestFinished, vi } from "vitest";
import { pylog } from "../../src/index.ts";
import { cacheDirectory, drain, linesOf } from "../running-logman.ts";

const rounds = 60;
const halfRounds = 15;

it("logs on as before after calls on the last bytes of the stack", async () => {
	const warning = vi.spyOn(process, "emitWarning").mockImplementation(() => undefined);
	onTestFinished(() => warning.mockRestore());
	const cacheDir = cacheDirectory();
	const filename = join(cacheDir, "app.log");
	const root = pylog({ cacheDir, filename, logman: "external", logform: "", callSite: false });
	root.info("before");
	for (let round = 0; round < rounds; round++) {
		const child = root.child({ round });
		let frames = 0;
		const runAway = (depth: number): void => {
			try {
				runAway(depth + 1);
			} catch (error) {
				if (frames++ < 400) {
					try {
						child.error("yyy".repeat(1 + (frames % 7)));
					} catch {
						// On the very last bytes no function can be entered, a logging method neither.
					}
				}
				throw error;
			}
		};
		expect(() => runAway(0)).toThrow(RangeError);
		child.info(`after ${round}`);
	}
	root.info("at the end");
	await drain(cacheDir);
	const lines = linesOf(filename).filter((line) => !line.startsWith("yyy") && !line.startsWith("pylog dropped"));
	expect(lines).toEqual([
		"before",
		...Array.from({ length: rounds }, (_, round) => `after ${round} {"round":${round}}`),
		"at the end",
	]);
	for (const [text] of warning.mock.calls)
		expect(text).toBe("A record was not taken: Maximum call stack size exceeded");
	expect(warning.mock.calls.length).toBeLessThan(2);
});

it("leaves no half of a value behind where the stack ended inside of it", async () => {
	const warning = vi.spyOn(process, "emitWarning").mockImplementation(() => undefined);
	onTestFinished(() => warning.mockRestore());
	const cacheDir = cacheDirectory();
	const filename = join(cacheDir, "app.log");
	const logger = pylog({ cacheDir, filename, logman: "external", format: "json", callSite: false });
	const whole = {
		a: { é: [{ b: { c: ["text\n", 1.5] } }] },
		list: [[1], [{ d: new Map([["e", { f: 1 }]]) }]],
		g: "end",
	};
	const error = new Error("outer", { cause: new AggregateError([new Error("one"), { two: whole }], "inner") });
	for (let round = 0; round < halfRounds; round++) {
		let frames = 0;
		const runAway = (depth: number): void => {
			try {
				runAway(depth + 1);
			} catch (thrown) {
				if (frames++ < 400) {
					try {
						logger.error("in the end", { whole, round }, frames % 2 === 0 ? error : undefined);
					} catch {
						// On the very last bytes no function can be entered.
					}
				}
				throw thrown;
			}
		};
		expect(() => runAway(0)).toThrow(RangeError);
	}
	logger.info("after", { whole });
	await drain(cacheDir);
	const lines = linesOf(filename).map((line) => JSON.parse(line) as { msg: string; whole: object; fields: string });
	const last = lines.pop();
	const shown = { ...whole, list: [[1], [{ d: { e: { f: 1 } } }]] };
	expect(last).toMatchObject({ msg: "after", whole: shown });
	const unmarked = lines.filter((line) => !JSON.stringify(line).includes("[Throws: Maximum call stack"));
	expect(unmarked.length).toBeGreaterThan(0);
	for (const line of unmarked) if (line.msg === "in the end") expect(line.whole).toEqual(shown);
});

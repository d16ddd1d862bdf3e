/**
 * Work for a logman that is killed: lines for three files in both lanes, from several producers and the inbox, and the
 * rules that the files must keep. One file can't be written at first: a directory stands in its way.
 */
import { mkdirSync, rmdirSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import { Inbox } from "../../src/spool/inbox.ts";
import { LineWriter } from "../line-writer.ts";
import { linesOf } from "../running-logman.ts";

interface Logged {
	readonly text: string;
	readonly lane: "priority" | "normal";
	readonly round: number;
}

export class LoggedWork {
	readonly cacheDir: string;
	readonly plain: string;
	readonly large: string;
	readonly blocked: string;
	/** Lines from producers, by file, in the order in which they were logged. */
	readonly #logged = new Map<string, Logged[]>();
	readonly #fromInbox = new Map<string, string[]>();
	readonly #living: LineWriter;
	readonly #largeBytes: number;
	#round = 0;

	/** @param largeBytes Length of the longest lines; four of the default's make more than one batch. */
	constructor(cacheDir: string, outputs: string, largeBytes = 600_000) {
		this.cacheDir = cacheDir;
		this.#largeBytes = largeBytes;
		this.plain = join(outputs, "plain.log");
		this.large = join(outputs, "new", "large.log");
		this.blocked = join(outputs, "blocked.log");
		mkdirSync(this.blocked, { recursive: true });
		this.#living = new LineWriter(cacheDir);
	}

	/** Logs from a producer that lives and one that dies, and through the inbox. */
	logRound(lines: number): void {
		this.#round += 1;
		const dying = new LineWriter(this.cacheDir);
		for (let index = 0; index < lines; index++) {
			this.#log(this.#living, this.plain, `normal ${index}`);
			this.#log(dying, this.large, `large ${index} `.padEnd(this.#largeBytes, "."));
			this.#log(dying, this.plain, `dying ${index}`);
			this.#log(dying, this.blocked, `dying ${index}`);
			this.#log(this.#living, this.blocked, `urgent ${index}`, "priority");
			this.#log(this.#living, this.plain, `urgent ${index}`, "priority");
			this.#log(dying, this.large, `urgent ${index}`, "priority");
		}
		dying.close();
		this.#send(this.plain, "first");
		this.#send(this.plain, "second");
		this.#send(this.large, "urgent", true);
	}

	unblock(): void {
		rmdirSync(this.blocked);
	}

	endLiving(): void {
		this.#living.close();
	}

	/** Every line is there once, those of a lane in their order, and the first round's priority lane before its normal one. */
	check(): void {
		for (const [path, logged] of this.#logged) {
			const fromInbox = this.#fromInbox.get(path) ?? [];
			const all = linesOf(path);
			expect(all.toSorted()).toEqual([...logged.map(({ text }) => text), ...fromInbox].toSorted());
			expect(all.filter((line) => line.includes(" from the inbox first"))).toEqual(
				fromInbox.filter((line) => line.includes(" from the inbox first")),
			);
			const lines = all.filter((line) => !fromInbox.includes(line));
			const inFile = lines.map((line) => logged.find(({ text }) => text === line) as Logged);
			for (const lane of ["priority", "normal"]) {
				const inLane = (each: Logged): boolean => each.lane === lane;
				expect(inFile.filter(inLane)).toEqual(logged.filter(inLane));
			}
			const first = inFile.filter(({ round }) => round === 1).map(({ lane }) => lane);
			expect(first).toEqual(first.toSorted().toReversed());
		}
	}

	#log(writer: LineWriter, path: string, message: string, lane: "priority" | "normal" = "normal"): void {
		const text = `${this.#round} ${message}`;
		expect(writer.write(path, text, { isPriority: lane === "priority" })).toBe(true);
		this.#logged.set(path, [...(this.#logged.get(path) ?? []), { text, lane, round: this.#round }]);
	}

	#send(path: string, message: string, priority = false): void {
		const text = `${this.#round} from the inbox ${message}`;
		new Inbox(this.cacheDir).deliver({ msg: text, logTo: path, priority }, "normal");
		this.#fromInbox.set(path, [...(this.#fromInbox.get(path) ?? []), text]);
	}
}

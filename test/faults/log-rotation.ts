/** One log file that the real logrotate turns over, and what has become of it then. */
import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { temporaryDirectory } from "../temporary-directory.ts";

/** Distributions keep it in sbin, which is not on everybody's path. */
const env = { ...process.env, PATH: `${process.env["PATH"] ?? ""}:/usr/sbin:/sbin` };

/** Whether there is a logrotate. */
export const isLogrotateInstalled: boolean = spawnSync("logrotate", ["--version"], { env }).error === undefined;

/** More of them and the oldest file is gone. */
export const mostRotations = 300;

export class LogRotation {
	/** The log file. */
	readonly path: string;
	readonly #folder: string;
	readonly #config: string;
	readonly #state: string;

	/** @param directives Lines of logrotate's configuration. */
	constructor(directives: readonly string[]) {
		const directory = temporaryDirectory();
		this.#folder = join(directory, "logs");
		this.path = join(this.#folder, "app.log");
		this.#config = join(directory, "logrotate.conf");
		this.#state = join(directory, "state");
		mkdirSync(join(this.#folder, "old"), { recursive: true, mode: 0o700 });
		const lines = [`rotate ${mostRotations}`, "missingok", "notifempty", ...directives].map((line) => `\t${line}\n`);
		writeFileSync(this.#config, `${this.path} {\n${lines.join("")}}\n`, { mode: 0o600 });
	}

	/** Lets logrotate look at the file once. Returns whether it turned it over. */
	async rotate(...words: readonly string[]): Promise<boolean> {
		const logrotate = spawn("logrotate", ["--verbose", ...words, "--state", this.#state, this.#config], { env });
		let said = "";
		logrotate.stderr.on("data", (text) => (said += text));
		const code = await new Promise((resolve) => logrotate.on("close", resolve));
		if (code !== 0) throw new Error(`logrotate ended with ${String(code)}: ${said}`);
		return /^(renaming .*app\.log to|copying .*app\.log to)/m.test(said);
	}

	/** The files that it has become, the oldest first; compressed ones are unpacked. */
	files(): string[] {
		const old = join(this.#folder, "old");
		const rotated = [this.#folder, old].flatMap((folder) =>
			readdirSync(folder).flatMap((name) =>
				name.startsWith("app.log") && name !== "app.log" ? join(folder, name) : [],
			),
		);
		const numbered = rotated.filter((file) => !isBackup(file)).toSorted((a, b) => ageOf(b) - ageOf(a));
		return [...rotated.filter(isBackup).reduce(insertByTime, numbered).map(unpacked), this.path];
	}
}

/** What logrotate makes of a file that somebody made before it could, where it had moved one away. */
export function isBackup(file: string): boolean {
	return file.endsWith(".backup");
}

function insertByTime(files: readonly string[], file: string): string[] {
	const { mtimeMs } = statSync(file);
	const later = files.findIndex((each) => statSync(each).mtimeMs > mtimeMs);
	return later === -1 ? [...files, file] : files.toSpliced(later, 0, file);
}

/** Greater for older ones: the number at the end of `app.log.<number>`, or of `app.log-<seconds>`, which grow. */
function ageOf(file: string): number {
	const [, sign, number] = /app\.log([.-])(\d+)(?:\.gz)?$/.exec(file) ?? [];
	if (number === undefined) throw new Error(`logrotate left a file that nobody expects: ${file}`);
	return sign === "." ? Number(number) : -Number(number);
}

function unpacked(file: string): string {
	if (!file.endsWith(".gz")) return file;
	const plain = `${file}.unpacked`;
	writeFileSync(plain, gunzipSync(readFileSync(file)));
	return plain;
}

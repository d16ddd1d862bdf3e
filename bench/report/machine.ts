/** What was measured on, and which versions of everything: figures mean nothing without. */
import { readFileSync } from "node:fs";
import { cpus, release, totalmem } from "node:os";

export interface Machine {
	readonly cpu: string;
	readonly cores: number;
	readonly memoryGiB: number;
	readonly kernel: string;
	readonly nice: number;
}

export type Versions = Readonly<Record<string, string>>;

const peers = ["pino", "winston", "bunyan", "log4js", "tslog", "@logtape/logtape", "@logtape/file", "roarr", "fastify"];
const root: URL = new URL("../../", import.meta.url);

export function machine(nice: number): Machine {
	return {
		cpu: cpus()[0]?.model.trim() ?? "unknown",
		cores: cpus().length,
		memoryGiB: Math.round(totalmem() / 2 ** 30),
		kernel: release(),
		nice,
	};
}

/** Versions of Node, of Pylog and of all peers that are installed. */
export function versions(): Versions {
	const installed = peers.map((name): [string, string] => [name, versionIn(`node_modules/${name}/package.json`)]);
	return { node: process.version, pylog: versionIn("package.json"), ...Object.fromEntries(installed) };
}

function versionIn(path: string): string {
	return JSON.parse(readFileSync(new URL(path, root), "utf8")).version;
}

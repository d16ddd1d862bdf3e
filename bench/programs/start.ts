/** A short command: loads a logger, logs a few lines and ends by itself, without waiting for anything. */
import { say, told } from "../run/told.ts";

export interface StartOptions {
	/** `undefined` for a command that does not log. */
	readonly peer?: string;
	/** The package that the logger is in. */
	readonly package?: string;
	readonly path: string;
	readonly cacheDir: string;
	readonly startsLogman: boolean;
	readonly lines: number;
}

export interface StartFound {
	readonly importMs: number;
	/** Import, making the logger and the first line. */
	readonly firstLineMs: number;
}

const { peer: name, package: module, path, cacheDir, startsLogman, lines } = told<StartOptions>();
if (name === undefined || module === undefined) {
	say({});
} else {
	const sinceMs = performance.now();
	await import(module);
	const importMs = performance.now() - sinceMs;
	const { openPeer } = await import("../peers/open-peer.ts");
	const beforeMs = performance.now();
	const peer = await openPeer(name, { path, cacheDir, site: false, startsLogman });
	const log = peer.calls.fields as (index: number) => void;
	log(0);
	const found: StartFound = { importMs, firstLineMs: importMs + performance.now() - beforeMs };
	for (let index = 1; index < lines; index++) log(index);
	say(found);
}

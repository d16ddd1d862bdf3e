/**
 * koffi, which calls functions of the C library. Its own loader looks into Node's executable to find out which libc that
 * has, and takes 5 ms, a quarter of all that a first line costs. Where npm has put the binary for glibc beside it, that is
 * loaded at once; in all other cases, koffi does it.
 */

import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { constants } from "node:os";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import type koffi from "koffi";

type Koffi = typeof koffi;

/** The version that package.json names: what a binary of another one takes may be something else. */
export const koffiVersion = "3.3.4";

const muslLoaders: Readonly<Record<string, string>> = {
	x64: "/lib/ld-musl-x86_64.so.1",
	arm64: "/lib/ld-musl-aarch64.so.1",
};

export function loadKoffi(): Koffi {
	return loadBinary() ?? (createRequire(import.meta.url)("koffi") as Koffi);
}

/** `undefined` where the binary is not the usual one, or not in its usual place. */
function loadBinary(): Koffi | undefined {
	const { arch } = process;
	const musl = muslLoaders[arch];
	if (process.platform !== "linux" || musl === undefined || existsSync(musl)) return undefined;
	try {
		const folder = packageFolder();
		if (folder === undefined) return undefined;
		const native: { exports: Partial<Koffi> } = { exports: {} };
		// Not normalised: the folder may be a link, and its binary is beside what it leads to.
		const path = `${folder}/../@koromix/koffi-linux-${arch}/linux_${arch}/koffi.node`;
		process.dlopen(native, path, constants.dlopen.RTLD_LAZY);
		return native.exports.version === koffiVersion ? (native.exports as Koffi) : undefined;
	} catch {
		return undefined;
	}
}

/** koffi's folder, where Node looks for it. To ask Node itself costs 2 ms. */
function packageFolder(): string | undefined {
	for (let folder = dirname(fileURLToPath(import.meta.url)); ; folder = dirname(folder)) {
		const path = `${folder}/node_modules/koffi`;
		if (existsSync(path)) return path;
		if (folder === dirname(folder)) return undefined;
	}
}

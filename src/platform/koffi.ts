/**
 * koffi, which calls functions of the C library. Its own loader looks into Node's executable to find out which libc that
 * has, and takes 5 ms, a quarter of all that a first line costs. Where npm has put the binary for glibc beside it, that is
 * loaded at once; in all other cases, koffi does it.
 */

import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { constants } from "node:os";
import { dirname, join } from "node:path";
import type koffi from "koffi";

type Koffi = typeof koffi;

/** The version that package.json names: what a binary of another one takes may be something else. */
export const koffiVersion = "3.3.4";

const muslLoaders: Readonly<Record<string, string>> = {
	x64: "/lib/ld-musl-x86_64.so.1",
	arm64: "/lib/ld-musl-aarch64.so.1",
};

export function loadKoffi(): Koffi {
	const require = createRequire(import.meta.url);
	return loadBinary(require) ?? (require("koffi") as Koffi);
}

/** `undefined` where the binary is not the usual one, or not in its usual place. */
function loadBinary(require: NodeJS.Require): Koffi | undefined {
	const { arch } = process;
	const musl = muslLoaders[arch];
	if (process.platform !== "linux" || musl === undefined || existsSync(musl)) return undefined;
	try {
		const folder = dirname(dirname(require.resolve("koffi")));
		const path = join(folder, "@koromix", `koffi-linux-${arch}`, `linux_${arch}`, "koffi.node");
		const native: { exports: Partial<Koffi> } = { exports: {} };
		process.dlopen(native, path, constants.dlopen.RTLD_LAZY);
		return native.exports.version === koffiVersion ? (native.exports as Koffi) : undefined;
	} catch {
		return undefined;
	}
}

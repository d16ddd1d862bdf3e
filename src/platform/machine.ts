/** What the machine says of itself: boot, file systems, free space. */

import { readFileSync, readlinkSync, statfsSync } from "node:fs";

/** `statfs` types of network file systems, from the kernel's `magic.h` and the file systems' own sources. */
const networkFileSystems: Readonly<Record<number, string>> = {
	0x6969: "NFS",
	0xff534d42: "CIFS",
	0xfe534d42: "SMB",
	0x517b: "SMB",
	0x5346414f: "AFS",
	0x6b414653: "AFS",
	0x73757245: "Coda",
	0x01021997: "9p",
	0x00c36400: "Ceph",
	0x0bd00bd0: "Lustre",
	0x01161970: "GFS2",
	0x7461636f: "OCFS2",
	0x47504653: "GPFS",
};

/** The name of the network file system `path` is on, or `undefined` for a local one. */
export function networkFileSystem(path: string): string | undefined {
	return networkFileSystems[statfsSync(path).type >>> 0];
}

/** Bytes an ordinary user may still write below `path`, and the size of its disk. */
export function diskSpace(path: string): { freeBytes: number; totalBytes: number } {
	const { bavail, blocks, bsize } = statfsSync(path);
	return { freeBytes: bavail * bsize, totalBytes: blocks * bsize };
}

/** 16 bytes that change with every boot of the kernel; zeros where the kernel does not tell. */
export function bootId(): Buffer {
	try {
		const text = readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim().replaceAll("-", "");
		const bytes = Buffer.from(text, "hex");
		return bytes.length === 16 ? bytes : Buffer.alloc(16);
	} catch {
		return Buffer.alloc(16);
	}
}

/** The name of the namespace in which this process has its number; empty where the kernel does not tell. */
export function pidNamespace(): string {
	try {
		return readlinkSync("/proc/self/ns/pid");
	} catch {
		return "";
	}
}

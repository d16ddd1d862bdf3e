/**
 * The system calls Node does not offer, bound once with koffi. Nothing outside `src/platform/` knows koffi.
 *
 * Linux only: the constants below are Linux's, and the futex call is made by number. All calls block the thread for
 * the time of the system call, except {@link futexWait} and {@link populate}, which wait on a thread of libuv's pool.
 */

import { getSystemErrorName } from "node:util";
import { PylogError } from "../shared/errors.ts";
import { loadKoffi } from "./koffi.ts";

/** System call numbers of `futex` by processor (little-endian ones only), from the kernel's tables. */
const futexCallNumbers: Readonly<Record<string, number>> = {
	x64: 202,
	arm64: 98,
	riscv64: 98,
	loong64: 98,
	ppc64: 221,
};

const futexCallNumber = futexCallNumbers[process.arch];
if (process.platform !== "linux" || futexCallNumber === undefined) {
	throw new PylogError(
		"PYLOG_PLATFORM_UNSUPPORTED",
		`Pylog runs on Linux (${Object.keys(futexCallNumbers).join(", ")}); this is ${process.platform} ${process.arch}.`,
		{ details: { platform: process.platform, arch: process.arch } },
	);
}

const koffi = loadKoffi();
const library = koffi.load(null);
const cMmap = library.func("void *mmap(void *, size_t, int, int, int, int64_t)");
const cMunmap = library.func("int munmap(void *, size_t)");
const cFlock = library.func("int flock(int, int)");
const cFallocate = library.func("int posix_fallocate(int, int64_t, int64_t)");
const cIoctl = library.func("int ioctl(int, unsigned long, void *)");
const cMadvise = library.func("int madvise(void *, size_t, int)");
const cSyscall = library.func("long syscall(long, void *, int, int, void *, void *, int)");

const PROT_NONE = 0;
const PROT_READ_WRITE = 3;
const MAP_SHARED = 1;
const MAP_PRIVATE = 2;
const MAP_FIXED = 0x10;
const MAP_ANONYMOUS = 0x20;
const MADV_POPULATE_WRITE = 23;
const LOCK_SH = 1;
const LOCK_EX = 2;
const LOCK_NB = 4;
const LOCK_UN = 8;
/** `FS_IOC_GETFLAGS` and `FS_IOC_SETFLAGS`; POWER has numbers of its own. */
const FS_IOC_GETFLAGS = process.arch === "ppc64" ? 0x4008_6601 : 0x8008_6601;
const FS_IOC_SETFLAGS = process.arch === "ppc64" ? 0x8008_6602 : 0x4008_6602;
const FUTEX_WAIT = 0;
const FUTEX_WAKE = 1;
const EAGAIN = 11;
const EINTR = 4;

/** An address in this process, as koffi gives it. */
export type Address = bigint;

/** Reserves `sizeBytes` of addresses, with nothing behind them yet. A view that is touched there ends the process. */
export function mmapNothing(sizeBytes: number): { address: Address; buffer: ArrayBuffer } {
	const address = checkMapped(cMmap(null, sizeBytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) as Address, {
		sizeBytes,
	});
	return { address, buffer: koffi.view(address, sizeBytes) };
}

/** Maps `sizeBytes` of an open file, shared and writable, to addresses that are reserved. */
export function mmapSharedAt(address: Address, fd: number, sizeBytes: number): void {
	checkMapped(cMmap(address, sizeBytes, PROT_READ_WRITE, MAP_SHARED | MAP_FIXED, fd, 0) as Address, { fd, sizeBytes });
}

/** Puts nothing behind addresses again that stay reserved. */
export function mmapNothingAt(address: Address, sizeBytes: number): void {
	checkMapped(cMmap(address, sizeBytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) as Address, {
		sizeBytes,
	});
}

/**
 * At most so many pieces of memory are made ready at once. koffi throws when 256 calls wait for a thread, as they would where
 * an application keeps libuv's pool busy.
 */
const maxPopulating = 4;
let populating = 0;

/**
 * Lets the kernel make pages ready for stores, as the first store into each would. Does not block: a thread of libuv's
 * pool waits for it. Kernels before 5.14 do not know it, addresses that are taken away meanwhile end it, and where others
 * still wait for a thread it is not asked for: then the stores do it, as ever.
 */
export function populate(address: Address, sizeBytes: number): void {
	if (populating >= maxPopulating) return;
	populating += 1;
	cMadvise.async(address, sizeBytes, MADV_POPULATE_WRITE, () => {
		populating -= 1;
	});
}

function checkMapped(address: Address, about: Readonly<Record<string, unknown>>): Address {
	if (BigInt.asIntN(64, address) === -1n) throw systemCallError("mmap", koffi.errno(), about);
	return address;
}

/** Gives addresses back, with whatever is mapped there. No view of them may be touched afterwards: that would end the process. */
export function munmap(address: Address, sizeBytes: number): void {
	cMunmap(address, sizeBytes);
}

/** Tries to lock the open file; `false` when somebody else holds it. Never waits. */
export function flockTry(fd: number, kind: "exclusive" | "shared"): boolean {
	for (;;) {
		if (cFlock(fd, (kind === "exclusive" ? LOCK_EX : LOCK_SH) | LOCK_NB) === 0) return true;
		const errno = koffi.errno();
		if (errno === EAGAIN) return false;
		if (errno !== EINTR) throw systemCallError("flock", errno, { fd });
	}
}

/** Locks the open file exclusively, waiting for whoever holds it. */
export function flockWait(fd: number): void {
	while (cFlock(fd, LOCK_EX) !== 0) {
		const errno = koffi.errno();
		if (errno !== EINTR) throw systemCallError("flock", errno, { fd });
	}
}

export function flockRelease(fd: number): void {
	cFlock(fd, LOCK_UN);
}

/** Reserves `[fromByte, fromByte + sizeBytes)` on the disk. Returns 0 or an errno; `ENOSPC` is an ordinary answer. */
export function posixFallocate(fd: number, fromByte: number, sizeBytes: number): number {
	return cFallocate(fd, fromByte, sizeBytes) as number;
}

/** Adds attributes (`FS_…_FL`) to an open file; `false` where its file system has none of that kind. */
export function addFileFlags(fd: number, flags: number): boolean {
	const now = Buffer.alloc(8);
	if (cIoctl(fd, FS_IOC_GETFLAGS, now) !== 0) return false;
	now.writeUInt32LE((now.readUInt32LE(0) | flags) >>> 0, 0);
	return cIoctl(fd, FS_IOC_SETFLAGS, now) === 0;
}

/** Wakes whoever waits on the word at `address`. */
export function futexWake(address: Address): void {
	cSyscall(futexCallNumber, address, FUTEX_WAKE, 0x7fff_ffff, null, null, 0);
}

/** Waits until the word at `address` is woken, is not `expected`, or `timeoutMs` have passed. Does not block. */
export function futexWait(address: Address, expected: number, timeoutMs: number): Promise<void> {
	const timespec = Buffer.alloc(16);
	timespec.writeBigInt64LE(BigInt(Math.floor(timeoutMs / 1000)), 0);
	timespec.writeBigInt64LE(BigInt(Math.floor(timeoutMs % 1000) * 1_000_000), 8);
	return new Promise((resolve) => {
		cSyscall.async(futexCallNumber, address, FUTEX_WAIT, expected, timespec, null, 0, () => {
			// Held until here: the kernel reads it while the call waits.
			timespec.fill(0);
			resolve();
		});
	});
}

/** The error of a failed system call: its name, its errno by name, and what it was about. */
export function systemCallError(call: string, errno: number, about: Readonly<Record<string, unknown>>): PylogError {
	const name = getSystemErrorName(-errno);
	return new PylogError("PYLOG_SYSTEM_CALL", `${call} failed with ${name} for ${JSON.stringify(about)}.`, {
		details: { call, errno: name, ...about },
	});
}

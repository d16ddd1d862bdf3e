/**
 * Writing a control file: a new one, or one of an earlier boot, in whose place numbering goes on above all that was ever
 * given. Whoever does so holds its lock, and nobody has it mapped.
 */

import { closeSync, readSync } from "node:fs";
import { syncData, syncFolder, writeWhole } from "../platform/durable-file.ts";
import { bootId } from "../platform/machine.ts";
import { openOwnedFile } from "../platform/owned-files.ts";
import { keepInPlace } from "../platform/reserve.ts";
import { liftQueueNumber, queueNumber } from "../shared/numbers.ts";
import { CheckpointFile } from "./checkpoint.ts";
import {
	controlBytes,
	controlHeader,
	controlMagic,
	controlWords,
	highBits,
	slotCount,
	slotsStartByte,
	spoolVersion,
} from "./control-layout.ts";
import { reserveWhole } from "./control-readiness.ts";
import { Inbox } from "./inbox.ts";
import { type HighestNumbers, highestNumbers } from "./numbering.ts";
import type { SpoolPaths } from "./paths.ts";

/**
 * Numbers skipped after a reboot or a loss. Lines written within the last sync interval before a power failure may have
 * higher numbers than anything that reached the disk of the spool; nobody logs so many in that time.
 */
export const numbersSkipped: number = 2 ** 24;

/** Numbers that a spool can have given since the last that a checkpoint or a record has. */
const mostUnseen = 2 ** 30;

/** Writes an open, locked control file anew, for this boot. @throws PylogError PYLOG_SPOOL_FULL */
export function renewControl(fd: number, paths: SpoolPaths): void {
	CheckpointFile.restore(paths.checkpoint);
	const seen = highestNumbers(paths);
	const before = readCounters(fd, seen);
	// A file that was valid once may have given numbers that nothing else on the disk tells of.
	const isNew = seen.queue <= 0 && before.next === 0;
	const next = isNew ? 1 : Math.max(seen.queue, before.next - 1, 0) + 1 + numbersSkipped;
	const nextProducer = Math.max(seen.producer + 1, before.nextProducer, 1) % 2 ** 32;
	const bytes = Buffer.alloc(controlBytes);
	bytes.writeUInt32LE(spoolVersion, controlHeader.version);
	bytes.writeUInt32LE(slotCount, controlHeader.slotCount);
	bootId().copy(bytes, controlHeader.bootId);
	bytes.writeDoubleLE(Date.now(), controlHeader.createdMs);
	bytes.writeUInt32LE(next % 2 ** 32, controlWords.nextNumber * 4);
	bytes.writeUInt32LE(Math.floor(next / 2 ** 32), controlWords.numberHigh * 4);
	bytes.writeUInt32LE(nextProducer, controlWords.nextProducer * 4);
	bytes.writeUInt32LE(seen.reservedKib, controlWords.reservedKib * 4);
	keepInPlace("control.keep-in-place", fd);
	reserveWhole(fd, paths);
	reserveForLogman(paths);
	writeWhole("control.renew", fd, bytes, 0);
	// The magic last: without it, all this is done again.
	writeWhole("control.magic", fd, Buffer.from(controlMagic, "latin1"), 0);
	// After a power failure this file is what says that numbers were given.
	syncData("control.sync", fd);
	syncFolder("control.sync-name", paths.cacheDir);
}

/** What a logman needs to make room on a full disk has to be there before producers fill it. */
function reserveForLogman(paths: SpoolPaths): void {
	CheckpointFile.open(paths.checkpoint).close();
	for (const path of [paths.lease, paths.starting, `${paths.starting}.said`]) {
		closeSync(openOwnedFile("control.reserve-name", path, "missing"));
	}
	new Inbox(paths.cacheDir).ensure();
}

/** The number counter and the number of the next producer, before they are written anew; zeros in a new file. */
function readCounters(fd: number, { queue, hasCheckpoint }: HighestNumbers): { next: number; nextProducer: number } {
	const bytes = Buffer.alloc(slotsStartByte);
	readSync(fd, bytes, 0, bytes.length, 0);
	const low = bytes.readUInt32LE(controlWords.nextNumber * 4);
	const nextProducer = bytes.readUInt32LE(controlWords.nextProducer * 4);
	if (hasCheckpoint) {
		// The checkpoint has all bits. What is far from it was not counted: it is damage.
		const ahead = (low - (queue % 2 ** 32)) | 0;
		return { next: ahead <= mostUnseen ? queue + ahead : 0, nextProducer };
	}
	const high = bytes.readUInt32LE(controlWords.numberHigh * 4) % highBits;
	// The counter may have passed 2^32 since the high bits were stored.
	return { next: Math.max(high * 2 ** 32 + low, liftQueueNumber(low, queueNumber(queue))), nextProducer };
}

/** What can be wrong with a spool, as `pylog verify` tells it. */

/** Stable over minor versions, for programs. */
export const spoolProblemKinds = [
	/** The cache directory belongs to somebody else or is open to others. */
	"unsafe",
	/** The control file can't be used. */
	"control",
	/** A slot of the control file names a producer that has no folder. */
	"slot",
	/** A shared word of the control file holds what none of ours writes. */
	"word",
	/** The counter stands below a number that is taken. */
	"numbering",
	/** A slot of the checkpoint holds bytes that are no checkpoint. */
	"checkpoint",
	/** The checkpoint says that more is delivered than there is, or points into the middle of a record. */
	"position",
	/** A segment file can't be read, or its header can't be understood. */
	"segment",
	/** A segment file is shorter than its header says. */
	"truncated",
	/** A segment of a lane is not there. */
	"missing",
	/** A segment leads to another one than follows. */
	"link",
	/** Bytes where a record should be are none. */
	"record",
	/** A record's sequence does not follow the one before it: records are missing. */
	"gap",
	/** A record's number is not above the one before it in its lane. */
	"order",
	/** A record refers to a definition or call site that is not there, or one that can't be understood. */
	"definition",
	/** A parked file without a note of the output it is meant for, or shorter than what was brought back from it. */
	"parked",
] as const;

export interface SpoolProblem {
	readonly kind: (typeof spoolProblemKinds)[number];
	readonly path: string;
	/** Byte in the file; `undefined` where it is the file as a whole. */
	readonly offset: number | undefined;
	/** What was found. Holds nothing that changes from one look to the next. */
	readonly what: string;
	/** What it means for lines. */
	readonly meaning: string;
	readonly remedy: string;
}

/** Two problems with the same identity are the same problem, seen twice. */
export function problemIdentity({ kind, path, offset, what }: SpoolProblem): string {
	return JSON.stringify([kind, path, offset, what]);
}

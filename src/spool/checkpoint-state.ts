/** What a checkpoint says, whatever its bytes look like. */

/** Where in a lane's chain a record ends. */
export interface ChainPosition {
	/** Place of the segment's file in the lane's ring. */
	readonly place: number;
	/** Index of the segment in its lane. */
	readonly index: number;
	/** Byte offset in the segment. */
	readonly offset: number;
	/** Sequence of the last record before it. */
	readonly sequence: number;
}

export interface ChainState {
	readonly producer: number;
	readonly nonce: number;
	/** 0 priority, 1 normal. */
	readonly lane: number;
	readonly from: ChainPosition;
	readonly to: ChainPosition;
}

/** What a file was before a batch went to it. */
export interface OutputState {
	/** Path the lines are meant for. */
	readonly path: string;
	/** File they go to: `path`, or the parked file that stands in for it. */
	readonly target: string;
	readonly device: number;
	readonly inode: number;
	readonly sizeBytes: number;
	/** CRC-32 of the last bytes before `sizeBytes`: is it still the same file? */
	readonly tail: number;
	/** Bytes of this batch that went elsewhere before `target` was chosen. */
	readonly skippedBytes: number;
	/** When that was, as `Date.now()` tells; not there in checkpoints of earlier versions. */
	readonly atMs?: number;
	/** What precedes the batch's lines: the end of somebody else's line, or a line that tells of dropped ones. */
	readonly lead?: string;
	/** For lines that come back from a parked file: the range of it. */
	readonly parked?: { readonly from: number; readonly to: number };
}

/** A file that lines went to; inode and device are 0 where they are not known. */
export interface UnsyncedFile {
	readonly path: string;
	readonly device: number;
	readonly inode: number;
}

/** Records that were dropped because `parked/` had no room. */
export interface ParkedDrops {
	readonly count: number;
	/** The line that is to stand where they are missing. */
	readonly notice: string;
}

export interface Checkpoint {
	/** Every queue number below it was seen. */
	readonly horizon: number;
	/** Highest number delivered, by lane: a lower one that comes later is marked late. */
	readonly delivered: readonly [number, number];
	readonly chains: readonly ChainState[];
	/** Outputs of the batch being delivered; empty when there is none. */
	readonly outputs: readonly OutputState[];
	/** Bytes already brought back, by path of a parked output. */
	readonly parked: Readonly<Record<string, number>>;
	/** Files with bytes that are not known to be on disk. */
	readonly unsynced: readonly UnsyncedFile[];
	/** What was dropped of parked outputs and is not told of yet, by path. */
	readonly dropped?: Readonly<Record<string, ParkedDrops>>;
}
